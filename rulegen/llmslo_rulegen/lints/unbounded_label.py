"""A budget for each value of a label that has no end of values."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser as promql

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

_ENDLESS = re.compile(
    r"(?:.*_)?(?:id|uuid|guid|trace|span|session|request|conversation|thread|user|username|email|ip|address|client_ip|"
    r"url|uri|path|query|prompt|message|error_message|timestamp|hash|digest|token|api_key|key)"
)
_CHURNING = ("instance", "pod", "pod_name", "container_id", "node")


def ask(case: Case) -> Iterator[Spot]:
    """Ask `group_by`, and what own expressions keep, for labels that grow with traffic or change with each rollout."""
    for slo in case.slos:
        for number, label in enumerate(slo.group_by):
            why = _why(label)
            if why is not None:
                fix = f"take {label} out of group_by and group by what is bounded, such as model"
                yield Spot(
                    slo.place, f"{label} {why}: each value is a budget of its own", fix, ("group_by", number), label
                )
        for part in written.parts(slo.sli):
            for label in _kept(part.tree):
                why = _why(label)
                if why is not None and label not in slo.group_by:
                    fix = f"take {label} out of `by (...)`; the rules sum over it anyway"
                    yield Spot(slo.place, f"{label} {why}", fix, part.at, label)


def _why(label: str) -> str | None:
    if label in _CHURNING:
        return "changes with each rollout"
    return "has no end of values" if _ENDLESS.fullmatch(label) else None


def _kept(tree: promql.Expr) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in written.nodes(tree):
        if isinstance(node, promql.AggregateExpr) and node.modifier and node.modifier.type is promql.AggModifierType.By:
            found |= dict.fromkeys(node.modifier.labels)
    return tuple(found)


LINT = Lint("sli/unbounded-label", Level.WARNING, "a label without end of values", ask)
