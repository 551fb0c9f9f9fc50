"""An alert that no route of Alertmanager is about."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints import matching
from llmslo_rulegen.lints.case import Case, Route, Routing
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.rule import AlertRule


def ask(case: Case) -> Iterator[Spot]:
    """Ask Alertmanager's tree where each alert ends: at its root, or at a receiver that tells nobody, it is lost."""
    if case.routing is None:
        return
    for slo in case.slos:
        alerts = [
            rule for group in groups(slo, sloth=case.sloth) for rule in group.rules if isinstance(rule, AlertRule)
        ]
        for rule in alerts:
            labels = {"alertname": rule.alert, **dict(rule.labels)}
            text = _lost(labels, case.routing)
            if text is not None:
                severity = labels.get("severity", "")
                fix = (
                    f'add a route with `matchers: [slo="{slo.name}", severity="{severity}"]` and a receiver that tells'
                )
                yield Spot(slo.place, f"{rule.alert} ({severity}) {text}", fix, ("alerting",))
                break


def _lost(labels: dict[str, str], routing: Routing) -> str | None:
    ends = _ends(routing.root, labels)
    if all(one is routing.root for one in ends):
        return f"meets no route of {routing.file}: its labels are known to the root only"
    if all(one.receiver in routing.silent for one in ends):
        return f"ends at receiver {ends[0].receiver[:80]} of {routing.file}, which tells nobody"
    return None


def _ends(route: Route, labels: dict[str, str]) -> list[Route]:
    """Return where alerts of these labels end; a route further down may continue, which only adds receivers."""
    below = [end for child in route.routes if _takes(child, labels) for end in _ends(child, labels)]
    return below or [route]


def _takes(route: Route, labels: dict[str, str]) -> bool:
    return not any(matching.refuses(matcher, labels.get(matcher.label, "")) for matcher in route.matchers)


LINT = Lint("alert/unrouted", Level.WARNING, "alert labels that the routing does not know", ask, Need.ALERTMANAGER)
