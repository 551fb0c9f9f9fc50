"""The cases of the burn tiers: each factor, window and gate from both of its sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from llmslo_rulegen.scenarios import SLACK_SCRAPES, Flow, Promise, Run, firing, length, merged

MANY = 1_000_000  # events per scrape: one of them is a hundredth of the budget at 99.99 %
ESCALATES = 300  # so many times what has been before it, a burn stands for itself
ABOVE, BELOW = 1.04, 0.96  # of a threshold: twice the slack of a verdict
NEAR = tuple(range(SLACK_SCRAPES + 1, SLACK_SCRAPES + 8))  # scrapes from an edge, nearest first


class Gone(Enum):
    """What is missing where a flow is gone beside its own series."""

    TARGET = "target"  # `up` is 0; another process still shows that the source is alive
    METRICS = "metrics"  # no process shows it; `up` is 1
    JOB = "job"  # there is no `up` at all


class Late(Enum):
    """Whose series come with the first such event: those that other events do not count up."""

    NONE = "none"
    BAD = "bad"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Case:
    """One test: a flow per group (the second one for SLOs with groups) and the instants to look at.

    `every`: all kinds of events, all decoys and records of other SLOs, not one good and one bad kind. `late`: which
    series come late. `twice`: two processes count, each scraped by two
    replicas. `recorded_s`: instants at which the records are looked at too.
    """

    name: str
    flows: tuple[Flow, Flow]
    at_s: tuple[int, ...]
    every: bool = False
    late: Late = Late.NONE
    twice: bool = False
    recorded_s: tuple[int, ...] = ()
    gone: Gone = Gone.TARGET


def gates(promise: Promise) -> Iterator[Case]:
    """Yield the cases with few events: one less than the lowest gate, and as many as it asks for."""
    if promise.wilson is None:
        counts = {tier.min_bad - less for tier in promise.tiers for less in (0, 1) if tier.min_bad}
        for count in sorted(counts)[:2]:
            yield from _few(promise, count)


def steady(promise: Promise, share: float, seconds: float, total: int = MANY) -> Flow:
    """Return a constant bad `share` over `seconds`."""
    return merged([Run(promise.clock.steps(seconds), total, round(share * total))])


def judged(promise: Promise, name: str, flow: Flow, at_s: Sequence[int], other: Flow = ()) -> Iterator[Case]:
    """Yield the case with the instants that are certain for both groups, if any; the other group is healthy."""
    beside = other or (Run(length(flow), MANY, round(promise.budget * MANY / 2)),)
    both = zip(at_s, firing(promise, flow, at_s), firing(promise, beside, at_s), strict=True)
    certain = tuple(at for at, one, two in both if one is not None and two is not None)
    if certain:
        yield Case(name, (flow, beside), certain)


def factors(promise: Promise) -> Iterator[Case]:
    """Yield, for two tiers at a time, burns below and above their factors; each begins to count anew.

    A burn has so many more events than what was before it that the longest window holds nothing else.
    """
    tiers = sorted(promise.tiers, key=lambda tier: tier.factor)
    tick = promise.clock.tick_s
    for pair in filter(None, (tiers[:2], tiers[2:4], *([tier] for tier in tiers[4:]))):
        bounds = [tier.factor * promise.budget for tier in pair]
        shares = [min(1.0, bound * side) for bound in bounds for side in (BELOW, ABOVE)]
        up, down = (
            tuple(
                run for power, share in enumerate(each) for run in steady(promise, share, tick, MANY * ESCALATES**power)
            )
            for each in (shares, shares[::-1])
        )
        at = range(tick, len(shares) * tick + 1, tick)
        name = " and ".join(f"{tier.name}: below and above {tier.factor:g}" for tier in pair)
        for case in judged(promise, name, up, at, down):
            yield replace(case, every=True)


def _few(promise: Promise, bad: int) -> Iterator[Case]:
    """Little happens and far too much of it is bad, for every tier."""
    if bad == 0:
        return
    clock = promise.clock
    steps = max(1, clock.steps(min(clock.tick_s, *(tier.short_s for tier in promise.tiers))) - NEAR[0])
    highest = max(tier.factor for tier in promise.tiers) * promise.budget
    total = max(bad, int(bad / (highest * ABOVE * ABOVE)))
    flow = merged([Run(clock.steps(clock.tick_s) - steps), *_burst(total, bad, steps)])
    yield from judged(promise, f"only {bad} bad events, of {total}", flow, [clock.tick_s])


def _burst(total: int, bad: int, steps: int) -> Iterator[Run]:
    """Yield runs of `steps` scrapes with so many events, as even as whole numbers allow."""
    for step in range(steps):
        yield Run(1, total // steps + (step < total % steps), bad // steps + (step < bad % steps))
