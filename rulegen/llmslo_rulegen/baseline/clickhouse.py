"""A baseline from ClickHouse: the cluster sums its spans up, what comes back is cells."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llmslo_rulegen.baseline import clickhouse_server, clickhouse_sql
from llmslo_rulegen.baseline.cell import Cell, Kind, Quantity
from llmslo_rulegen.baseline.cells import Cells
from llmslo_rulegen.baseline.clickhouse_server import Server
from llmslo_rulegen.baseline.period import Period
from llmslo_rulegen.baseline.sketch import Sketch
from llmslo_rulegen.baseline.survey import Survey
from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.traces.files import Tell

MAX_ROWS = 2_000_000  # 2,000 kinds over 1,000 hours
_END_NS = (1 << 63) - 1
_TOLD_ROWS = 1000
_LONGEST_S = 86_400


def add_options(group: argparse._ArgumentGroup) -> None:
    """Add the arguments that `survey_of` understands."""
    group.add_argument(
        "--clickhouse",
        metavar="URL",
        help="spans in ClickHouse, http(s)://user@host:port/database, in the table of OpenTelemetry's exporter;"
        f" the password is in {clickhouse_server.PASSWORD}",
    )
    group.add_argument(
        "--clickhouse-table",
        metavar="NAME",
        default=clickhouse_server.TABLE,
        help="table of spans (default: %(default)s)",
    )
    group.add_argument("--clickhouse-password-file", type=Path, metavar="FILE", help="file whose first line it is")
    group.add_argument(
        "--clickhouse-ca", type=Path, metavar="FILE", help="certificates that https trusts, instead of the system's"
    )
    group.add_argument(
        "--clickhouse-timeout",
        type=_seconds,
        metavar="SECONDS",
        default=clickhouse_server.QUERY_S,
        help="the longest that its query may take (default: %(default)s)",
    )


def survey_of(found: argparse.Namespace, period: Period, tell: Tell) -> Survey:
    """Return what `--clickhouse` names; raises ServerError."""
    server = clickhouse_server.server(
        found.clickhouse,
        found.clickhouse_table,
        found.clickhouse_password_file,
        found.clickhouse_ca,
        found.clickhouse_timeout,
    )
    return survey(server, period, tell)


def survey(found: Server, period: Period, tell: Tell) -> Survey:
    """Return what the table holds of a period; raises ServerError."""
    with clickhouse_server.connected(found) as client:
        columns = clickhouse_server.columns(client, found)
        query = clickhouse_sql.statement(found.table, has_scope=clickhouse_sql.SCOPE_COLUMN in columns)
        bounds = {
            "begin": 0 if period.begin_ns is None else min(max(period.begin_ns, 0), _END_NS),
            "end": _END_NS if period.end_ns is None else min(max(period.end_ns, 0), _END_NS),
        }
        settings = {
            "max_execution_time": found.query_s,
            "max_result_rows": MAX_ROWS,
            "result_overflow_mode": "throw",
            "precise_float_parsing": 1,  # else a number may be one off in its last digit, and beyond an edge
        }
        with client.query_rows_stream(query, parameters=bounds, settings=settings) as rows:
            return of_rows(_told(rows, found.name, tell))


def of_rows(rows: Iterable[Sequence[Any]]) -> Survey:
    """Return the survey of the rows of `clickhouse_sql.statement`.

    They come kind by kind, the largest first: what comes after `MAX_KINDS` is summed up as `_other`.
    """
    skipped: Counter[Skipped] = Counter()
    cells = Cells()
    for row in rows:
        reason, source, service, operation, provider, model, stream, prompt, hour, outcomes, finishes, *spreads, _ = row
        counts = _counts(outcomes)
        if reason:
            skipped[Skipped[reason]] += sum(count for _, count in counts)
            continue
        kind = Kind(source, service, operation, provider, model, bool(stream), prompt)
        sketches = ((quantity, Sketch.told(*spread)) for quantity, spread in zip(Quantity, spreads, strict=True))
        spread = tuple(pair for pair in sketches if pair[1].at)
        cells.add(kind, int(hour), Cell(counts, spread, _counts(finishes)))
    return Survey(cells.baseline(), skipped)


def _counts(pair: tuple[Sequence[str], Sequence[int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(zip(*pair, strict=True)))


def _told(rows: Iterable[Sequence[Any]], name: str, tell: Tell) -> Iterator[Sequence[Any]]:
    for number, row in enumerate(rows, 1):
        if not number % _TOLD_ROWS:
            tell(name, number)
        yield row


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _LONGEST_S:
        msg = f"{text[:20]!r} is no time: write seconds, from 1 to {_LONGEST_S}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
