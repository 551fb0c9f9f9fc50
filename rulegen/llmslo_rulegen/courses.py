"""The cases beside the thresholds: quiet and steady times, an incident from begin to end, no data, a spent budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count as count_from

from llmslo_rulegen.cases import ABOVE, BELOW, ESCALATES, MANY, Case, Gone, Late, judged, steady
from llmslo_rulegen.scenarios import SLACK_SCRAPES, Promise, Run, firing, length, merged, repeated
from llmslo_rulegen.tier import Severity

LONGEST_REST_TICKS = 5  # after a recovery: the slow tickets' short windows have cases of their own
LOW_BURN = 0.9
SLICES_S = 600  # of good or of bad minutes
SICK = 1.06  # bad over total, of an SLI that counts wrongly


def usual(promise: Promise) -> Iterator[Case]:
    """Yield what every SLO must be shown to stand: idle and missing data, late series, an incident, replicas."""
    yield from _quiet(promise)
    yield from _late(promise)
    yield from _gone(promise)
    yield from _incident(promise)
    yield from _idle_incident(promise)
    yield from _twice(promise)
    yield from _steady(promise)


def nonsense(promise: Promise) -> Iterator[Case]:
    """Yield the cases of an SLI whose bad events exceed the total: only where they are counted apart."""
    tick = promise.clock.tick_s
    for name, bad in (("more bad events than events", int(SICK * MANY)), ("every event bad", MANY)):
        flow = (Run(promise.clock.steps(3 * tick), MANY, bad),)
        yield Case(name, (flow, (Run(length(flow), MANY),)), (3 * tick,))


def _steady(promise: Promise) -> Iterator[Case]:
    tick = promise.clock.tick_s
    slow, fast = (min(1.0, burn * promise.budget) for burn in (0.9, 1.5))
    flow = (*steady(promise, slow, tick), *steady(promise, fast, 2 * tick, MANY * ESCALATES))
    at = [tick, 2 * tick, 3 * tick]
    for case in judged(promise, "a constant burn of 0.9 fires nothing, of 1.5 pages nobody", flow, at):
        pages = {tier.name for tier in promise.tiers if tier.severity is Severity.PAGE}
        told = [names or frozenset() for names in firing(promise, flow, case.at_s)]
        if not told[0] and not any(names & pages for names in told):  # a team's own tiers may be lower
            yield case


def _quiet(promise: Promise) -> Iterator[Case]:
    clock = promise.clock
    tick = clock.tick_s
    night = (*steady(promise, promise.budget / 2, tick), Run(clock.steps(4 * tick)))
    yield from judged(promise, "an idle night", night, [2 * tick, 5 * tick], (Run(length(night)),))


def _late(promise: Promise) -> Iterator[Case]:
    """The series of bad events is missing until there is one, or that of good ones: nothing but a scrape is lost."""
    clock = promise.clock
    tick = clock.tick_s
    before, after = clock.steps(3 * tick), clock.steps(tick)
    for late, bad, name in (
        (Late.BAD, (0, MANY), "no bad event, then the first ones: their series appears late"),
        (Late.GOOD, (MANY, 0), "every event bad, then the first good ones: their series appears late"),
    ):
        flow = (Run(before, MANY, bad[0]), Run(after, MANY, bad[1]))
        hidden = (Run(before + 1, MANY, bad[0]), Run(after - 1, MANY, bad[1]))  # what the first sample shows
        sides = zip(*(firing(promise, each, [tick, 3 * tick, 4 * tick]) for each in (flow, hidden)), strict=True)
        at = [number * tick for number, (one, two) in zip((1, 3, 4), sides, strict=True) if one == two]
        for case in judged(promise, name, flow, at, (Run(length(flow), MANY, bad[0]),)):
            yield replace(case, late=late, recorded_s=(2 * tick,))


def _incident(promise: Promise) -> Iterator[Case]:
    clock = promise.clock
    tick, one = clock.tick_s, clock.steps(clock.tick_s)
    rest = clock.steps(LONGEST_REST_TICKS * tick)
    flow = (
        Run(4 * one, MANY),
        Run(one // 2, MANY, MANY),
        Run(one - one // 2, MANY, MANY, reset=True),
        Run(2 * one, MANY),
        Run(one // 2, MANY),
        Run(rest, MANY, reset=True),
    )
    at = range(4 * tick, clock.step_s * length(flow) // tick * tick + 1, tick)
    yield from judged(promise, "an outage and its recovery, counters reset in both", flow, at)


def _idle_incident(promise: Promise) -> Iterator[Case]:
    clock = promise.clock
    tick, one = clock.tick_s, clock.steps(clock.tick_s)
    flow = (Run(one, MANY), Run(one, MANY, MANY), Run(4 * one), Run(2 * one, MANY))
    yield from judged(promise, "an outage, idle hours, then good again", flow, range(tick, 8 * tick + 1, tick))


def _twice(promise: Promise) -> Iterator[Case]:
    lowest = min((tier.factor for tier in promise.tiers), default=1.0) * promise.budget
    ticks = 2 * promise.clock.tick_s
    over, under = (steady(promise, share, ticks) for share in (min(1.0, lowest * ABOVE), lowest * BELOW))
    for case in judged(promise, "two processes, each scraped by two replicas", over, [ticks], under):
        yield replace(case, twice=True, recorded_s=case.at_s)


def _gone(promise: Promise) -> Iterator[Case]:
    """The target is down: an alert waits at the first evaluation and fires at the next."""
    clock = promise.clock
    tick, one = clock.tick_s, clock.steps(clock.tick_s)
    flow = (Run(2 * one, MANY), Run(2 * one, gone=True))
    yield Case("the target is down", (flow, flow), (2 * tick, 3 * tick, 4 * tick))


def without_target(promise: Promise) -> Iterator[Case]:
    """Yield the cases of own metrics whose job is taken away, and of a job of which only metrics are known."""
    for case in _gone(promise):
        yield replace(case, name="the whole job is taken away", gone=Gone.JOB)
    clock = promise.clock
    flow = (Run(4 * clock.steps(clock.tick_s), MANY),)
    for case in judged(promise, "metrics without a target, as from another Prometheus", flow, [4 * clock.tick_s]):
        yield replace(case, gone=Gone.JOB)


def without_metrics(promise: Promise) -> Iterator[Case]:
    """Yield the case of a source whose targets answer and expose nothing of it any more."""
    for case in _gone(promise):
        yield replace(case, name="the source's own metrics are gone", gone=Gone.METRICS)


def recorded(promise: Promise) -> Iterator[Case]:
    """Each window holds another share: who reads a wrong one gets a wrong number."""
    clock = promise.clock
    tick = clock.tick_s
    steps = clock.steps(5 * tick)
    parts = (steps // 3, steps // 4, steps - steps // 3 - steps // 4)
    one, other = (
        tuple(
            Run(part, total, round(total * share * promise.budget))
            for part, total, share in zip(parts, (MANY, 3 * MANY, 2 * MANY), shares, strict=True)
        )
        for shares in ((0.9, 0.3, 0.6), (0.6, 0.3, 0.9))
    )
    for case in judged(promise, "what is recorded, at a full hour and at half past", one, [4 * tick, 5 * tick], other):
        yield replace(case, every=True, recorded_s=case.at_s)


def slices(promise: Promise, *, shares: bool) -> Iterator[Case]:
    """Yield the cases of time judged by the minute, evaluated once a minute; `shares`: a minute may be partly bad."""
    clock = promise.clock
    ten, end = clock.steps(SLICES_S), 3 * SLICES_S
    well = (Run(3 * ten, 1),)
    yield from judged(promise, "every minute is good", well, [SLICES_S, end], well)
    yield from judged(promise, "bad from the start", (Run(3 * ten, 1, 1),), [SLICES_S, end], well)
    gates = {gate for tier in promise.tiers for gate in (tier.min_bad, tier.min_bad_short)}
    for least in (1, 5, 20):
        bad = next(n for n in count_from(least) if all(abs(n - gate) > SLACK_SCRAPES for gate in gates))
        flow = merged([Run(ten, 1), Run(bad, 1, 1), Run(4 * ten, 1)])
        at = range(SLICES_S // 2, clock.step_s * length(flow) // SLICES_S * SLICES_S + 1, SLICES_S // 2)
        yield from judged(promise, f"{bad} bad minutes and what follows", flow, at, (Run(length(flow), 1),))
    for apart in (2, 5, 10):
        flow = merged(list(repeated([Run(apart - 1, 1), Run(1, 1, 1)], 3 * ten)))
        yield from judged(promise, f"every {apart}th minute is bad", flow, [SLICES_S, 2 * SLICES_S, end], well)
    for tier in promise.tiers if shares else ():
        bound = tier.factor * promise.budget
        for side, word in ((ABOVE, "above"), (BELOW, "below")):
            flow = (Run(3 * ten, 1, min(1.0, bound * side)),)
            name = f"{tier.name}: minutes just {word} its factor {tier.factor:g}"
            yield from judged(promise, name, flow, [end], well)
    if shares:
        flow = (Run(3 * ten, 1, LOW_BURN * promise.budget),)
        yield from judged(promise, f"a constant burn of {LOW_BURN} fires nothing", flow, [end], well)
