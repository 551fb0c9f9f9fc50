"""Where rules are going: which servers read them, and what only these have."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN, PROMETHEUSRULE, VMRULE, MIMIR, THANOS, OPENSLO = (
    "plain",
    "prometheusrule",
    "vmrule",
    "mimir",
    "thanos",
    "openslo",
)
FORMATS = (PLAIN, PROMETHEUSRULE, VMRULE, MIMIR, THANOS, OPENSLO)
CONVERSIONS = ("llmslo", "openslo", "sloth", "pyrra")  # formats of SLO files that can be written
ABORT, WARN = "abort", "warn"


@dataclass(frozen=True, slots=True)
class Target:
    """A format of rules. `namespace` is Kubernetes' or Mimir's, `labels` those of Kubernetes' objects."""

    name: str = PLAIN
    namespace: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    partial_response: str = ABORT  # what Thanos' ruler does while a store is missing
