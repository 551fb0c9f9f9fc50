"""A small plot in plain characters: one mark a column and series, rows are steps of the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BLANK = " "


@dataclass(frozen=True, slots=True)
class Row:
    """A step of the vertical axis: what it is called and the least value that stands in it."""

    label: str
    least: float


@dataclass(frozen=True, slots=True)
class Column:
    """A step of the horizontal axis: its label and the value of each mark, a single character."""

    label: str
    values: Mapping[str, float]


def plot(columns: Sequence[Column], rows: Sequence[Row], title: str) -> str:
    """Return lines of text; `rows` from the highest down. The first of two marks in one place is shown."""
    margin = max(len(row.label) for row in rows)
    width = max(len(column.label) for column in columns) + 1
    lines = [title]
    for number, row in enumerate(rows):
        above = rows[number - 1].least if number else float("inf")
        cells = (_cell(column, row.least if number < len(rows) - 1 else -float("inf"), above) for column in columns)
        lines.append(f"{row.label:>{margin}} |" + "".join(f"{cell:>{width}}" for cell in cells).rstrip())
    lines.append(" " * margin + " +" + "-" * (width * len(columns)))
    lines.append(" " * margin + "  " + "".join(f"{column.label:>{width}}" for column in columns))
    return "\n".join(lines) + "\n"


def _cell(column: Column, least: float, above: float) -> str:
    return next((mark for mark, value in column.values.items() if least <= value < above), BLANK)
