"""Calls into cells: values wait for a while and are then counted, a batch at a time."""

from __future__ import annotations

from array import array
from collections import Counter

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import OK, Cell, Kind, Quantity, merged, prompt
from llmslo_rulegen.baseline.sketch import Sketch
from llmslo_rulegen.traces.call import Call

HOUR_NS = 3600 * 1_000_000_000
OTHERS = "_other"
MAX_NAME = 256  # characters of a service or a model; a longer one is `_other`
MAX_KINDS = 2000  # strangers name models: what comes after these is summed up as `_other`
_BATCH = 8192  # calls of a cell that wait, 8 bytes a value
FEWEST_TOKENS = 20  # a rate of fewer says nothing; the exporter's throughput asks for as many

_At = tuple[str, str, str, str, str, bool, str, int]  # the fields of a kind, and the hour: a tuple is found faster


class Kinds:
    """The kinds that are told apart: those that came first, `MAX_KINDS` of them, and names of `MAX_NAME` characters."""

    def __init__(self) -> None:
        self._known: set[Kind] = set()

    def admit(self, kind: Kind) -> Kind:
        """Return the kind, or one with `_other` in place of what is not told apart."""
        named = (kind.service, kind.operation, kind.provider, kind.model)
        if max(map(len, named)) > MAX_NAME:
            service, operation, provider, model = (name if len(name) <= MAX_NAME else OTHERS for name in named)
            kind = Kind(kind.source, service, operation, provider, model, kind.stream, kind.prompt)
        if kind in self._known:
            return kind
        if len(self._known) >= MAX_KINDS:
            return Kind(kind.source, OTHERS, OTHERS, OTHERS, OTHERS, kind.stream, kind.prompt)
        self._known.add(kind)
        return kind


class Gathering:
    """Takes calls and gives a baseline; memory is bounded by hours and `MAX_KINDS`."""

    def __init__(self) -> None:
        self._pots: dict[_At, _Pot] = {}
        self._kinds = Kinds()

    def add(self, call: Call) -> None:
        """Count one call in the hour in which it began."""
        size = prompt(call.input_tokens)
        hour = call.start_ns // HOUR_NS
        at = (call.source, call.service, call.operation, call.provider, call.model, call.stream, size, hour)
        pot = self._pots.get(at)
        if pot is None:
            pot = self._admit(Kind(*at[:-1]), hour)
        pot.add(call)

    def baseline(self) -> Baseline:
        """Return what was gathered."""
        return Baseline({(Kind(*at[:-1]), at[-1]): pot.cell() for at, pot in self._pots.items()})

    def _admit(self, kind: Kind, hour: int) -> _Pot:
        kind = self._kinds.admit(kind)
        at = (kind.source, kind.service, kind.operation, kind.provider, kind.model, kind.stream, kind.prompt, hour)
        return self._pots.setdefault(at, _Pot())


class _Pot:
    """A cell that is still filled."""

    __slots__ = ("_cell", "_finishes", "_outcomes", "_values", "_waiting")

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._finishes: Counter[str] = Counter()
        self._values = tuple(array("d") for _ in Quantity)  # in their order
        self._waiting = 0
        self._cell = Cell((), ())

    def add(self, call: Call) -> None:
        duration, first, per_token, rate, asked, answered = self._values
        error, tpot_s, output = call.error, call.tpot_s, call.output_tokens
        self._outcomes[error or OK] += 1
        if call.finish:
            self._finishes[call.finish] += 1
        if not error:
            duration.append(call.duration_s)
        if call.ttft_s is not None:
            first.append(call.ttft_s)
        if tpot_s is not None:
            per_token.append(tpot_s)
            if output is not None and output >= FEWEST_TOKENS and tpot_s > 0:
                rate.append(1 / tpot_s)
        if call.input_tokens is not None:
            asked.append(call.input_tokens)
        if output is not None:
            answered.append(output)
        self._waiting += 1
        if self._waiting >= _BATCH:
            self._count()

    def cell(self) -> Cell:
        self._count()
        return self._cell

    def _count(self) -> None:
        found = zip(Quantity, self._values, strict=True)
        spreads = tuple((quantity, Sketch.of(values)) for quantity, values in found if values)
        waiting = Cell(tuple(sorted(self._outcomes.items())), spreads, tuple(sorted(self._finishes.items())))
        self._cell = merged((self._cell, waiting)) if self._cell.outcomes else waiting
        self._waiting = 0
        self._outcomes.clear()
        self._finishes.clear()
        for values in self._values:
            del values[:]
