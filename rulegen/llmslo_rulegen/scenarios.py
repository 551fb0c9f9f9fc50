"""What happens in a test case, event by event, and what the burn tiers must make of it by arithmetic alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import sqrt
from statistics import NormalDist

from llmslo_rulegen.slo import Window
from llmslo_rulegen.tier import Severity, Tier

# A verdict counts only where it is the same with all windows two scrapes longer or shorter and thresholds 2 % higher or
# lower: Prometheus 2 and 3 differ by the sample at a window's far end, and `increase` guesses what lies beyond it.
SLACK_SCRAPES = 2
SLACK = 0.02
HOUR_S, DAY_S = 3600, 86_400
LEAST_COVERED = 0.2  # of a window, before its budget may count as spent
MOST_BAD = 1.01  # times total; more is no rounding
HALF_AN_EVENT = 0.5  # the gate of a tier gives way to extrapolation by this much
MONTH = Window(30 * DAY_S)
MEMORY_S = 65 * 60  # what a tier was longer ago is forgotten


@dataclass(frozen=True, slots=True)
class Run:
    """`steps` scrapes, before each of which `total` events happened, `bad` of them bad.

    `reset`: the process was restarted at its begin, counters start again at 0. `gone`: the series are not there.
    """

    steps: int
    total: int = 0
    bad: float = 0  # a share of a slice of time need not be whole
    reset: bool = False
    gone: bool = False


Flow = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """The scrapes are `step_s` apart, the rules are evaluated every `tick_s`, a multiple of it."""

    step_s: int
    tick_s: int

    def steps(self, seconds: float) -> int:
        """Return the whole number of scrapes in `seconds`."""
        return int(seconds // self.step_s)

    def tick_after(self, seconds: float) -> int:
        """Return the first evaluation at or after `seconds`."""
        return -int(-seconds // self.tick_s) * self.tick_s


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a span of time."""

    total: float
    bad: float


_Sums = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]
_MOST_SUMS = 256
_known: dict[int, tuple[Flow, _Sums]] = {}  # by identity: to hash a flow takes longer than all else


def _sums(flow: Flow) -> _Sums:
    """Return, run by run, where each ends, and total and bad events until then."""
    found = _known.get(id(flow))
    if found is None or found[0] is not flow:
        if len(_known) >= _MOST_SUMS:
            _known.clear()
        ends = tuple(accumulate((run.steps for run in flow), initial=0))
        total = tuple(accumulate((run.steps * run.total for run in flow), initial=0))
        bad = tuple(accumulate((run.steps * run.bad for run in flow), initial=0))
        found = _known[id(flow)] = flow, (ends, total, bad)
    return found[1]


def _until(flow: Flow, step: int) -> tuple[int, float]:
    """Return total and bad events up to and including scrape number `step`."""
    ends, total, bad = _sums(flow)
    index = max(bisect_left(ends, step), 1) - 1
    if index == len(flow):
        return total[-1], bad[-1]
    into = max(0, step - ends[index])
    return total[index] + into * flow[index].total, bad[index] + into * flow[index].bad


def events(flow: Flow, end: int, steps: int) -> Events:
    """Return the events of the `steps` scrapes up to scrape number `end`."""
    last, first = _until(flow, end), _until(flow, end - steps)
    return Events(last[0] - first[0], last[1] - first[1])


