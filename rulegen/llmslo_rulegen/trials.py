"""What a burn tier must be seen to judge, one evaluation at a time: each window, gate and memory from both its sides.

A trial says what happened before an evaluation, and which tiers fired a while before it. Counts are whole and nothing
is estimated, so each stands one event from its threshold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from llmslo_rulegen.scenarios import MEMORY_S, Events, Promise, lower_bound, patience_s
from llmslo_rulegen.tier import Severity, Tier

# Evaluations before this one at which a tier's state may have been written, and the edges of what is remembered.
RECENT_S, OLD_S, TOO_OLD_S = 1800, MEMORY_S - 300, MEMORY_S + 600
MANY, SOME, FEW = 97, 3, 1  # times more events in the rest of the long window than in the short one
MARGIN = 7  # bad events more than a gate asks for
CLEAR = Fraction(3, 10)  # so far from a threshold that no float is on its other side
TRIES = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """`marks`: events, so many seconds before the evaluation. `was`: a tier's state, so many seconds before it.

    `span_s`: what happened longer ago must not matter.
    """

    name: str
    span_s: int
    marks: tuple[tuple[int, Events], ...]
    was: tuple[tuple[str, int, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class _Bench:
    """A tier and the steps in which its windows can be measured."""

    promise: Promise
    tier: Tier
    bound: Fraction
    step_s: int

    def short(self, *, over: bool) -> Events:
        """Return events of the short window, one bad event over its threshold, or just not."""
        total = self._clear(ceil((max(self.tier.min_bad_short, self.tier.min_bad) + MARGIN) / self.bound))
        return Events(total, ceil(self.bound * total) - (not over))

    def rest(self, short: Events, times: int, *, over: bool) -> Events | None:
        """Return events of the rest of the long window, so that all of it is over its threshold, or just not."""
        total = self._clear(int(short.total) * (1 + times))
        bad = self._least_over(total) - (not over) - int(short.bad)
        left = total - int(short.total)
        return Events(left, bad) if 0 <= bad <= left else None

    def marks(self, short: Events, rest: Events) -> tuple[tuple[int, Events], ...]:
        """Return the events, in the middle of the short window and in the middle of what the long one has more."""
        tier, step_s = self.tier, self.step_s
        ago = (tier.short_s // 2 // step_s * step_s, (tier.short_s + tier.long_s) // 2 // step_s * step_s)
        return tuple((at, events) for at, events in zip(ago, (short, rest), strict=True) if events.total)

    def _clear(self, total: int) -> int:
        """Return a number of events of which the threshold is no whole number, not even nearly."""
        missing = (Fraction(1, 2) - self.bound * total) % 1
        nearest = total + int(missing / self.bound)
        return next((n for n in range(nearest, nearest + TRIES) if CLEAR <= self.bound * n % 1 <= 1 - CLEAR), nearest)

    def _least_over(self, total: int) -> int:
        if self.promise.wilson is None:
            return ceil(self.bound * total)
        wilson, bound = self.promise.wilson, float(self.bound)
        return bisect_right(range(total), bound, key=lambda bad: lower_bound(Events(total, bad), wilson))


def trials(promise: Promise, tier: Tier, step_s: int) -> Iterator[Trial]:
    """Yield the trials of one tier; `step_s` divides all windows."""
    bound = Fraction(repr(tier.factor)) * Fraction(repr(round(promise.budget, 12)))
    bench = _Bench(promise, tier, bound, step_s)
    yield from _windows(bench)
    yield from _memory(bench)
    if promise.wilson is None:
        yield from _gates(bench)
    outage = Events(10 * MARGIN + tier.min_bad, 10 * MARGIN + tier.min_bad)
    nothing = Events(0, 0)
    yield Trial("idle of late, all bad before", tier.long_s, bench.marks(nothing, outage))


def _windows(bench: _Bench) -> Iterator[Trial]:
    """Yield what starts an alert; Wilson's bound is asked at few events too."""
    sides = [("over both windows", True, MANY)]
    if bench.promise.wilson is not None:
        sides += [("over both windows, few events", True, FEW), ("over the short window, few events", False, SOME)]
    for name, over, times in sides:
        short = bench.short(over=True)
        rest = bench.rest(short, times, over=over)
        if rest is not None:
            yield Trial(name, bench.tier.long_s, bench.marks(short, rest))


def _memory(bench: _Bench) -> Iterator[Trial]:
    """Yield what keeps an alert that fires and what ends it; where it is off, one window alone does not start it."""
    tier = bench.tier
    high, low = bench.short(over=True), bench.short(over=False)
    burning, over = bench.rest(high, MANY, over=False), bench.rest(low, MANY, over=True)
    if burning is not None:
        marks = bench.marks(high, burning)
        for name, was in (
            ("over the short window only, fired an hour ago", ((OLD_S, True),)),
            ("over the short window only, fired longer ago", ((TOO_OLD_S, True),)),
            ("over the short window only, fired but not of late", ((OLD_S, True), (RECENT_S, False))),
        ):
            yield Trial(name, tier.long_s, marks, tuple((tier.name, ago_s, on) for ago_s, on in was))
    if over is not None:
        fired = ((tier.name, RECENT_S, True),)
        yield Trial("over the long window only, fired of late", tier.long_s, bench.marks(low, over), fired)
        yield Trial("one good event, fired of late", tier.long_s, bench.marks(Events(1, 0), over), fired)


def _gates(bench: _Bench) -> Iterator[Trial]:
    tier = bench.tier
    short, long = tier.min_bad_short, max(tier.min_bad, tier.min_bad_short)
    # A gate lies half an event below its count: what is counted need not be whole.
    enough, lacking = 0.4, 0.6
    for name, in_short, in_long in (
        (f"all bad, {short} in the short window and {long} in the long one", short - enough, long - enough),
        (f"all bad, fewer than {short} in the short window", short - lacking, long + 1),
        (f"all bad, fewer than {long} in the long window", short - enough, long - lacking),
    ):
        if 0 < in_short <= in_long:
            marks = bench.marks(Events(in_short, in_short), Events(in_long - in_short, in_long - in_short))
            yield Trial(name, tier.long_s, marks)


def idle(promise: Promise, severity: Severity, step_s: int) -> Iterator[Trial]:
    """Yield what idleness does to alerts that fire: they last as long as their longest window saw something."""
    tiers = [tier for tier in promise.tiers if tier.severity is severity]
    longest_s = patience_s(promise.tiers, severity)
    fired = tuple((tier.name, RECENT_S, True) for tier in tiers)
    some = Events(1, 0)
    for name, ago_s in (("idle, but not for long", longest_s - step_s), ("idle for too long", longest_s)):
        yield Trial(f"fired, then {name}", longest_s + step_s, ((ago_s, some),), fired)
