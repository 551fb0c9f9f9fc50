"""Rules as objects of Kubernetes, for the Prometheus operator (PrometheusRule) and VictoriaMetrics' (VMRule).

An SLO is one object. Many in one would be fewer, and each new SLO would move the others about; and an operator puts an
object's rules into a ConfigMap, of which it fills at most half of the 1 MiB that there is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import indent

from llmslo_rulegen import yaml_text
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.rule import Group
from llmslo_rulegen.slo import Slo

MOST_BYTES = 512 << 10
MANAGED_BY = ("app.kubernetes.io/managed-by", "llmslo-rulegen")
_MOST_NAME, _DIGEST = 253, 8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that holds groups of rules under `spec`."""

    api: str
    kind: str


KINDS = {
    "prometheusrule": Kind("monitoring.coreos.com/v1", "PrometheusRule"),
    "vmrule": Kind("operator.victoriametrics.com/v1beta1", "VMRule"),
}


def name(prefix: str, of: str) -> str:
    """Return the name of an object, a subdomain after RFC 1123: two that differ keep differing."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", of.lower())
    plain = re.sub(r"[-.]*\.[-.]*", ".", plain).strip("-.")
    found = f"{prefix}.{plain}"
    if plain == of and len(found) <= _MOST_NAME:
        return found
    digest = hashlib.sha256(of.encode()).hexdigest()[:_DIGEST]
    return f"{found[: _MOST_NAME - _DIGEST - 1].rstrip('-.')}-{digest}"


def rules(
    kind: Kind, called: str, namespace: str | None, labels: Iterable[tuple[str, str]], groups: Iterable[Group]
) -> str:
    """Return one object as YAML."""
    metadata: dict[str, object] = {"name": called}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(sorted((MANAGED_BY, *labels)))
    head = yaml_text.dump({"apiVersion": kind.api, "kind": kind.kind, "metadata": metadata})
    return f"{head}spec:\n{indent(yaml_text.rules(groups), '  ')}"


def check_size(text: str, slo: Slo) -> None:
    """Raise InputError where an object is larger than an operator can hand to its server."""
    size = len(text.encode())
    if size > MOST_BYTES:
        what = f"the rules of {slo.id} are {size >> 10} KiB, an operator's ConfigMap takes {MOST_BYTES >> 10}"
        finding = Finding(
            "rule/size", slo.place.file, slo.place.line, Level.ERROR, f"{what}: record parts of its expressions first"
        )
        raise InputError([finding])
