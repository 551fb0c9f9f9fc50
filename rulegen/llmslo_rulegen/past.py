"""A long past in few samples, told as Prometheus would hold it: counters, and what was recorded of them hour by hour.

Little happens in it, at single scrapes, and samples are only where somebody looks: a month costs what a day does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from llmslo_exporter import catalog
from llmslo_rulegen.scenarios import DAY_S, HOUR_S, Events

Changes = Mapping[int, float]  # instant in seconds -> the value that a series has from then on


@dataclass(frozen=True, slots=True)
class Past:
    """What happened: `marks` are instant -> events of the scrape at that instant, in order; data begin at `begin_s`."""

    begin_s: int
    instants: tuple[int, ...]
    sums: tuple[Events, ...]  # of everything up to and including that instant, after a first one of nothing

    def between(self, begin_s: float, end_s: float) -> Events:
        """Return the events of (begin, end]."""
        before, until = (self.sums[bisect_right(self.instants, at_s)] for at_s in (begin_s, end_s))
        return Events(until.total - before.total, until.bad - before.bad)

    def counted(self) -> Iterator[tuple[int, Events]]:
        """Yield each instant at which something happened, with what it was."""
        for index, at_s in enumerate(self.instants):
            before, after = self.sums[index : index + 2]
            yield at_s, Events(after.total - before.total, after.bad - before.bad)


def past(begin_s: int, marks: Mapping[int, Events]) -> Past:
    """Return the past of these events."""
    ordered = sorted(marks.items())
    sums = accumulate(
        (events for _, events in ordered),
        lambda one, two: Events(one.total + two.total, one.bad + two.bad),
        initial=Events(0, 0),
    )
    return Past(begin_s, tuple(at_s for at_s, _ in ordered), tuple(sums))


def records(told: Past, pick: str, late_s: Callable[[int], int]) -> Iterator[tuple[str, Changes]]:
    """Yield what is recorded of all events (`pick` is TOTAL) or of the bad ones (BAD), by the ending of its name.

    `late_s`: how long after the end of an hour or a day, an instant, its record is written.
    """
    for ending, length_s in ((catalog.HOUR, HOUR_S), (catalog.DAY, DAY_S)):
        yield ending, {at_s + late_s(at_s): value for at_s, value in _full(told, pick, length_s).items()}
    yield catalog.HOUR_SO_FAR, _running(told, pick, HOUR_S, (told.begin_s, *told.instants))
    hours = {_after(at_s, HOUR_S) for at_s in (told.begin_s, *told.instants)}
    yield catalog.DAY_SO_FAR, _running(told, pick, DAY_S, hours)


def _full(told: Past, pick: str, length_s: int) -> Changes:
    """Return the events of the last full unit."""
    ends = {_after(at_s, length_s) for at_s in told.instants}
    first = _after(told.begin_s, length_s)
    instants = sorted({first, *ends, *(end + length_s for end in ends)})
    return {at_s: _picked(told.between(at_s - length_s, at_s), pick) for at_s in instants}


def _running(told: Past, pick: str, length_s: int, seen: Iterable[int]) -> Changes:
    """Return the events since the last full unit, as known at the instants `seen`."""
    ends = {_after(at_s, length_s) for at_s in told.instants}
    instants = sorted({*seen, *ends})
    return {at_s: _picked(told.between(at_s // length_s * length_s, at_s), pick) for at_s in instants}


def _after(at_s: int, length_s: int) -> int:
    """Return the end of the unit that an instant belongs to: its own end is part of it."""
    return -(-at_s // length_s) * length_s


def _picked(seen: Events, pick: str) -> float:
    return seen.bad if pick == catalog.BAD else seen.total


@dataclass(frozen=True, slots=True)
class Looks:
    """When somebody looks: the samples are `step_s` apart and stand within `spans` of instants, both ends included.

    `own`: instants at which the rules write for themselves.
    """

    step_s: int
    spans: tuple[tuple[int, int], ...]
    own: frozenset[int] = frozenset()

    def text(self, changes: Changes, *, recorded: bool) -> str:
        """Return the samples of a series in promtool's shorthand; empty if nobody sees one."""
        instants = sorted(changes)
        tokens: list[str] = []
        at = 0
        for begin, end, value in self._stretches(instants, changes, self.own if recorded else ()):
            if begin > at:
                tokens.append(_blank(begin - at))
            tokens.append(f"{value:.15g}" + (f"+0x{end - begin}" if end > begin else ""))
            at = end + 1
        return " ".join(tokens)

    def _stretches(
        self, instants: Sequence[int], changes: Changes, without: Collection[int]
    ) -> Iterator[tuple[int, int, float]]:
        """Yield first and last sample and the value of each stretch of one value."""
        gaps = sorted(without)
        for begin_s, end_s in self.spans:
            inside = gaps[bisect_left(gaps, begin_s) : bisect_right(gaps, end_s)]
            changed = instants[bisect_right(instants, begin_s) : bisect_right(instants, end_s)]
            cuts = sorted({begin_s, *changed, *inside, *(gap + self.step_s for gap in inside), end_s + self.step_s})
            for cut, following in pairwise(cuts):
                known = bisect_right(instants, cut)
                if known and cut not in without and cut <= end_s:
                    yield cut // self.step_s, following // self.step_s - 1, changes[instants[known - 1]]


def merged(spans: Iterable[tuple[int, int]], step_s: int) -> tuple[tuple[int, int], ...]:
    """Return spans in order, none of which meets another, none before 0, cut to samples."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        first, last = max(0, -(-begin // step_s) * step_s), end // step_s * step_s
        if found and first <= found[-1][1] + step_s:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        elif last >= first:
            found.append((first, last))
    return tuple(found)


def _blank(count: int) -> str:
    return f"_x{count}" if count > 1 else "_"
