"""Proposals for scripts: seconds, shares and counts."""

from __future__ import annotations

from collections.abc import Iterable

from llmslo_rulegen.derive import reasons
from llmslo_rulegen.derive.history import Span
from llmslo_rulegen.derive.law import Change
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.derive.proposal import Proposal
from llmslo_rulegen.derive.review import Review


def records(found: Iterable[Proposal]) -> list[dict[str, object]]:
    """Return what `--json` shows of proposals and refusals."""
    return [_record(one) for one in found]


def review(one: Review) -> dict[str, object]:
    """Return what `--json` shows of an SLO that was looked at again."""
    return {
        "service": one.slo.service,
        "slo": one.slo.name,
        "verdict": one.verdict.value,
        "objective_percent": float(one.slo.objective),
        "wanted_percent": None if one.wanted is None else float(one.wanted),
        "says": one.says,
    }


def _record(one: Proposal) -> dict[str, object]:
    made = one.outcome
    shared: dict[str, object] = {
        "service": one.service,
        "slo": one.name,
        "sli": one.sli,
        "source": one.source,
        "measured_by": one.seen,
        "select": {label: list(values) for label, values in one.select},
        "untold": list(one.untold),
    }
    if isinstance(made, Refusal):
        return {**shared, "refused": made.why, "events": made.events, "changes": _changes(made, one)}
    found = made.estimate
    aspired = reasons.aspired(made.objective)
    return {
        **shared,
        "refused": None,
        "threshold": made.threshold,
        "threshold_unit": reasons.unit(one) if made.threshold is not None else None,
        "objective_percent": float(made.objective),
        "aspired_percent": None if aspired is None else float(aspired),
        "provisional": made.provisional,
        "begin": reasons.instant(made.kept.span.first),
        "hours": made.kept.span.hours,
        "events": found.events,
        "effective_events": found.effective,
        "bad_share": found.share,
        "bad_share_low": found.low,
        "bad_share_high": found.high,
        "bad_share_next_30d_high": found.future,
        "blocks": found.blocks,
        "block_hours": found.block_h,
        "differs_by_hour": made.season.hourly,
        "differs_by_weekday": made.season.weekly,
        "met": None if one.met is None else {"periods": one.met.met, "of": one.met.of, "unit": one.met.unit},
        "pages_per_30d": None if one.alarms is None else one.alarms.pages_a_month,
        "tickets_per_30d": None if one.alarms is None else one.alarms.tickets_a_month,
        "changes": _changes(made, one),
        "held_out": None
        if one.checked is None
        else {"events": one.checked.events, "bad": one.checked.bad, "holds": one.checked.holds},
    }


def _changes(made: Promise | Refusal, one: Proposal) -> list[dict[str, object]]:
    return [_change(found, one.traffic.history.span) for found in made.changes]


def _change(found: Change, span: Span) -> dict[str, object]:
    return {
        "form": found.form.value,
        "at": reasons.instant(span.first + found.at_h),
        "bad_share_before": found.before,
        "bad_share_after": found.after,
        "chance": found.chance,
    }
