"""Sloth's rules beside ours: what keeps its identity, what changes, and what that does to budget and alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

import promql_parser as ast

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, budget
from llmslo_rulegen.explain import EVENTS, OUTAGES
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import AlertRule, RecordingRule
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.sloth_rules import OldRule, OldSlo
from llmslo_rulegen.tier import Severity, Tier

# Labels by which Sloth knows an SLO: on its alerts they come from the series.
_TOLD = {catalog.SLOTH_ID, catalog.SLOTH_SERVICE, catalog.SLOTH_SLO}
_NOISY = re.compile(r"\b[0-9]+\.[0-9]{12,}\b")
SAME, RELABELLED, GONE, NEW = "same", "relabelled", "gone", "new"


@dataclass(frozen=True, slots=True)
class Record:
    """A record under its old name: `without` and `more` are the labels by which its series differ."""

    name: str
    identity: str  # SAME, RELABELLED, GONE, NEW
    is_expression_kept: bool = False
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert by name and severity; `rules` is how many rules it is now."""

    name: str
    severity: str
    identity: str
    rules: int = 0
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """Seconds until the first alert of a severity at a share of bad events; None: it never fires."""

    severity: str
    bad_share: float
    old_s: float | None
    new_s: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A promise in numbers: percent, seconds, bad events of a million, minutes of total outage."""

    objective: float
    window_s: int
    events: float
    minutes: float


@dataclass(frozen=True, slots=True)
class SloChange:
    """What becomes of one SLO of Sloth's."""

    id: str
    records: tuple[Record, ...]
    alerts: tuple[Alert, ...]
    old: Numbers | None
    new: Numbers
    averages_ratios: bool
    detections: tuple[Detection, ...]
    service: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All SLOs of both files; `gone` and `new` are ids that stand in one of them."""

    changes: tuple[SloChange, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]

    def as_record(self) -> dict[str, object]:
        """Return what `--json` shows of it."""
        return asdict(self)


def compare(old: Sequence[OldSlo], slos: Sequence[Slo]) -> Comparison:
    """Return what changes from `old` to the rules of `slos`, which are told apart by Sloth's id."""
    by_id = {slo.id: slo for slo in slos}
    changes = tuple(_change(one, by_id[one.id]) for one in old if one.id in by_id)
    known = {one.id for one in old}
    gone = tuple(one.id for one in old if one.id not in by_id)
    return Comparison(changes, gone, tuple(slo.id for slo in slos if slo.id not in known))


def _change(old: OldSlo, slo: Slo) -> SloChange:
    rules = [rule for group in groups(slo, sloth=True) for rule in group.rules]
    mine = [rule for rule in rules if isinstance(rule, RecordingRule)]
    theirs = [rule for rule in old.rules if not rule.is_alert]
    names = {rule.name for rule in theirs}
    added = sorted({rule.record for rule in mine} - names)
    objective, window_s = old.objective, old.window_s
    before = _numbers(objective, window_s) if objective is not None and window_s is not None else None
    return SloChange(
        slo.id,
        (*(_record(rule, mine) for rule in theirs), *(Record(name, NEW) for name in added)),
        tuple(_alerts(old, [rule for rule in rules if isinstance(rule, AlertRule)])),
        before,
        _numbers(slo.objective, slo.window.seconds),
        any(_is_average(rule) for rule in theirs),
        tuple(_detections(old, slo)),
        slo.service,
    )


def _record(old: OldRule, mine: Sequence[RecordingRule]) -> Record:
    found = next((rule for rule in mine if rule.record == old.name), None)
    if found is None:
        return Record(old.name, GONE)
    before, after = set(old.labels), set(found.labels)
    without, more = (tuple(sorted(label for label, _ in one)) for one in (before - after, after - before))
    kept = _normal(old.expr) == _normal(found.expr)
    return Record(old.name, RELABELLED if without or more else SAME, kept, without, more)


def _normal(expr: str) -> str:
    """Return an expression in one spelling, whatever its line breaks, matchers' order and noise in its numbers."""
    try:
        text = str(ast.parse(expr).prettify())
    except ValueError:
        text = " ".join(expr.split())
    return _NOISY.sub(lambda match: f"{float(match[0]):.10g}", text)


def _is_average(rule: OldRule) -> bool:
    """Return whether this is Sloth's optimised form, the mean of five-minute ratios (slo-rules 3.5)."""
    return rule.name.startswith(catalog.SLOTH_RATIO) and f"sum_over_time({catalog.SLOTH_RATIO}" in rule.expr


def _alerts(old: OldSlo, mine: Sequence[AlertRule]) -> Iterator[Alert]:
    seen: set[str] = set()
    for rule in (one for one in old.rules if one.is_alert):
        severity = dict(rule.labels).get(catalog.SLOTH_SEVERITY, "")
        same = [
            one for one in mine if one.alert == rule.name and dict(one.labels).get(catalog.SLOTH_SEVERITY) == severity
        ]
        seen |= {f"{one.alert}/{severity}" for one in same}
        if not same:
            yield Alert(rule.name, severity, GONE)
            continue
        # Those that tell the SLO come from the series in Sloth's, from the rule in ours.
        before, after = dict(rule.labels), {label: value for label, value in same[0].labels if label not in _TOLD}
        changed = {label for label in before if before[label] != after.get(label)}
        more = tuple(sorted(label for label in after if label not in before))
        yield Alert(rule.name, severity, RELABELLED if changed else SAME, len(same), tuple(sorted(changed)), more)
    for one in mine:
        severity = dict(one.labels).get(catalog.SLOTH_SEVERITY, "")
        if f"{one.alert}/{severity}" not in seen:
            seen.add(f"{one.alert}/{severity}")
            yield Alert(one.alert, severity, NEW, 1)


def _numbers(objective: Decimal, window_s: int) -> Numbers:
    events, minutes = budget.budget_events(objective, EVENTS), budget.budget_minutes(objective, window_s)
    return Numbers(float(objective), window_s, float(events), float(minutes))


def _detections(old: OldSlo, slo: Slo) -> Iterator[Detection]:
    before, after = old.tiers(), alerts.tiers_of(slo)
    for severity in Severity:
        for share in OUTAGES:
            was = _first(before, severity, share, old.objective)
            yield Detection(severity.value, share, was, _first(after, severity, share, slo.objective))


def _first(tiers: Sequence[Tier], severity: Severity, share: float, objective: Decimal | None) -> float | None:
    if objective is None or objective >= 100:  # noqa: PLR2004 -- percent; without a budget nothing can be burnt
        return None
    found = [budget.detection_s(tier, objective, share) for tier in tiers if tier.severity is severity]
    return min((one for one in found if one is not None), default=None)
