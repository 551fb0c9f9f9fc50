"""Where a baseline comes from, as arguments that every command which needs one has: files, or a server."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from llmslo_rulegen.baseline import clickhouse, exposition, prometheus, saved_file
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.period import Period, instant_ns
from llmslo_rulegen.baseline.progress import Progress
from llmslo_rulegen.baseline.survey import Survey, added, of_pieces, survey
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.finding import printable
from llmslo_rulegen.traces import files, reading, tempo, web
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.files import Tell
from llmslo_rulegen.traces.packing import Piece

MOST_JOBS = 8
_SMALL_BYTES = 16 << 20  # read by one process before others have started
_SUMS = ("clickhouse", "prometheus", "metrics")  # servers that hold no single calls, or are asked for none
_SERVERS = ("tempo", *_SUMS)
_NS = 1_000_000_000
_MOST_NAMES = 5
_DAY_NS = 86400 * _NS


class InputsError(RulegenError):
    """The arguments name nothing to read, or what cannot be read together."""


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `read` and `calls` understand."""
    parser.add_argument(
        "inputs",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="trace files, folders of them, - for standard input; saved baselines",
    )
    about = parser.add_argument_group("what is read (docs/traces.md)")
    about.add_argument(
        "--from", dest="begin", metavar="TIME", help="calls from then on: 2026-11-01, or 30d for so long ago"
    )
    about.add_argument("--to", dest="end", metavar="TIME", help="calls before then")
    about.add_argument("--tempo", metavar="URL", help="a Tempo, of the last day where no --from is given")
    about.add_argument(
        "--tempo-query", metavar="TRACEQL", default=tempo.QUERY, help="which traces (default: LLM calls)"
    )
    about.add_argument(
        "--headers",
        type=Path,
        metavar="FILE",
        help=f"headers of requests, `Name: value` a line (default: ${web.HEADERS_VARIABLE})",
    )
    clickhouse.add_options(about)
    prometheus.add_options(about)
    exposition.add_options(about)
    about.add_argument("--jobs", type=_jobs, metavar="N", help="processes that read files (default: one a core)")


def read(found: argparse.Namespace) -> Survey:
    """Return what the arguments name as one baseline; raises RulegenError where it cannot be read or holds no call."""
    period = period_of(found)
    _expect_something(found)
    with Progress() as tell:
        summed = added(_surveys(found, period, tell))
    if not summed.baseline.cells:
        raise InputsError(_no_call(summed))
    return summed


def calls(found: argparse.Namespace) -> Iterator[Call | Skipped]:
    """Yield the calls of the spans that the arguments name, one by one; raises RulegenError.

    A saved baseline, and what has sums only, holds no single calls.
    """
    period = period_of(found)
    _expect_something(found)
    for name in _SUMS:
        if getattr(found, name):
            msg = f"--{name} gives sums, no single calls: give traces, or --tempo URL"
            raise InputsError(msg)
    paths = _listed(found)
    for path in paths:
        if saved_file.is_saved(path):
            msg = f"{path}: a saved baseline holds no single calls: give the traces it was made of"
            raise InputsError(msg)
    with Progress() as tell:
        found_calls = chain(reading.calls(paths, tell), *(map(reading.of_piece, _tempo(found, period, tell))))
        for call in found_calls:
            is_outside = isinstance(call, Call) and not period.has(call.start_ns)
            yield Skipped.OUTSIDE if is_outside else call


def period_of(found: argparse.Namespace) -> Period:
    """Return the time that --from and --to name; raises InputsError."""
    now_ns = time.time_ns()
    try:
        bounds = [None if text is None else instant_ns(text, now_ns) for text in (found.begin, found.end)]
    except ValueError as error:
        raise InputsError(str(error)) from error
    begin, end = bounds
    if begin is not None and end is not None and begin >= end:
        msg = f"--from {found.begin} is not before --to {found.end}"
        raise InputsError(msg)
    return Period(begin, end)


def _expect_something(found: argparse.Namespace) -> None:
    if not found.inputs and not any(getattr(found, name) for name in _SERVERS):
        msg = "nothing to read: give trace files, folders of them, a saved baseline, or a server such as --tempo URL"
        raise InputsError(msg)


def _surveys(found: argparse.Namespace, period: Period, tell: Progress) -> Iterator[Survey]:
    paths = _listed(found)
    baselines = [path for path in paths if saved_file.is_saved(path)]
    for path in baselines:
        yield Survey(_within(saved_file.read(path), period), saved_file.NOTHING_SKIPPED)
    traces = [path for path in paths if path not in baselines]
    if traces:
        jobs = min(os.cpu_count() or 1, MOST_JOBS) if found.jobs is None else found.jobs
        is_small = sum(path.stat().st_size for path in traces if path.is_file()) < _SMALL_BYTES
        yield survey(traces, 0 if is_small or jobs == 1 else jobs, tell, period)

    if found.tempo:
        yield of_pieces(_tempo(found, period, tell), period)
    if found.clickhouse:
        yield clickhouse.survey_of(found, period, tell)
    if found.prometheus:
        yield prometheus.survey_of(found, period, tell)
    if found.metrics:
        yield exposition.survey_of(found)


def _tempo(found: argparse.Namespace, period: Period, tell: Tell) -> Iterator[Piece]:
    if not found.tempo:
        return
    end_ns = time.time_ns() if period.end_ns is None else period.end_ns
    begin_ns = end_ns - _DAY_NS if period.begin_ns is None else period.begin_ns
    search = tempo.Search(begin_ns // _NS, -(-end_ns // _NS), found.tempo_query)
    yield from tempo.pieces(web.Web(found.tempo, web.headers(found.headers)), search, tell)


def _listed(found: argparse.Namespace) -> tuple[Path, ...]:
    listing = files.listing(found.inputs)
    if listing.left_out:
        names = ", ".join(printable(str(path)) for path in listing.left_out[:_MOST_NAMES])
        more = f" and {len(listing.left_out) - _MOST_NAMES} more" if len(listing.left_out) > _MOST_NAMES else ""
        sys.stderr.write(f"left out, by name no traces: {names}{more}\n")
    return listing.files


def _within(baseline: Baseline, period: Period) -> Baseline:
    return Baseline({at: cell for at, cell in baseline.cells.items() if period.has_hour(at[1])})


def _no_call(summed: Survey) -> str:
    if not summed.spans:
        return "there is no span in what was read"
    reasons = ", ".join(f"{count} {reason.value}" for reason, count in summed.skipped.most_common())
    return f"none of {summed.spans} spans is an LLM call: {reasons}; docs/traces.md lists the attributes that are read"


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS * 8:
        msg = f"{text[:20]!r} is no number of processes: write one from 1 to {MOST_JOBS * 8}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
