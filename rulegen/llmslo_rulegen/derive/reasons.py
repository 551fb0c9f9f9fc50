"""Why a number is what it is, in words; the same words stand in the file and in the report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from llmslo_rulegen import durations, measures
from llmslo_rulegen.derive import alarms, interval, promise, proposal
from llmslo_rulegen.derive.history import Span
from llmslo_rulegen.derive.interval import DAY_H, WEEK_D
from llmslo_rulegen.derive.law import Change, Form
from llmslo_rulegen.derive.promise import Promise
from llmslo_rulegen.derive.proposal import Proposal
from llmslo_rulegen.derive.seasons import FEWEST_DAYS, FEWEST_WEEKS, Season

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def threshold(one: Proposal, made: Promise) -> str:
    """Return why the threshold is where it is; "" where there is none."""
    if made.threshold is None:
        return ""
    shares = made.kept.shares()
    is_above = _is_from_above(one)
    beyond = "were not faster" if is_above else "took longer"
    said = (
        f"{edge(one, made.threshold)}: the strictest end of a bucket that enough events surely keep;"
        f" {percent(made.estimate.share)} {beyond}"
    )
    stricter = made.column + (1 if is_above else -1)
    if 0 <= stricter < len(shares):
        said += f", and {percent(float(shares[stricter]))} at the next, {edge(one, made.kept.thresholds[stricter])}"
    return said


def objective(made: Promise) -> str:
    """Return why the objective is what it is."""
    found = made.estimate
    said = (
        f"{percent(found.share)} of the events were bad, {percent(found.low)} to {percent(found.high)} with 95 %"
        f" confidence, and the next 30 days may reach {percent(found.future)}: the budget is the next step above it,"
        f" {percent(made.budget)}"
    )
    return said + (f", {made.budget / found.share:.1f} times what was bad" if found.share else "")


def sample(made: Promise) -> str:
    """Return how much there was to learn from."""
    found, span = made.estimate, made.kept.span
    said = f"{found.events:,} events within {length(span)}, {period(span)}"
    if found.blocks < interval.FEWEST_BLOCKS:
        return (
            f"{said}; too few blocks of time to see how they clump, so {interval.ASSUMED_CLUMPING:g} of them are"
            " taken for one independent one"
        )
    unit = f"{found.block_h // DAY_H} d" if found.block_h % DAY_H == 0 else f"{found.block_h} h"
    return f"{said}; worth {found.effective:,.0f} independent ones, by a bootstrap over {found.blocks} blocks of {unit}"


def season(made: Promise) -> str:
    """Return what is known of hours of the day and days of the week."""
    found = made.season
    return f"{_hours(found)}; {_days(found)}"


def kept(one: Proposal, made: Promise) -> str:
    """Return how the baseline itself would have fared."""
    said = ""
    if one.met is not None:
        said = f"met in {one.met.met} of {one.met.of} {one.met.unit}"
    if one.alarms is not None:
        said += (
            f"; its own baseline would have paged {_times(one.alarms.pages_a_month)} a month"
            f" ({one.alarms.pages} pages and {one.alarms.tickets} tickets in {length(made.kept.span)})"
        )
    return said


def checked(one: Proposal) -> str:
    """Return how the promise fared in the time held out; "" where none was."""
    if one.checked is None:
        return ""
    found = one.checked
    if not found.events:
        return f"the {_length_h(found.hours)} held out had no events"
    verdict = "held" if found.holds else "BROKEN"
    return (
        f"{verdict} in the {_length_h(found.hours)} held out: {percent(found.bad / found.events)} of"
        f" {found.events:,} events were bad"
    )


def change(found: Change, span: Span) -> str:
    """Return what changed when."""
    shares = f"from {percent(found.before)} to {percent(found.after)}"
    if found.form is Form.DRIFT:
        return f"the share of bad events drifts {shares} between the halves"
    return f"the share of bad events changed {shares} at {instant(span.first + found.at_h)}"


def provisional(made: Promise) -> str:
    """Return why a promise is provisional; "" where it is not."""
    if not made.provisional:
        return ""
    return (
        f"PROVISIONAL: {length(made.kept.span)} of history, {promise.FULL_DAYS} days are needed to know days and weeks;"
        " its pages are off until then, tickets are on"
    )


def aspiration(made: Promise) -> str:
    """Return a stricter objective, of half the budget or less, and what it would take; "" where there is none."""
    stricter = aspired(made.objective)
    if stricter is None:
        return ""
    days = proposal.met(made.kept, made.column, stricter)
    share = made.estimate.share
    need = promise.budget(stricter)
    said = f"aspirational, not promised: {stricter} % would have been met in {days.met} of {days.of} {days.unit}"
    if share > need:
        said += f"; {percent(1 - need / share)} of the bad events would have to go"
    paged = alarms.alarms(*made.kept.at(made.column), stricter).pages_a_month
    return f"{said}; it would have paged {_times(paged)} a month"


def aspired(objective: Decimal) -> Decimal | None:
    """Return the next objective with half the budget or less."""
    half = promise.budget(objective) / 2 * (1 + 1e-9)
    return next((rung for rung in reversed(promise.LADDER) if promise.budget(rung) <= half), None)


def all_of(one: Proposal, made: Promise) -> Iterator[str]:
    """Yield every sentence on a promise but those on its threshold and its objective."""
    yield sample(made)
    yield season(made)
    yield kept(one, made)
    for found in _placed(made):
        yield f"WARNING: {found}"
    if made.kept.span.hours < made.history.span.hours:
        yield f"derived from {length(made.kept.span)} after the change only"
    yield from filter(None, (provisional(made), checked(one), crossing(one)))
    yield from one.untold


def _placed(made: Promise) -> Iterator[str]:
    """Yield changes with the time at which they were; each is counted from where the one before cut."""
    span = made.history.span
    for found in made.changes:
        yield change(found, span)
        if span.hours - found.at_h >= made.kept.span.hours:
            span = Span(span.first + found.at_h, span.hours - found.at_h)


def crossing(one: Proposal) -> str:
    """Return the warning where another source's metrics stand for what was measured; "" where they do not."""
    if one.source == one.seen:
        return ""
    return (
        f"WARNING: measured by {one.seen}, promised of {one.source}: two sources never measure the same, a span's first"
        " token is not the wire's; derive again from a baseline of its own"
    )


