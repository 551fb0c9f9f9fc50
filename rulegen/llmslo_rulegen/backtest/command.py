"""The command `backtest`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from llmslo_rulegen import durations, placing, slo_files
from llmslo_rulegen.backtest import history, page, shown, trial
from llmslo_rulegen.backtest.episodes import Episode
from llmslo_rulegen.backtest.history import History
from llmslo_rulegen.backtest.points import Dialect
from llmslo_rulegen.backtest.server import ALL_S, ANSWER_S, Server
from llmslo_rulegen.backtest.trial import Grid, Result, Setting
from llmslo_rulegen.baseline import inputs
from llmslo_rulegen.baseline.period import instant_ns
from llmslo_rulegen.errors import InputError, RulegenError
from llmslo_rulegen.finding import has_errors, printable
from llmslo_rulegen.prometheus_api import Api
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Severity
from llmslo_rulegen.traces.call import Call, Skipped

FINE, WRONG = 0, 1
_LOOKBACK_S = 300
_NS_A_MS = 1_000_000
_USUAL_NS = 30 * 86_400 * 1_000_000_000
_MOST_CELLS = 100


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    inputs.add_inputs(parser)
    slo_files.add_arguments(parser)
    parser.add_argument(
        "--cross-source",
        action="store_true",
        help="count spans of another measuring point than the SLO's, whose values are others",
    )
    parser.add_argument(
        "--every", type=_every, default=60, metavar="TIME", help="how often rules are evaluated (default: 1m)"
    )
    parser.add_argument(
        "--prometheus-version",
        dest="dialect",
        type=int,
        choices=[each.value for each in Dialect],
        default=Dialect.V2.value,
        help="whose ranges: 2 has the samples at both ends, 3 not the first (default: 2; our rules read the same)",
    )
    parser.add_argument(
        "--episode",
        dest="episodes",
        type=_episode,
        action="append",
        metavar="START..END",
        help="when users were let down (default: found, docs/backtest.md says how); may be given again",
    )
    _outputs(parser)


def _outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grid",
        nargs="+",
        type=_axis,
        default=[],
        metavar="NAME=VALUES",
        help="try other objectives and factors: objective=99,99.5 factor=0.5,1,2",
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write one page with a timeline")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 where a page is false or an episode missed")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(found: argparse.Namespace, out: TextIO) -> int:
    """Run the command; return its exit code."""
    read = slo_files.read(found.slo, snap=found.snap)
    if has_errors(read.findings):
        raise InputError(read.findings)
    slos = read.slos
    grid = _grid(found.grid)
    if (size := max(1, len(grid.objectives)) * max(1, len(grid.factors))) > _MOST_CELLS:
        msg = f"--grid has {size} cells: give at most {_MOST_CELLS}"
        raise RulegenError(msg)
    given = None if found.episodes is None else tuple(sorted(found.episodes))
    setting = Setting(found.every, Dialect(found.dialect), given)
    told = tuple(trial.results(slos, _history(found, slos), setting, grid))
    if all(result.verdict is None for result in told):
        raise RulegenError("\n".join(f"{result.slo.id}: not replayed: {result.refused}" for result in told))
    if found.report is not None:
        placing.write_one(found.report, page.html(told))
    if found.json:
        out.write(json.dumps({"slos": [shown.record(result) for result in told]}, indent=2) + "\n")
    else:
        out.write(shown.text(told) + "\n")
    return WRONG if found.exit_code and any(_is_wrong(result) for result in told) else FINE


def _grid(axes: Sequence[tuple[str, tuple[Decimal | float, ...]]]) -> Grid:
    """Return the axes; one that is given again goes on."""
    values = [value for _, found in axes for value in found]
    objectives = (value for value in values if isinstance(value, Decimal))
    factors = (value for value in values if isinstance(value, float))
    return Grid(tuple(dict.fromkeys(objectives)), tuple(dict.fromkeys(factors)))


def _is_wrong(result: Result) -> bool:
    told = result.verdict
    return told is None or told.missed > 0 or any(alert.is_false for alert in told.burns(Severity.PAGE))


def _history(found: argparse.Namespace, slos: Sequence[Slo]) -> History:
    if found.prometheus:
        return _server(found)
    skipped: Counter[Skipped] = Counter()

    def calls() -> Iterator[Call]:
        for call in inputs.calls(found):
            if isinstance(call, Call):
                yield call
            else:
                skipped[call] += 1

    spans = history.spans(calls(), slos, cross_source=found.cross_source)
    if skipped:
        reasons = ", ".join(f"{count} {reason.value}" for reason, count in skipped.most_common())
        sys.stderr.write(f"skipped spans: {reasons}\n")
    for slo in slos:
        sys.stderr.writelines(printable(f"{slo.id} {said}") + "\n" for said in spans.warnings(slo))
    return spans


def _server(found: argparse.Namespace) -> Server:
    if found.inputs or found.tempo or found.clickhouse or found.metrics:
        msg = "give either traces or --prometheus: what both have would be counted twice"
        raise RulegenError(msg)
    period, now_ns = inputs.period_of(found), time.time_ns()
    end_ns = now_ns if period.end_ns is None else min(period.end_ns, now_ns)
    begin_ns = end_ns - _USUAL_NS if period.begin_ns is None else period.begin_ns
    if begin_ns >= end_ns:
        msg = "--from is in the future: there is nothing to replay yet"
        raise RulegenError(msg)
    api = Api(found.prometheus, ALL_S, ANSWER_S)
    return Server(api, begin_ns // _NS_A_MS, end_ns // _NS_A_MS)


def _every(text: str) -> int:
    seconds = durations.parse(text)
    if not seconds or seconds != int(seconds) or seconds > _LOOKBACK_S:
        msg = f"{text[:60]!r} is no interval of rules: write whole seconds up to 5m, such as 30s"
        raise argparse.ArgumentTypeError(msg)
    return int(seconds)


def _episode(text: str) -> Episode:
    begin, dots, end = text.partition("..")
    if not dots:
        raise argparse.ArgumentTypeError(_no_stretch(text))
    now_ns = time.time_ns()
    try:
        begin_ms, end_ms = (instant_ns(each, now_ns) // _NS_A_MS for each in (begin, end))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if begin_ms >= end_ms:
        raise argparse.ArgumentTypeError(_no_stretch(text))
    return Episode(begin_ms, end_ms)


def _no_stretch(text: str) -> str:
    return f"{text[:60]!r} is no stretch of time: write 2026-11-01T12:00..2026-11-01T12:40"


def _objective(text: str) -> Decimal:
    found = Decimal(text)
    if not 0 < found < 100:  # noqa: PLR2004 -- percent
        raise InvalidOperation
    return found


def _factor(text: str) -> float:
    found = float(text)
    if not 0 < found < _MOST_CELLS:
        raise ValueError(text)
    return found


_AXES: dict[str, Callable[[str], Decimal | float]] = {"objective": _objective, "factor": _factor}


def _axis(text: str) -> tuple[str, tuple[Decimal | float, ...]]:
    name, _, values = text.partition("=")
    try:
        return name, tuple(dict.fromkeys(_AXES[name](each) for each in values.split(",")))
    except (KeyError, ValueError, InvalidOperation) as error:
        msg = f"{text[:60]!r} is no axis: write objective=99,99.5 (percent) or factor=0.5,1,2 (times the tiers' own)"
        raise argparse.ArgumentTypeError(msg) from error
