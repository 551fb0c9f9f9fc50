"""Cells as they come from what is summed up already, bounded as calls are."""

from __future__ import annotations

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind, merged
from llmslo_rulegen.baseline.gathering import Kinds


class Cells:
    """Takes cells by kind and hour and adds up those of the same."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Kind, int], Cell] = {}
        self._kinds = Kinds()

    def add(self, kind: Kind, hour: int, cell: Cell) -> None:
        """Count a cell in."""
        at = self._kinds.admit(kind), hour
        self._cells[at] = merged((self._cells[at], cell)) if at in self._cells else cell

    def baseline(self) -> Baseline:
        """Return what was added."""
        return Baseline(self._cells)
