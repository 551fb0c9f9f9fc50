"""The calls of some time, hour by hour and kind by kind; two of them can be added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmslo_rulegen.baseline.cell import Cell, Kind, merged

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Baseline:
    """Cells by kind and hour; an hour is its number since the epoch, UTC."""

    cells: Mapping[tuple[Kind, int], Cell]

    @classmethod
    def merged(cls, baselines: Iterable[Baseline]) -> Baseline:
        """Add baselines up; the order does not matter."""
        found: dict[tuple[Kind, int], list[Cell]] = {}
        for baseline in baselines:
            for at, cell in baseline.cells.items():
                found.setdefault(at, []).append(cell)
        return cls({at: cells[0] if len(cells) == 1 else merged(cells) for at, cells in found.items()})

    @property
    def count(self) -> int:
        return sum(cell.count for cell in self.cells.values())

    @property
    def hours(self) -> tuple[int, ...]:
        """The hours in which anything was called, in order."""
        return tuple(sorted({hour for _, hour in self.cells}))

    def kinds(self) -> Iterator[tuple[Kind, Mapping[int, Cell]]]:
        """Yield each kind with its cells by hour, both in order."""
        by_kind: dict[Kind, dict[int, Cell]] = {}
        for (kind, hour), cell in sorted(self.cells.items(), key=lambda item: item[0]):
            by_kind.setdefault(kind, {})[hour] = cell
        yield from by_kind.items()
