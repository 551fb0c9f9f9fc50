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
from llmslo_rulegen.observed import labels

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def threshold(one: Proposal, made: Promise) -> str:
    """Return why the threshold is where it is; "" where there is none."""
    if made.threshold is None:
        return ""
    shares = made.kept.shares()
    is_above = _is_from_above(one)
    beyond = "were not faster" if is_above else "took longer"
    said = f"{edge(one, made.threshold)}: {percent(made.estimate.share)} {beyond}"
    stricter = made.column + (1 if is_above else -1)
    if 0 <= stricter < len(shares):
        at = edge(one, made.kept.thresholds[stricter])
        said += f"; the next stricter bucket end, {at}, would have {percent(float(shares[stricter]))} bad"
    return said


def objective(made: Promise) -> str:
    """Return why the objective is what it is."""
    found = made.estimate
    said = (
        f"{percent(found.share)} bad, 95 % interval {percent(found.low)} to {percent(found.high)}; the next 30 days may"
        f" reach {percent(found.future)}, hence a budget of {percent(made.budget)}"
    )
    return said + (f", {made.budget / found.share:.1f} times what was bad" if found.share else "")


def sample(made: Promise) -> str:
    """Return how much the events say."""
    found = made.estimate
    return f"{found.events:,} events, worth {found.effective:,.0f} independent ones"


def blocks(made: Promise) -> str:
    """Return how it is known how many independent events they are worth."""
    found = made.estimate
    if found.blocks < interval.FEWEST_BLOCKS:
        clump = f"{interval.ASSUMED_CLUMPING:g} are taken for one independent one"
        return f"so few hours do not show how events clump: {clump}"
    unit = f"{found.block_h // DAY_H} d" if found.block_h % DAY_H == 0 else f"{found.block_h} h"
    return f"intervals are by a bootstrap over {found.blocks} blocks of {unit}"


def kept(one: Proposal) -> str:
    """Return how the baseline itself would have fared."""
    said = ""
    if one.met is not None:
        said = f"met in {one.met.met} of {one.met.of} {one.met.unit}"
    if one.alarms is not None:
        pages, tickets = one.alarms.pages, one.alarms.tickets
        said += f"; its own baseline brings {_a_month(one.alarms.pages_a_month)}"
        said += f" ({pages} in all, and {tickets} tickets)" if pages or tickets else ", no ticket"
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
        f"PROVISIONAL: {promise.FULL_DAYS} days of history are needed to know days and weeks; until then pages are off,"
        " tickets are on"
    )


def aspiration(made: Promise) -> str:
    """Return a stricter objective, of half the budget or less, and what it would take; "" where there is none."""
    stricter = aspired(made.objective)
    if stricter is None:
        return ""
    days = proposal.met(made.kept, made.column, stricter)
    share = made.estimate.share
    need = promise.budget(stricter)
    said = f"aspirational, not promised: {stricter} %, met in {days.met} of {days.of} {days.unit}"
    if share > need:
        said += f"; in all, {percent(1 - need / share)} of the bad events would have to go"
    return f"{said}; {_a_month(alarms.alarms(*made.kept.at(made.column), stricter).pages_a_month)}"


def aspired(objective: Decimal) -> Decimal | None:
    """Return the next objective with half the budget or less."""
    half = promise.budget(objective) / 2 * (1 + 1e-9)
    return next((rung for rung in reversed(promise.LADDER) if promise.budget(rung) <= half), None)


def shared(one: Proposal, made: Promise) -> Iterator[str]:
    """Yield the sentences that are often the same for all promises of a service."""
    yield f"learnt from {length(made.kept.span)}, {period(made.kept.span)}"
    yield blocks(made)
    yield _hours(made.season)
    yield _days(made.season)
    yield from filter(None, (provisional(made), crossing(one), scraped(one)))


def own(one: Proposal, made: Promise) -> Iterator[str]:
    """Yield the others, but those on its threshold and its objective."""
    yield f"{sample(made)}; {kept(one)}"
    for found in _placed(made):
        yield f"WARNING: {found}"
    if made.kept.span.hours < made.history.span.hours:
        yield f"derived from {length(made.kept.span)} after the change only"
    yield from filter(None, (checked(one), *one.untold))


def all_of(one: Proposal, made: Promise) -> Iterator[str]:
    """Yield every sentence on a promise."""
    yield from filter(None, (threshold(one, made), objective(made)))
    yield from own(one, made)
    yield from shared(one, made)


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


def scraped(one: Proposal) -> str:
    """Return the warning where a service is told by a label that only the scrape has; "" where it is not."""
    if one.service_label is None or labels.label(one.source, one.sli, labels.SERVICE) is not None:
        return ""
    return (
        f"WARNING: no label of {one.source} names the service, and several were measured: {one.service_label} is taken"
        " for it, as scrapes of Prometheus mostly have it; see that yours does"
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
    if hours >= 2 * DAY_H:
        return f"{hours // DAY_H} days"
    return f"{hours} hour{'s' if hours != 1 else ''} of the clock"


def _a_month(pages: float) -> str:
    return f"{pages:.2g} pages a month"


def _hours(found: Season) -> str:
    if found.hourly is None:
        return f"whether hours of the day differ is unknown: less than {FEWEST_DAYS} days"
    if not found.hourly:
        return "no difference by hour of the day"
    worst, best = (pick(range(DAY_H), key=found.by_hour.__getitem__) for pick in (max, min))
    return (
        f"by hour of the day from {percent(found.by_hour[best])} bad at {best:02}:00 to"
        f" {percent(found.by_hour[worst])} at {worst:02}:00 UTC"
    )


def _days(found: Season) -> str:
    if found.weekly is None:
        return f"whether days of the week differ is unknown: less than {FEWEST_WEEKS} weeks"
    if not found.weekly:
        return "no difference by day of the week"
    worst, best = (pick(range(WEEK_D), key=found.by_day.__getitem__) for pick in (max, min))
    return (
        f"by day of the week from {percent(found.by_day[best])} on {DAYS[best]} to {percent(found.by_day[worst])}"
        f" on {DAYS[worst]}"
    )


def _is_from_above(one: Proposal) -> bool:
    return one.sli == "throughput"