def edge(one: Proposal, value: float) -> str:
    """Return a threshold as an SLO file has it."""
    measure = measures.measure(one.sli, one.source)
    if measure is not None and not measure.is_time:
        return f"{value:g}"
    return durations.show(Decimal(f"{value:.6g}"))


def unit(one: Proposal) -> str:
    """Return the unit of its threshold."""
    measure = measures.measure(one.sli, one.source)
    return "seconds" if measure is None or measure.is_time else "tokens per second"


def percent(share: float) -> str:
    """Return a share in percent, to three digits."""
    return f"{share * 100:.3g} %"


def length(span: Span) -> str:
    """Return how long a history is."""
    return _length_h(span.hours)


def period(span: Span) -> str:
    """Return from when to when a history is, UTC."""
    return f"{instant(span.first)} to {instant(span.first + span.hours)}"


def instant(hour: int) -> str:
    """Return an hour since the epoch as a time, UTC."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:%MZ")


def _length_h(hours: int) -> str:
    return f"{hours // DAY_H} days" if hours >= 2 * DAY_H else f"{hours} hour{'s' if hours != 1 else ''}"


def _times(count: float) -> str:
    return f"{count:.2g} times"


def _hours(found: Season) -> str:
    if found.hourly is None:
        return f"hours of the day unknown (less than {FEWEST_DAYS} days)"
    if not found.hourly:
        return "no difference by hour of the day"
    worst, best = (pick(range(DAY_H), key=found.by_hour.__getitem__) for pick in (max, min))
    return (
        f"by hour of the day from {percent(found.by_hour[best])} bad at {best:02}:00 to"
        f" {percent(found.by_hour[worst])} at {worst:02}:00 UTC"
    )


def _days(found: Season) -> str:
    if found.weekly is None:
        return f"days of the week unknown (less than {FEWEST_WEEKS} weeks)"
    if not found.weekly:
        return "no difference by day of the week"
    worst, best = (pick(range(WEEK_D), key=found.by_day.__getitem__) for pick in (max, min))
    return (
        f"by day of the week from {percent(found.by_day[best])} on {DAYS[best]} to {percent(found.by_day[worst])}"
        f" on {DAYS[worst]}"
    )


def _is_from_above(one: Proposal) -> bool:
    return one.sli == "throughput"
