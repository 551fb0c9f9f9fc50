"""The cases of the burn tiers: each factor, window and gate from both of its sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import ceil

from llmslo_rulegen.scenarios import SLACK_SCRAPES, Flow, Promise, Run, firing, length, merged, repeated
from llmslo_rulegen.tier import Tier

MANY = 1_000_000  # events per scrape: one of them is a hundredth of the budget at 99.99 %
FEW = 1_000  # events per scrape after, or before, so many that they no longer count
GREAT = 10_000 * MANY  # events per scrape of an outage beside which nothing else counts
ESCALATES = 300  # so many times what has been before it, a burn stands for itself
ABOVE, BELOW = 1.04, 0.96  # of a threshold: twice the slack of a verdict
OUTWEIGHS = 100  # so many times what could turn the ratio the other way
# A window up to this length is bracketed to the scrape, by two flows; a longer one by one flow, to the evaluation.
PAIRED_S = 3600
FAR_APART_S = 6 * 3600  # the longest long window for which lonely bad events are worth the time
NEAR = tuple(range(SLACK_SCRAPES + 1, SLACK_SCRAPES + 8))  # scrapes from an edge, nearest first


class Gone(Enum):
    """What is missing where a flow is gone beside its own series."""

    TARGET = "target"  # `up` is 0; another process still shows that the source is alive
    METRICS = "metrics"  # no process shows it; `up` is 1


@dataclass(frozen=True, slots=True)
class Case:
    """One test: a flow per group (the second one for SLOs with groups) and the instants to look at.

    `every`: all kinds of events, all decoys and records of other SLOs, not one good and one bad kind. `late`: series
    that only bad events count up come with the first bad event. `twice`: two processes count, each scraped by two
    replicas. `recorded_s`: instants at which the records are looked at too.
    """

    name: str
    flows: tuple[Flow, Flow]
    at_s: tuple[int, ...]
    every: bool = False
    late: bool = False
    twice: bool = False
    recorded_s: tuple[int, ...] = ()
    gone: Gone = Gone.TARGET


def windows(promise: Promise) -> Iterator[Case]:
    """Yield the cases of the tiers' windows, but for the long ones that take days."""
    for tier in promise.tiers:
        yield from _long(promise, tier)
        yield from _short(promise, tier)


def gates(promise: Promise) -> Iterator[Case]:
    """Yield the cases with few events: one less than each gate, and as many as it asks for."""
    if promise.wilson is None:
        counts = {tier.min_bad - less for tier in promise.tiers for less in (0, 1) if tier.min_bad}
        for count in sorted(counts):
            yield from _few(promise, count)
        for tier in promise.tiers:
            yield from _gate_short(promise, tier)


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


def _long(promise: Promise, tier: Tier) -> Iterator[Case]:
    """Busy and healthy for one scrape, then a quiet outage: it fires when the busy scrape has left the long window.

    The short window alone is over until then. The longer windows: see `days`.
    """
    if tier.long_s > PAIRED_S:
        return
    clock, steps = promise.clock, promise.clock.steps(tier.long_s)
    busy = ceil(OUTWEIGHS * FEW * steps / (tier.factor * promise.budget))
    end = clock.tick_after(tier.long_s + (NEAR[-1] + 1) * clock.step_s)
    last = clock.steps(end)
    for near in NEAR:
        inside, outside = (
            merged([Run(last - steps + shift - 1), Run(1, busy), Run(steps - shift, FEW, FEW)])
            for shift in (near, -near)
        )
        found = (
            *judged(promise, f"{tier.name}: short and long window", outside, [end], inside),
            *judged(promise, f"{tier.name}: short window only", inside, [end]),
        )
        if len(found) == len((inside, outside)):
            yield from found
            return


def days(promise: Promise) -> Iterator[Case]:
    """Yield the case of all longer long windows: the evaluations before and after a busy minute leaves each of them."""
    clock = promise.clock
    slow = [tier for tier in promise.tiers if tier.long_s > PAIRED_S]
    if not slow:
        return
    highest = max(tier.factor for tier in promise.tiers) * promise.budget
    bad = ceil(min(1.0, (1 + highest) / 2) * FEW)
    longest = max(tier.long_s for tier in slow)
    busy = ceil(OUTWEIGHS * FEW * clock.steps(longest) / (min(tier.factor for tier in slow) * promise.budget))
    ends = [clock.tick_after(tier.long_s) for tier in slow]
    flow = (Run(1, busy), Run(clock.steps(max(ends) + clock.tick_s), FEW, bad))
    at = sorted({end + side for end in ends for side in (-clock.tick_s, clock.tick_s)})
    name = "a busy minute, then a quiet outage: each tier when its long window is rid of it"
    yield from (replace(case, recorded_s=case.at_s[-1:]) for case in judged(promise, name, flow, at))


def _short(promise: Promise, tier: Tier) -> Iterator[Case]:
    """A great outage, then a burn just below the factor: it ends when the outage has left the short window."""
    clock, steps, tick = promise.clock, promise.clock.steps(tier.short_s), promise.clock.tick_s
    end = clock.tick_after(tier.short_s + tick)
    last, one = clock.steps(end), clock.steps(tick)
    after = Run(steps, MANY, int(tier.factor * promise.budget * BELOW * MANY))
    for near in NEAR:
        inside = (Run(last - steps + near, GREAT, GREAT), replace(after, steps=steps - near))
        if steps + near >= one:
            name = f"{tier.name}: an outage leaves the short window, the long one remembers it"
            flow: Flow = (*inside, replace(after, steps=one))
        else:  # once more, greater: it has left just before
            name = f"{tier.name}: an outage in the short window, then in the long one only"
            greater = Run(one - steps - near, ESCALATES * GREAT, ESCALATES * GREAT)
            flow = (*inside, greater, replace(after, steps=steps + near))
        found = (*judged(promise, name, merged(flow), [end, end + tick]),)
        if found and len(found[0].at_s) > 1:
            yield from found
            return


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


def _gate_short(promise: Promise, tier: Tier) -> Iterator[Case]:
    """Bad events far apart: enough of them in the long window, never in the short one, until some come together."""
    clock, apart = promise.clock, tier.min_bad_short - 1
    if apart < 1 or tier.long_s > FAR_APART_S:
        return
    pause = ceil(clock.steps(tier.short_s) / apart) + NEAR[0]
    lonely = [Run(pause - 1), Run(1, 1, 1)]
    end = clock.tick_s + clock.tick_after(clock.step_s * pause * max(tier.min_bad, tier.min_bad_short))
    together = [Run(NEAR[0]), Run(1, tier.min_bad_short, tier.min_bad_short)]
    flow = merged([*repeated(lonely, clock.steps(end) - NEAR[0] - 1), *together])
    name = f"{tier.name}: bad events far apart are not enough, {tier.min_bad_short} in the short window are"
    yield from judged(promise, name, flow, range(clock.tick_s, end + 1, clock.tick_s))
