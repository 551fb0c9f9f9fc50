"""The outline of what was rendered: told from its rules alone, as Prometheus has them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from llmslo_exporter import catalog
from llmslo_rulegen import durations
from llmslo_rulegen.outline import Fact, Outline, named
from llmslo_rulegen.rule import AlertRule, Group, RecordingRule, Rule
from llmslo_rulegen.slo import Calendar, Window
from llmslo_rulegen.tier import Severity, Tier

_PREFIX = "slo-"  # of our groups
_OWN = frozenset(catalog.RESERVED_LABELS)
_MADE = ("title", "summary")  # annotations that follow from the rest
_KEYS = {name: name for name in ("description", "runbook_url", "dashboard_url")}
_BY_WINDOW = (f"{catalog.BAD}{catalog.INCREASE}", f"{catalog.TOTAL}{catalog.INCREASE}", catalog.SLOTH_RATIO)
_COUNTED = {f"{catalog.BAD}{catalog.HOUR}": "bad", f"{catalog.TOTAL}{catalog.HOUR}": "total"}
_CALENDAR_S = {Calendar.WEEK: 7 * 86_400, Calendar.MONTH: 31 * 86_400, Calendar.QUARTER: 92 * 86_400}


def of_groups(groups: Iterable[Group], file: str) -> Iterator[Outline]:
    """Yield an outline for each group of ours; others are left out, as is one that lost what tells its promise."""
    for group in groups:
        info = next((rule for rule in group.rules if _name(rule) == catalog.INFO), None)
        if info is None or not group.name.startswith(_PREFIX):
            continue
        labels = dict(info.labels)
        objective, window = _number(labels.get(catalog.OBJECTIVE, "")), _window(labels.get(catalog.WINDOW_LABEL, ""))
        if objective is not None and window is not None:
            yield Outline(
                id=group.name.removeprefix(_PREFIX),
                place=file,
                objective=objective,
                window=window,
                tiers=tuple(_tiers(group)),
                facts=tuple(_facts(group, labels)),
                rules=tuple(named(rule) for rule in group.rules),
            )


def _facts(group: Group, info: dict[str, str]) -> Iterator[Fact]:
    alerts = [rule for rule in group.rules if isinstance(rule, AlertRule)]
    for rule in group.rules:
        if _name(rule) in _COUNTED:
            yield Fact(_COUNTED[_name(rule)], "", rule.expr)
    yield from (Fact("alert", "", name) for name in dict.fromkeys(one.alert for one in alerts if _is_burn(one)))
    yield from (Fact("label", name, value) for name, value in sorted(info.items()) if name not in _OWN)
    labels = {
        pair
        for one in alerts
        for pair in one.labels
        if pair[0] not in _OWN and info.get(pair[0]) != pair[1] and not pair[0].startswith(catalog.SLOTH_PREFIX)
    }
    yield from (Fact("alert label", name, value) for name, value in sorted(labels))
    said = {pair for one in alerts for pair in one.annotations if pair[0] not in _MADE}
    yield from (
        Fact(_KEYS.get(name, "annotation"), "" if name in _KEYS else name, value) for name, value in sorted(said)
    )
    names = {_name(rule) for rule in group.rules if isinstance(rule, RecordingRule)}
    yield from (Fact("record", name, "there") for name in sorted(names) if not name.startswith(_BY_WINDOW))
    every = "\0".join(f"{_name(rule)}\0{rule.expr}\0{rule.labels}" for rule in group.rules)
    yield Fact("expressions", "", hashlib.sha256(every.encode(errors="replace")).hexdigest()[:12])


def _is_burn(rule: AlertRule) -> bool:
    return catalog.TIER in dict(rule.labels)


def _tiers(group: Group) -> Iterator[Tier]:
    firing = {dict(rule.labels).get(catalog.TIER): rule.expr for rule in group.rules if _name(rule) == catalog.FIRING}
    for rule in group.rules:
        labels = dict(rule.labels) if isinstance(rule, AlertRule) else {}
        long_s, short_s = (
            durations.parse(labels.get(name, "")) for name in (catalog.LONG_WINDOW, catalog.SHORT_WINDOW)
        )
        factor = _number(labels.get(catalog.BURN_RATE, ""))
        severities = [one for one in Severity if one.value == labels.get(catalog.SEVERITY)]
        if long_s and short_s and factor is not None and severities and catalog.TIER in labels:
            expression = firing.get(labels[catalog.TIER], "")
            gates = [_gate(expression, labels[name]) for name in (catalog.LONG_WINDOW, catalog.SHORT_WINDOW)]
            yield Tier(labels[catalog.TIER], severities[0], float(factor), int(long_s), int(short_s), *gates)


def _gate(expression: str, window: str) -> int:
    """Return the least count of bad events that a state asks for over a window; 0 where it asks for none."""
    found = re.search(rf"{re.escape(catalog.BAD + catalog.INCREASE + window)}\{{[^}}]*\}} > (\d+)\.5", expression)
    return int(found[1]) + 1 if found else 0


def _name(rule: Rule) -> str:
    return rule.record if isinstance(rule, RecordingRule) else rule.alert


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _window(text: str) -> Window | None:
    for calendar, seconds in _CALENDAR_S.items():
        if text == calendar.value:
            return Window(seconds, calendar)
    length = durations.parse(text)
    return Window(int(length)) if length else None
