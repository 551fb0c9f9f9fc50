"""By which name and labels Prometheus and Alertmanager know a rule, and who shares them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.rule import AlertRule, Labels, RecordingRule, Rule
from llmslo_rulegen.slo import Place

Identity = tuple[str, Labels]


@dataclass(frozen=True, slots=True)
class Doubled:
    """A rule of a team's own file whose identity another one has, and what to do about it."""

    name: str
    place: Place
    fix: str


def doubled(case: Case, kind: type[Rule]) -> Iterator[tuple[Doubled, str]]:
    """Yield each rule of the rule files whose identity one before it has, or a rendered one; and which."""
    if not case.rules:
        return
    seen: dict[Identity, str] = {}
    for slo in case.slos:
        for group in groups(slo, sloth=case.sloth):
            names = (_identity(rule) for rule in group.rules if isinstance(rule, kind))
            seen |= dict.fromkeys(names, f"what is rendered of {slo.id}")
    rendered = frozenset(seen)
    for placed in case.rules:
        if not isinstance(placed.rule, kind):
            continue
        identity = _identity(placed.rule)
        first = seen.setdefault(identity, str(placed.place))
        if first != str(placed.place):
            fix = "take one out, or tell them apart by a label"
            if identity in rendered:
                fix = "take this one out when the rendered rules are loaded"
            yield Doubled(identity[0], placed.place, fix), first


def _identity(rule: Rule) -> Identity:
    if isinstance(rule, RecordingRule):
        return rule.record, tuple(sorted(rule.labels))
    if isinstance(rule, AlertRule):
        return rule.alert, tuple(sorted(rule.labels))
    msg = f"{rule} is no rule"
    raise TypeError(msg)