def length(flow: Flow) -> int:
    """Return how many scrapes the flow lasts."""
    return sum(run.steps for run in flow)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to be a little off: so many scrapes more in each window, thresholds higher by a share."""

    scrapes: int = 0
    share: float = 0.0


VARIANTS = (
    Variant(),
    *(Variant(scrapes, share) for scrapes in (-SLACK_SCRAPES, SLACK_SCRAPES) for share in (-SLACK, SLACK)),
)


@dataclass(frozen=True, slots=True)
class Promise:
    """What an SLO's tiers are judged by: `budget` is the share of events that may be bad.

    `wilson`: instead of a tier's gate, the lower bound of the long window's bad share at this confidence is compared.
    `window`: the budget's.
    """

    tiers: tuple[Tier, ...]
    budget: float
    clock: Clock
    wilson: float | None = None
    window: Window = MONTH


def firing(promise: Promise, flow: Flow, at_s: Sequence[int]) -> list[frozenset[str] | None]:
    """Return, for each instant of `at_s` (ascending), which tiers fire; None where the answer hangs on a sample.

    A tier starts when bad events are `factor` x `budget` of all or more, and pass its gates, over both windows; it ends
    with the first evaluation at which a short window with events is within bounds, or when the longest window of its
    severity has no events at all.
    """
    return list(_firing(promise, flow, tuple(at_s)))


@lru_cache(maxsize=4096)  # SLOs of one objective and window have the same cases
def _firing(promise: Promise, flow: Flow, at_s: tuple[int, ...]) -> tuple[frozenset[str] | None, ...]:
    told = [_states(promise, flow, at_s, variant) for variant in VARIANTS]
    return tuple(states[0] if all(each == states[0] for each in states) else None for states in zip(*told, strict=True))


def _states(promise: Promise, flow: Flow, at_s: Sequence[int], variant: Variant) -> list[frozenset[str]]:
    clock = promise.clock
    tiers = [_off(tier, promise, variant) for tier in promise.tiers]
    patience = {severity: patience_s(tiers, severity) for severity in Severity}
    states: list[frozenset[str]] = []
    on: frozenset[str] = frozenset()
    wanted = set(at_s)
    for now in range(0, max(at_s) + 1, clock.tick_s):
        end = clock.steps(now)
        on = frozenset(
            tier.name
            for tier in tiers
            if starts(promise, tier, short := events(flow, end, tier.short_s), events(flow, end, tier.long_s))
            or (tier.name in on and holds(promise, tier, short, events(flow, end, patience[tier.severity])))
        )
        if now in wanted:
            states.append(on)
    return states


def _off(tier: Tier, promise: Promise, variant: Variant) -> Tier:
    """Return the tier with windows in scrapes; a threshold near 1 is raised half the way only: an outage passes it."""
    steps = promise.clock.steps
    highest = (tier.factor + 1 / promise.budget) / 2
    return replace(
        tier,
        factor=min(tier.factor * (1 + variant.share), highest),
        long_s=steps(tier.long_s) + variant.scrapes,
        short_s=steps(tier.short_s) + variant.scrapes,
    )


def starts(promise: Promise, tier: Tier, short: Events, long: Events) -> bool:
    """Say whether a tier starts to fire, from what its windows hold."""
    bound = tier.factor * promise.budget
    enough = short.bad > tier.min_bad_short - HALF_AN_EVENT or tier.min_bad_short == 0
    return 0 < short.bad >= bound * short.total and enough and _is_over(long, bound, tier.min_bad, promise.wilson)


def holds(promise: Promise, tier: Tier, short: Events, longest: Events) -> bool:
    """Say whether an alert goes on: still burning, or idle while the longest window of its severity is not."""
    burning = short.bad >= tier.factor * promise.budget * short.total
    return (burning or short.total == 0) and longest.total > 0


def judged(promise: Promise, window: Callable[[int], Events], fired: Collection[str]) -> frozenset[str]:
    """Return the tiers that fire where `window` holds what happened in the last seconds, and `fired` did before."""
    return frozenset(
        tier.name
        for tier in promise.tiers
        if starts(promise, tier, short := window(tier.short_s), window(tier.long_s))
        or (tier.name in fired and holds(promise, tier, short, window(patience_s(promise.tiers, tier.severity))))
    )


def patience_s(tiers: Sequence[Tier], severity: Severity) -> int:
    """Return the longest window of a severity: how long its alerts outlive idleness."""
    return max((tier.long_s for tier in tiers if tier.severity is severity), default=0)


def _is_over(long: Events, bound: float, min_bad: int, wilson: float | None) -> bool:
    if wilson is None:
        return long.bad >= bound * long.total and (min_bad == 0 or long.bad > min_bad - HALF_AN_EVENT)
    return long.total > 0 and lower_bound(long, wilson) >= bound


def lower_bound(seen: Events, confidence: float) -> float:
    """Return Wilson's lower bound of the bad share, two-sided: at 0.95 its z is 1.96."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, z2n = seen.bad / seen.total, z * z / seen.total
    spread = z * sqrt(share * (1 - share) / seen.total + z2n / (4 * seen.total))
    return (share + z2n / 2 - spread) / (1 + z2n)


def between(clock: Clock, flow: Flow, begin_s: float, end_s: float) -> Events:
    """Return the events of the scrapes in (begin, end]."""
    return events(flow, clock.steps(end_s), -int(-(end_s - begin_s) // clock.step_s))


def is_nonsense(promise: Promise, flow: Flow, at_s: int) -> bool:
    """Say whether there were clearly more bad events than events within the hour."""
    seen = events(flow, promise.clock.steps(at_s), promise.clock.steps(HOUR_S))
    return seen.bad > (MOST_BAD + SLACK) * seen.total


def is_gone(promise: Promise, flow: Flow, at_s: int) -> bool:
    """Say whether the series were gone at this evaluation and at the one before: longer than an alert waits."""
    return all(_run_at(flow, promise.clock.steps(at)).gone for at in (at_s - promise.clock.tick_s, at_s))


def _run_at(flow: Flow, step: int) -> Run:
    """Return the run that scrape number `step` belongs to."""
    ends = _sums(flow)[0]
    return next((run for run, end in zip(flow, ends[1:], strict=True) if step <= end), flow[-1])


def merged(runs: Sequence[Run]) -> Flow:
    """Return the runs as a flow without empty ones."""
    return tuple(run for run in runs if run.steps > 0)


def repeated(runs: Sequence[Run], steps: int) -> Iterator[Run]:
    """Yield `runs` again and again for `steps` scrapes in all."""
    left = steps
    while left > 0:
        for run in runs:
            if left > 0:
                yield replace(run, steps=min(run.steps, left))
                left -= run.steps
