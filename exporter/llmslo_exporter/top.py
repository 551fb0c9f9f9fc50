"""`top`: a live table of the node's LLM calls, for a person at a terminal, without Prometheus."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Self

from llmslo_exporter.activity import Activity, Row
from llmslo_exporter.arguments import Invocation
from llmslo_exporter.board import lines
from llmslo_exporter.columns import left
from llmslo_exporter.events import LOSSES
from llmslo_exporter.instance import watching
from llmslo_exporter.options import Options
from llmslo_exporter.scraped import Scraped
from llmslo_exporter.signals import ENDING, arrived, deferred
from llmslo_exporter.terminal import drawn, is_coloured, is_drawable, size_of
from llmslo_exporter.tracer import Tracer
from llmslo_exporter.written import written

HELP = "q ends"


class _LastWarning(logging.Handler):
    """Keeps the last warning for the foot of the screen: a line of a log would tear the table."""

    text = ""

    @contextmanager
    def instead_of_the_log(self) -> Iterator[Self]:
        """Take the place of the log for the length of a block."""
        root = logging.getLogger()
        kept, root.handlers[:] = root.handlers[:], [self]
        try:
            yield self
        finally:
            root.handlers[:] = kept

    def emit(self, record: logging.LogRecord) -> None:
        reason = getattr(record, "reason", "")
        self.text = record.getMessage() + (f": {reason}" if reason else "")


def run(options: Options, asked: Invocation) -> int:
    """Show tables until the person ends it, or as many as asked for; return 0.

    Raises ExporterError when the user must act.
    """
    with deferred(ENDING):
        if asked.url is not None:
            _shown(Table(Scraped(asked.url, time.monotonic).rows, lambda: asked.url or ""), asked)
            return 0
        activity = Activity(options.limits, time.monotonic)
        with watching(options, activity) as (_, tracer):
            tracer.start()
            _shown(Table(lambda: _seen(activity, tracer), lambda: _losses(tracer)), asked)
    return 0


@dataclass(frozen=True, slots=True)
class Table:
    """What is shown: `rows` now, and a word on where they come from."""

    rows: Callable[[], Sequence[Row]]
    note: Callable[[], str]


def _seen(activity: Activity, tracer: Tracer) -> Sequence[Row]:
    if tracer.failure is not None:
        raise tracer.failure
    tracer.drain()
    activity.under_way(tuple(tracer.in_flight()))
    return activity.rows()


def _losses(tracer: Tracer) -> str:
    counters = tracer.kernel_counters()
    lost = sum(counters[name] for name in LOSSES)
    left = len(tracer.left_out())
    return "  ".join(filter(None, (f"{lost} losses" if lost else "", f"{left} processes left out" if left else "")))


def _shown(table: Table, asked: Invocation) -> None:
    if is_drawable(sys.stdout, os.environ) and not asked.is_json:
        _live(table, asked)
    else:
        _printed(table, asked)


def _live(table: Table, asked: Invocation) -> None:
    shown = 0
    with _LastWarning().instead_of_the_log() as warning, drawn(sys.stdout, sys.stdin) as screen:
        while shown != asked.count:
            size = size_of(sys.stdout)
            text = list(lines(table.rows(), size.columns, is_coloured=is_coloured(os.environ)))
            foot = "  ".join(filter(None, (HELP, _counted(text), table.note(), warning.text)))
            if not screen.show([*_fitted(text, size.rows - 1), left(foot, size.columns)]):
                return
            if not screen.waits(asked.interval_s):
                return
            shown += 1


def _counted(table: list[str]) -> str:
    return "no calls seen yet" if len(table) == 1 else f"{len(table) - 1} rows"


def _fitted(table: list[str], rows: int) -> list[str]:
    """Return as many lines of the table as there are rows, blank ones below."""
    return (table + [""] * rows)[:rows]


def _printed(table: Table, asked: Invocation) -> None:
    """Print a table, or a JSON object, at the end of each interval."""
    printed = 0
    while printed != asked.count and arrived(ENDING, asked.interval_s) is None:
        found = table.rows()
        text = _json(found) if asked.is_json else _plain(found)
        if not written(sys.stdout, text):
            return
        printed += 1


def _plain(rows: Sequence[Row]) -> str:
    return "".join(f"{line}\n" for line in lines(rows, size_of(sys.stdout).columns)) + "\n"


def _json(rows: Sequence[Row]) -> str:
    return json.dumps({"time_s": round(time.time(), 3), "rows": [asdict(row) for row in rows]}) + "\n"
