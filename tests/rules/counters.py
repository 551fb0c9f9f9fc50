"""Counters whose every event is known, and what a server that scrapes them gets to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.rules.backend import Series

Counts = npt.NDArray[np.int64]

EPOCH_S = 1_767_571_200  # Monday 2026-01-05 00:00 UTC; all other instants of traffic count from here
SLOT_S = 5  # events are drawn per slot; every instant is a multiple of it
HOUR_S, DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Scrapes:
    """When a target is read: as a real server does, off the full minute. Nothing is read within a gap."""

    interval_s: int = 60
    offset_s: int = 35
    gaps: tuple[tuple[int, int], ...] = ()

    def instants(self, first_s: int, last_s: int) -> Counts:
        """Return the instants of all scrapes in [first, last)."""
        start_s = first_s + (self.offset_s - first_s) % self.interval_s
        found = np.arange(start_s, last_s, self.interval_s, dtype=np.int64)
        for from_s, to_s in self.gaps:
            found = found[(found < from_s) | (found >= to_s)]
        return found


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of one process. `events`: how many in each slot of the whole span.

    The process lives in [born, gone) and starts anew at `resets_s`. `is_lazy`: no series before the first event.
    """

    name: str
    labels: Mapping[str, str]
    events: Counts
    born_s: int = 0
    gone_s: int | None = None
    resets_s: tuple[int, ...] = ()
    is_lazy: bool = False

    @property
    def last_s(self) -> int:
        """The end of its life."""
        return len(self.events) * SLOT_S if self.gone_s is None else self.gone_s


@dataclass(frozen=True, slots=True)
class Shown:
    """Events that the differences between scrapes have shown by each scrape."""

    instants_s: Counts
    events: Counts

    def by(self, at_s: int) -> int:
        """Return how many the last scrape at or before an instant has shown."""
        place = int(np.searchsorted(self.instants_s, at_s, side="right"))
        return int(self.events[place - 1]) if place else 0


class Events:
    """All events of some counters, exactly, and those of them that scrapes showed."""

    def __init__(self, counters: Sequence[Counter], scrapes: Scrapes) -> None:
        total = sum(_living(each) for each in counters)
        self._exact = np.concatenate([np.zeros(1, np.int64), np.cumsum(total)])
        self._shown = [_shown(*_samples(each, scrapes)) for each in counters]

    def exact(self, from_s: int, to_s: int) -> int:
        """Return the events in [from, to)."""
        return int(self._exact[to_s // SLOT_S] - self._exact[max(0, from_s) // SLOT_S])

    def shown(self, from_s: int, to_s: int) -> int:
        """Return the events of a window that scrapes had shown when it ended.

        Missing are those before a series' first sample, between a process' last scrape and its end, and since the
        last scrape.
        """
        return sum(each.by(to_s) - each.by(from_s) for each in self._shown)


class Samples:
    """Events that are samples themselves: a probe's results, one a scrape. All are shown."""

    def __init__(self, instants_s: Counts) -> None:
        self._instants_s = instants_s

    def exact(self, from_s: int, to_s: int) -> int:
        """Return the samples in (from, to], as a range of PromQL has them."""
        first, last = np.searchsorted(self._instants_s, [from_s, to_s], side="right")
        return int(last - first)

    shown = exact


def scraped(counter: Counter, scrapes: Scrapes, **labels: str) -> Series:
    """Return the series that a server stores; `labels` are what it adds."""
    instants_s, values = _samples(counter, scrapes)
    stored = zip((instants_s + EPOCH_S).tolist(), values.tolist(), strict=True)
    return Series(counter.name, {**counter.labels, **labels}, list(stored))


def _living(counter: Counter) -> Counts:
    slots = np.arange(len(counter.events)) * SLOT_S
    return np.where((slots >= counter.born_s) & (slots < counter.last_s), counter.events, 0)


def _samples(counter: Counter, scrapes: Scrapes) -> tuple[Counts, Counts]:
    instants_s = scrapes.instants(counter.born_s, counter.last_s)
    counted = np.concatenate([np.zeros(1, np.int64), np.cumsum(_living(counter))])
    starts_s = np.array([counter.born_s, *counter.resets_s])
    running_since_s = starts_s[np.searchsorted(starts_s, instants_s, side="right") - 1]
    values = counted[instants_s // SLOT_S] - counted[running_since_s // SLOT_S]
    if counter.is_lazy:
        there: Any = values > 0
        return instants_s[there], values[there]
    return instants_s, values


def _shown(instants_s: Counts, values: Counts) -> Shown:
    steps = np.diff(values)
    # As the engine reads a counter: what is less than before has begun again at 0.
    steps = np.where(steps < 0, values[1:], steps)
    return Shown(instants_s, np.concatenate([np.zeros(min(1, len(values)), np.int64), np.cumsum(steps)]))
