"""Calls of spans as the counters that their source would have exposed, read by a server at its scrapes.

A call counts when it ends. Its series begins with its first call, as a counter of that label set does: a server that
finds it at 1 for the first time cannot know that it was 0 before. Our exporter shows all outcomes of a label set at
once; then only its first call is hidden. Each service is one target that never restarts and never is away.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from llmslo_exporter import catalog
from llmslo_rulegen import events
from llmslo_rulegen.backtest import exposed
from llmslo_rulegen.backtest.exposed import Counter
from llmslo_rulegen.backtest.points import Instants, Points
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Labels, labels
from llmslo_rulegen.observed import labels as observed_labels
from llmslo_rulegen.observed.slis import Reading, reading
from llmslo_rulegen.slo import CatalogSli
from llmslo_rulegen.traces.call import Call

MOST_SAMPLES = 60_000_000  # of all series of an SLO: half a gigabyte
_MS, _NS_A_MS = 1000, 1_000_000
_NOTHING, _GOOD, _BAD = 0, 1, 2
_FIELDS = ("service", "operation", "provider", "model", "stream")


@dataclass(frozen=True, slots=True)
class Measured:
    """What is counted of calls: an SLI of a source, with its threshold."""

    source: str
    name: str
    threshold: float | None

    @property
    def sli(self) -> catalog.Sli:
        return events.source(self.source).sli(self.name)

    @property
    def reading(self) -> Reading | None:
        """Return how it reads a call; None: spans do not tell it."""
        return reading(self.source, self.name)


def measured(sli: CatalogSli) -> Measured:
    """Return what an SLI counts."""
    return Measured(
        sli.source, sli.name, sli.threshold if sli.threshold is not None else events.definition(sli).threshold
    )


@dataclass(slots=True)
class Tally:
    """Calls in columns: some 14 bytes each, and one more for each thing that is measured."""

    wanted: Sequence[Measured]
    cross_source: bool = False  # count calls of any source as if the SLI's own had seen them
    kinds: dict[tuple[object, ...], int] = field(default_factory=dict)
    _end_ms: array[int] = field(default_factory=lambda: array("q"))
    _kind: array[int] = field(default_factory=lambda: array("L"))
    _judges: list[tuple[Measured, Reading, array[int]]] = field(init=False)

    def __post_init__(self) -> None:
        self._judges = [(each, each.reading, array("b")) for each in self.wanted if each.reading]

    def add(self, call: Call) -> None:
        """Take one call."""
        own = (call.service, call.operation, call.provider, call.model, call.stream, call.source, call.error)
        self._kind.append(self.kinds.setdefault(own, len(self.kinds)))
        self._end_ms.append((call.start_ns + round(call.duration_s * 1e9)) // _NS_A_MS)
        for each, judge, column in self._judges:
            counts = self.cross_source or call.source == each.source
            found = judge.is_good(call, each.threshold) if counts else None
            column.append(_NOTHING if found is None else _GOOD if found else _BAD)

    def __len__(self) -> int:
        return len(self._kind)

    @property
    def span_ms(self) -> tuple[int, int]:
        """The instants at which the first and the last call ended."""
        ends = np.frombuffer(self._end_ms, np.int64)
        return int(ends.min()), int(ends.max())

    @property
    def services(self) -> tuple[str, ...]:
        """The services of all calls."""
        return tuple(sorted({str(kind[0]) for kind in self.kinds}))

    def counted(self, what: Measured) -> int:
        """Return how many calls are events of what is measured."""
        return len(self) - self._column(what).count(_NOTHING)

    def store(self, what: Measured, scrapes: Instants) -> Store:
        """Return all that the rules of an SLI read, as scraped; raises UnsupportedError where that is too much."""
        series = dict(self._series(what, scrapes))
        targets = {_target(str(kind[0])) for kind in self.kinds}
        if (len(series) + 1) * len(scrapes) > MOST_SAMPLES:
            msg = f"{len(series)} series of {len(scrapes)} scrapes are too much: narrow the time with --from and --to"
            raise UnsupportedError(msg)
        always = Points(scrapes, np.ones(len(scrapes)))
        lives = events.source(what.source).liveness
        own = ((labels((*target, (NAME, name))), always) for target in targets for name in ("up", lives))
        return Store((*series.items(), *own))

    def _series(self, what: Measured, scrapes: Instants) -> Iterator[tuple[Labels, Points]]:
        grown: dict[Labels, Instants] = {}
        born: dict[Labels, int] = {}
        for key, instants in self._raised(what):
            if key not in born:
                grown[key], born[key] = np.zeros(len(scrapes), np.int64), (1 << 62)
            if len(instants):
                grown[key] += np.searchsorted(instants, scrapes, side="right")
            born[key] = min(born[key], int(instants[0]) if len(instants) else born[key])
        for key, first_ms in self._births(what).items():
            if key in born:
                born[key] = min(born[key], first_ms)
            elif (len(grown) + 1) * len(scrapes) <= MOST_SAMPLES:
                grown[key], born[key] = np.zeros(len(scrapes), np.int64), first_ms
        for key, values in grown.items():
            place = int(np.searchsorted(scrapes, born[key], side="left"))
            yield key, Points(scrapes[place:], values[place:].astype(np.float64))

    def _raised(self, what: Measured) -> Iterator[tuple[Labels, Instants]]:
        """Yield series and the instants at which they grow, in order."""
        for kind, code, instants in self._events(what):
            for counter in _counters(what, kind, code):
                yield _key(what, kind, counter), instants

    def _births(self, what: Measured) -> dict[Labels, int]:
        """Return since when series are shown that others of their label set bring along."""
        found: dict[Labels, int] = {}
        known: dict[tuple[object, ...], int] = {}  # who calls, since when
        raised: dict[tuple[object, ...], set[Labels]] = {}
        for kind, code, instants in self._events(what):
            first_ms = int(instants[0])
            who = kind[: len(_FIELDS)]
            known[who] = min(known.get(who, first_ms), first_ms)
            for counter in _counters(what, kind, code):
                raised.setdefault(who, set()).add(_key(what, kind, counter))
                for other in exposed.beside(what.sli, what.threshold, counter):
                    key = _key(what, kind, other)
                    found[key] = min(found.get(key, first_ms), first_ms)
        if what.source == catalog.OWN:
            for who, keys in raised.items():
                found |= {key: min(found.get(key, known[who]), known[who]) for key in keys}
        return found

    def _events(self, what: Measured) -> Iterator[tuple[tuple[object, ...], int, Instants]]:
        """Yield, per kind of call and verdict, when such calls ended, in order."""
        judged = np.frombuffer(self._column(what), np.int8)
        ends = np.frombuffer(self._end_ms, np.int64)
        group = np.frombuffer(self._kind, np.dtype(f"u{self._kind.itemsize}")).astype(np.int64) * 3 + judged
        order = np.lexsort((ends, group))
        sorted_groups = group[order]
        kinds = list(self.kinds)
        edges = np.flatnonzero(np.diff(sorted_groups, prepend=-1, append=-1))
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kind, code = divmod(int(sorted_groups[begin]), 3)
            if code != _NOTHING:
                yield kinds[kind], code, ends[order[begin:end]]

    def _column(self, what: Measured) -> array[int]:
        return next(column for each, _, column in self._judges if each == what)


def scrapes(begin_ms: int, end_ms: int, scrape_s: int) -> Instants:
    """Return the instants of scrapes, at multiples of their interval, from the one at or before the begin on.

    Raises UnsupportedError where they are too many.
    """
    step = scrape_s * _MS
    if (end_ms - begin_ms) // step > MOST_SAMPLES:
        msg = f"{(end_ms - begin_ms) // step} scrapes are too many: narrow the time with --from and --to"
        raise UnsupportedError(msg)
    return np.arange(begin_ms // step * step, end_ms + 1, step, dtype=np.int64)


def _counters(what: Measured, kind: tuple[object, ...], code: int) -> tuple[Counter, ...]:
    return exposed.raised(what.sli, what.threshold, str(kind[-1]), is_good=code == _GOOD)


def _key(what: Measured, kind: tuple[object, ...], counter: Counter) -> Labels:
    named = {
        name: observed_labels.text(value)
        for field_name, value in zip(_FIELDS, kind, strict=False)
        if (name := observed_labels.label(what.source, what.name, field_name)) is not None
    }
    if what.source in catalog.ONE_OF:
        one_of, value = catalog.ONE_OF[what.source]
        named[one_of.name] = value
    return labels({**dict(_target(str(kind[0]))), **named, **dict(counter.key)}.items())


def _target(service: str) -> Labels:
    return labels([("job", service), ("instance", service)])


def tallied(calls: Iterable[Call], wanted: Sequence[Measured], *, cross_source: bool) -> Tally:
    """Return calls in columns."""
    found = Tally(wanted, cross_source)
    for call in calls:
        found.add(call)
    return found


def told_labels(source: str, name: str) -> frozenset[str]:
    """Return the labels by which spans can tell calls apart, as an SLI of a source has them."""
    told = {observed_labels.label(source, name, each) for each in _FIELDS}
    fixed = {catalog.ONE_OF[source][0].name} if source in catalog.ONE_OF else set()
    return frozenset({"job", "instance", *fixed, *(each for each in told if each)})
