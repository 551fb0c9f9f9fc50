"""The table of `top`: rows in, lines of at most so many columns out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmslo_exporter.activity import Row
from llmslo_exporter.columns import left, right

BOLD, RED, DIM, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
NOTHING = "-"
_MIN_COLUMNS = 20
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0
SECOND_S = 0.9995  # what rounds to 1000 ms is a second
FULL = 1000  # from here on a number is cut short


@dataclass(frozen=True, slots=True)
class _Column:
    """`rank` says which columns stay where the terminal is narrow: the lowest."""

    title: str
    least: int
    most: int
    rank: int
    text: Callable[[Row], str]
    fill: Callable[[str, int], str] = right


_COLUMNS = (
    _Column("WORKLOAD", 13, 48, 1, lambda row: "/".join(filter(None, (row.namespace, row.workload))), left),
    _Column("MODEL", 15, 48, 2, lambda row: row.model, left),
    _Column("PROVIDER", 10, 18, 10, lambda row: row.provider, left),
    _Column("OPERATION", 9, 16, 12, lambda row: row.operation, left),
    _Column("ROLE", 6, 6, 7, lambda row: row.role, left),
    _Column("OPEN", 4, 5, 3, lambda row: str(row.in_flight)),
    _Column("OLDEST", 7, 7, 9, lambda row: seconds(row.oldest_s)),
    _Column("CALLS", 5, 7, 6, lambda row: count(row.calls)),
    _Column("FAIL", 5, 6, 8, lambda row: count(row.failed)),
    _Column("TTFT", 7, 7, 4, lambda row: seconds(row.ttft_s)),
    _Column("TIME", 7, 7, 11, lambda row: seconds(row.duration_s)),
    _Column("TOK/S", 5, 6, 5, lambda row: rate(row.tokens_per_s)),
    _Column("LAST", 12, 18, 5, lambda row: row.outcome or NOTHING, left),
)


def lines(rows: Sequence[Row], columns: int, *, is_coloured: bool = False) -> Iterator[str]:
    """Yield the heading and a line for each row, each at most `columns` wide (20 at least)."""
    chosen = _chosen(max(columns, _MIN_COLUMNS))
    heading = " ".join(column.fill(column.title, size) for column, size in chosen).rstrip()
    yield f"{BOLD}{heading}{PLAIN}" if is_coloured else heading
    for row in rows:
        line = " ".join(column.fill(column.text(row), size) for column, size in chosen).rstrip()
        colour = _colour(row) if is_coloured else ""
        yield f"{colour}{line}{PLAIN}" if colour else line


def seconds(value: float | None) -> str:
    """Return a time in at most seven characters: `85.2 ms`, `1.42 s`, `12 m`, `3 d`."""
    if value is None:
        return NOTHING
    if value < SECOND_S:
        return f"{value * 1000:.3g} ms"
    for unit, size, most in (("s", 1.0, _MINUTE_S), ("m", _MINUTE_S, _HOUR_S), ("h", _HOUR_S, _DAY_S)):
        if value < most:
            return f"{value / size:.3g} {unit}"
    return f"{min(value / _DAY_S, 9999):.0f} d"


def rate(value: float | None) -> str:
    """Return tokens a second in at most five characters."""
    if value is None:
        return NOTHING
    return f"{value:.3g}" if value < FULL - 1 else count(int(value))


def count(value: int) -> str:
    """Return a number in at most five characters: `999`, `12.3k`, `4M`."""
    if value < FULL:
        return str(value)
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < size * (FULL - 1):
            return f"{value / size:.3g}{unit}"
    return "many"


def _chosen(columns: int) -> list[tuple[_Column, int]]:
    """Return the columns that fit, each with its size: names get what is left."""
    kept: list[_Column] = []
    for column in sorted(_COLUMNS, key=lambda column: column.rank):
        if sum(other.least + 1 for other in kept) + column.least > columns:
            break
        kept.append(column)
    sizes = {column.title: column.least for column in kept}
    left_over = columns - sum(sizes.values()) - (len(kept) - 1)
    while left_over > 0 and (growing := [column for column in kept if sizes[column.title] < column.most]):
        for column in growing[:left_over]:
            sizes[column.title] += 1
        left_over -= len(growing[:left_over])
    return [(column, sizes[column.title]) for column in _COLUMNS if column in kept]


def _colour(row: Row) -> str:
    if row.outcome not in {None, "ok"}:
        return RED
    return "" if row.in_flight or row.ttft_s is not None or row.duration_s is not None else DIM
