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
MAX_KINDS = 2000  # strangers name models: what comes after these is summed up as `_other`
_BATCH = 8192  # values of a cell that wait, 8 bytes each
FEWEST_TOKENS = 20  # a rate of fewer says nothing; the exporter's throughput asks for as many

_Named = tuple[str, str, str, str, str, bool, str]


class Gathering:
    """Takes calls and gives a baseline; memory is bounded by hours and `MAX_KINDS`."""

    def __init__(self) -> None:
        self._pots: dict[tuple[Kind, int], _Pot] = {}
        self._kinds: dict[_Named, Kind] = {}

    def add(self, call: Call) -> None:
        """Count one call in the hour in which it began."""
        named = (
            call.source,
            call.service,
            call.operation,
            call.provider,
            call.model,
            call.stream,
            prompt(call.input_tokens),
        )
        at = self._kinds.get(named) or self._admit(named), call.start_ns // HOUR_NS
        pot = self._pots.get(at)
        if pot is None:
            pot = self._pots[at] = _Pot()
        pot.add(call)

    def baseline(self) -> Baseline:
        """Return what was gathered."""
        return Baseline({at: pot.cell() for at, pot in self._pots.items()})

    def _admit(self, named: _Named) -> Kind:
        if len(self._kinds) >= MAX_KINDS:
            return Kind(named[0], OTHERS, OTHERS, OTHERS, OTHERS, named[5], named[6])
        kind = self._kinds[named] = Kind(*named)
        return kind


class _Pot:
    """A cell that is still filled."""

    __slots__ = ("_cell", "_finishes", "_outcomes", "_values")

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._finishes: Counter[str] = Counter()
        self._values = {quantity: array("d") for quantity in Quantity}
        self._cell = Cell((), ())

    def add(self, call: Call) -> None:
        self._outcomes[call.error or OK] += 1
        if call.finish:
            self._finishes[call.finish] += 1
        values = self._values
        if not call.error:
            values[Quantity.DURATION].append(call.duration_s)
        if call.ttft_s is not None:
            values[Quantity.TTFT].append(call.ttft_s)
        if call.tpot_s is not None:
            values[Quantity.TPOT].append(call.tpot_s)
            if call.tpot_s > 0 and (call.output_tokens or 0) >= FEWEST_TOKENS:
                values[Quantity.THROUGHPUT].append(1 / call.tpot_s)
        if call.input_tokens is not None:
            values[Quantity.INPUT].append(call.input_tokens)
        if call.output_tokens is not None:
            values[Quantity.OUTPUT].append(call.output_tokens)
        if len(values[Quantity.OUTPUT]) >= _BATCH or len(values[Quantity.DURATION]) >= _BATCH:
            self._count()

    def cell(self) -> Cell:
        self._count()
        return self._cell

    def _count(self) -> None:
        spreads = tuple((quantity, Sketch.of(values)) for quantity, values in self._values.items() if values)
        waiting = Cell(tuple(sorted(self._outcomes.items())), spreads, tuple(sorted(self._finishes.items())))
        self._cell = merged((self._cell, waiting))
        self._outcomes.clear()
        self._finishes.clear()
        for values in self._values.values():
            del values[:]
