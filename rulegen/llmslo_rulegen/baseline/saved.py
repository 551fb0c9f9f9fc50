"""A baseline as a file: one line of JSON for the format, then one a cell; text, so that it can be read and merged."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind, Quantity
from llmslo_rulegen.baseline.sketch import Sketch, edges

FORMAT = "llmslo-baseline/v1"
_MAX_COUNT = 1 << 53
_QUANTITIES = frozenset(quantity.value for quantity in Quantity)


class SavedError(ValueError):
    """A line does not have the shape of a saved baseline."""


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    edges: int  # how many: a file of other edges cannot be added to


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    source: str
    service: str
    operation: str
    provider: str
    model: str
    stream: bool
    hour: int
    outcomes: dict[str, int]
    spreads: dict[str, tuple[list[int], list[int]]] = {}
    finishes: dict[str, int] = {}
    prompt: str = ""


_head = msgspec.json.Decoder(_Head).decode
_line = msgspec.json.Decoder(_Line).decode


def lines(baseline: Baseline) -> Iterator[bytes]:
    """Yield a baseline's lines, without line ends; the same baseline gives the same bytes."""
    yield msgspec.json.encode(_Head(FORMAT, len(edges())))
    for kind, cells in baseline.kinds():
        for hour, cell in cells.items():
            spreads = {quantity.value: (list(sketch.at), list(sketch.counts)) for quantity, sketch in cell.spreads}
            yield msgspec.json.encode(
                _Line(
                    kind.source,
                    kind.service,
                    kind.operation,
                    kind.provider,
                    kind.model,
                    kind.stream,
                    hour,
                    dict(cell.outcomes),
                    spreads,
                    dict(cell.finishes),
                    kind.prompt,
                )
            )


def read(found: Iterable[bytes]) -> Baseline:
    """Return the baseline of these lines; raises SavedError with the number of the line."""
    number = 0
    cells: list[Baseline] = []
    try:
        for number, line in enumerate(found, 1):
            if number == 1:
                _expect(_head(line))
            elif line.strip():
                cells.append(_cell(_line(line)))
    except (msgspec.DecodeError, ValueError) as error:
        msg = f"line {number}: {error}"
        raise SavedError(msg) from error
    if not number:
        msg = f"it is empty: a baseline begins with {FORMAT}"
        raise SavedError(msg)
    return Baseline.merged(cells)


def _expect(head: _Head) -> None:
    if head.format != FORMAT:
        msg = f"format {head.format!r} is not {FORMAT}"
        raise ValueError(msg)
    if head.edges != len(edges()):
        msg = f"its buckets have {head.edges} edges, this version's {len(edges())}: make it again from the traces"
        raise ValueError(msg)


def _cell(line: _Line) -> Baseline:
    kind = Kind(line.source, line.service, line.operation, line.provider, line.model, line.stream, line.prompt)
    spreads = []
    for name in line.spreads:
        if name not in _QUANTITIES:
            msg = f"{name[:40]!r} is no quantity"
            raise ValueError(msg)
    for quantity in Quantity:
        if quantity.value in line.spreads:
            at, counts = line.spreads[quantity.value]
            is_ordered = len(at) == len(counts) and all(a < b for a, b in itertools.pairwise(at))
            if not is_ordered or any(not 0 <= place <= len(edges()) for place in at):
                msg = f"{quantity.value}: buckets must be in order, one count each"
                raise ValueError(msg)
            spreads.append((quantity, Sketch.told(at, counts)))
    for count in (*line.outcomes.values(), *line.finishes.values(), *(n for _, s in spreads for n in s.counts)):
        if not 0 < count < _MAX_COUNT:
            msg = f"{count} is no count"
            raise ValueError(msg)
    outcomes, finishes = (tuple(sorted(found.items())) for found in (line.outcomes, line.finishes))
    return Baseline({(kind, line.hour): Cell(outcomes, tuple(spreads), finishes)})
