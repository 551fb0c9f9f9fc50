"""What happens in a test case, event by event, and what the burn tiers must make of it by arithmetic alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import sqrt
from statistics import NormalDist

from llmslo_rulegen.tier import Severity, Tier

# A verdict counts only where it is the same with all windows two scrapes longer or shorter and thresholds 2 % higher or
# lower: Prometheus 2 and 3 differ by the sample at a window's far end, and `increase` guesses what lies beyond it.
SLACK_SCRAPES = 2
SLACK = 0.02
HOUR_S = 3600
LEAST_COVERED = 0.2  # of a window, before its budget may count as spent
MOST_BAD = 1.01  # times total; more is no rounding
HALF_AN_EVENT = 0.5  # the gate of a tier gives way to extrapolation by this much


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
    `window_s`: length of the budget's window; of a calendar window that which holds the tests' first instant.
    """

    tiers: tuple[Tier, ...]
    budget: float
    clock: Clock
    wilson: float | None = None
    window_s: int = 30 * 86_400


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
    patience = {severity: max((t.long_s for t in tiers if t.severity is severity), default=0) for severity in Severity}
    states: list[frozenset[str]] = []
    on: frozenset[str] = frozenset()
    wanted = set(at_s)
    for now in range(0, max(at_s) + 1, clock.tick_s):
        end = clock.steps(now)
        on = frozenset(
            tier.name
            for tier in tiers
            if _starts(promise, flow, end, tier)
            or (tier.name in on and _holds(promise, flow, end, tier, patience[tier.severity]))
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


def _starts(promise: Promise, flow: Flow, end: int, tier: Tier) -> bool:
    long, short = events(flow, end, tier.long_s), events(flow, end, tier.short_s)
    bound = tier.factor * promise.budget
    enough = short.bad > tier.min_bad_short - HALF_AN_EVENT or tier.min_bad_short == 0
    return 0 < short.bad >= bound * short.total and enough and _is_over(long, bound, tier.min_bad, promise.wilson)


def _holds(promise: Promise, flow: Flow, end: int, tier: Tier, patience: int) -> bool:
    """Say whether an alert goes on: still burning, or idle and so for less than `patience` scrapes."""
    short = events(flow, end, tier.short_s)
    burning = short.bad >= tier.factor * promise.budget * short.total
    return (burning or short.total == 0) and events(flow, end, patience).total > 0


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


def covered(promise: Promise, at_s: int) -> float:
    """Return the share of the budget's window that the tests have lasted, at most 1."""
    return min(1.0, at_s / promise.window_s)


def in_window(promise: Promise, flow: Flow, at_s: int) -> Events:
    """Return the events of the budget's window, which begins with a full hour."""
    begin_s = max(0, at_s // HOUR_S * HOUR_S - promise.window_s)
    end = promise.clock.steps(at_s)
    return events(flow, end, end - promise.clock.steps(begin_s))


def spent(promise: Promise, flow: Flow, at_s: int) -> float:
    """Return the share of the budget that is gone: bad / (allowed x total x window / covered)."""
    seen = in_window(promise, flow, at_s)
    return seen.bad / seen.total / promise.budget * covered(promise, at_s) if seen.total else 0.0


def is_exhausted(promise: Promise, flow: Flow, at_s: int) -> bool | None:
    """Say whether the budget is spent and enough of the window covered to say so; None where it is on the brink."""
    sides = [
        spent(promise, flow, at_s) * side >= 1 and covered(promise, at_s) * side >= LEAST_COVERED
        for side in (1 - SLACK, 1 + SLACK)
    ]
    return sides[0] if sides[0] == sides[1] else None


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
