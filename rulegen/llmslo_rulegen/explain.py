"""An SLO's numbers in words: what may go wrong, when each alert tells, and what is gone by then."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from llmslo_rulegen import alerts, budget, durations, measures, plot
from llmslo_rulegen.plot import Column, Row
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Slo
from llmslo_rulegen.tier import Severity, Tier

EVENTS = 1_000_000  # what a budget in events is told for
OUTAGES = (0.01, 0.1, 1.0)  # share of bad events
_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MARKS = {Severity.PAGE: "P", Severity.TICKET: "t"}
_ROWS = (
    *(Row("1d", 86400), Row("6h", 21600), Row("2h", 7200), Row("1h", 3600), Row("30m", 1800), Row("10m", 600)),
    *(Row("5m", 300), Row("1m", 60), Row("less", 0)),
)
_TITLE = "time until the first alert (P page, t ticket), by the share of events that is bad"


def text(slo: Slo) -> str:
    """Return paragraphs about one SLO."""
    lines = [f"{slo.id}: {_promise(slo)}", *_indented(slo.description), ""]
    lines += _budget(slo)
    for tier in alerts.tiers_of(slo):
        lines += ["", *_tier(slo, tier)]
    if not alerts.tiers_of(slo):
        lines += ["", "  No burn alert is on."]
    lines += ["", *_indented(_plot(slo))]
    lines.append("  Steady traffic, healthy before; scrape and evaluation come on top.")
    return "\n".join(lines) + "\n"


def record(slo: Slo) -> dict[str, object]:
    """Return the same as data; seconds, shares and events."""
    return {
        "slo": slo.id,
        "objective_percent": float(slo.objective),
        "window_seconds": slo.window.seconds,
        "budget_share": float(slo.budget),
        "budget_events_per_million": float(budget.budget_events(slo.objective, EVENTS)),
        "budget_minutes": float(budget.budget_minutes(slo.objective, slo.window.seconds)),
        "tiers": [_tier_record(slo, tier) for tier in alerts.tiers_of(slo)],
    }


def _tier_record(slo: Slo, tier: Tier) -> dict[str, object]:
    return {
        "tier": tier.name,
        "severity": tier.severity.value,
        "factor": tier.factor,
        "long_seconds": tier.long_s,
        "short_seconds": tier.short_s,
        "min_bad": tier.min_bad,
        "budget_share_at_firing": budget.share_at_firing(tier, slo.window.seconds),
        "detection_seconds": {f"{share:g}": budget.detection_s(tier, slo.objective, share) for share in OUTAGES},
    }


def _promise(slo: Slo) -> str:
    kind = (
        f"each calendar {slo.window.calendar.value} (UTC)"
        if slo.window.calendar
        else f"any {_time(slo.window.seconds)}"
    )
    return f"{_plain(slo.objective)} % of {_events(slo)} are good over {kind}"


def _events(slo: Slo) -> str:
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        return f"what {sli.name} counts ({sli.source}{_limit(sli)})"
    if isinstance(sli, HistogramSli):
        return f"the observations of {sli.selector} up to {sli.threshold:g}"
    if isinstance(sli, EventsSli):
        return "the events of its own expressions"
    return "the evaluations of its own expression (sliced by time: each evaluation counts once, whatever the traffic)"


def _limit(sli: CatalogSli) -> str:
    measure = measures.measure(sli.name, sli.source)
    if sli.threshold is None or measure is None:
        return ""
    return f", within {durations.show(sli.threshold)}" if measure.is_time else f", at {sli.threshold:g}"


def _budget(slo: Slo) -> list[str]:
    events = budget.budget_events(slo.objective, EVENTS)
    minutes = budget.budget_minutes(slo.objective, slo.window.seconds)
    return [
        f"  Budget: {_plain(slo.budget * 100)} % of the events may be bad: {events:,.0f} of {EVENTS:,}.",
        f"  At steady traffic: {_time(float(minutes) * 60)} of total outage ({_plain(round(minutes, 1))} minutes).",
    ]


def _tier(slo: Slo, tier: Tier) -> Iterator[str]:
    share = budget.share_at_firing(tier, slo.window.seconds)
    over = f"over {_time(tier.long_s)} and over {_time(tier.short_s)}"
    yield f"  {tier.name} ({tier.severity.value}): burns {tier.factor:g} times too fast or more, {over}."
    bad_share = _percent(tier.factor * float(slo.budget))
    yield f"    That is {bad_share} bad events; by then {_percent(share)} of the budget is gone."
    if tier.min_bad:
        yield f"    Not before {tier.min_bad} bad events in {_time(tier.long_s)}: fewer are chance."
    for bad in OUTAGES:
        seconds = budget.detection_s(tier, slo.objective, bad)
        told = "never: too slow a burn for this one" if seconds is None else f"after {_time(seconds)}"
        yield f"    {bad:>4.0%} bad: {told}"


def _plot(slo: Slo) -> str:
    columns = []
    for share in _SHARES:
        values = {}
        for severity, mark in _MARKS.items():
            of = [tier for tier in alerts.tiers_of(slo) if tier.severity is severity]
            times = [found for tier in of if (found := budget.detection_s(tier, slo.objective, share)) is not None]
            if times:
                values[mark] = min(times)
        columns.append(Column(f"{share:.1%}".replace(".0%", "%"), values))
    return plot.plot(columns, _ROWS, _TITLE)


def _time(seconds: float) -> str:
    """Return a length to the precision that matters: seconds below ten minutes, minutes above."""
    step = 1 if seconds < 600 else 60  # noqa: PLR2004 -- ten minutes
    return durations.show(max(step, round(seconds / step) * step))


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.splitlines()]
