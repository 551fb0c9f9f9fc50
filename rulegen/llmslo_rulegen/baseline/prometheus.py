"""A baseline from Prometheus: what the counters and histograms of a source counted, hour by hour.

Events are counted as the rules count them (`counting`): last value less the last one before, resets seen, nothing
extrapolated but within an hour that holds a reset.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmslo_exporter import catalog
from llmslo_rulegen import durations, promql
from llmslo_rulegen.baseline import metered
from llmslo_rulegen.baseline.metered import Counted, Wanted
from llmslo_rulegen.baseline.period import Period
from llmslo_rulegen.baseline.survey import Survey
from llmslo_rulegen.counting import HOUR_S, Count, When
from llmslo_rulegen.errors import ServerError, TooMuchError
from llmslo_rulegen.finding import printable
from llmslo_rulegen.names import LABEL
from llmslo_rulegen.prometheus_api import Api
from llmslo_rulegen.slo import Matcher, Op
from llmslo_rulegen.traces import web
from llmslo_rulegen.traces.files import Tell

DEFAULT_HOURS = 30 * 24
MOST_HOURS = 400 * 24
CHUNK_HOURS = 24  # of one question; fewer where the server says that it is too much
QUESTION_S, ALL_S = 120.0, 3600.0
SCRAPE_S = 60
_NS = 1_000_000_000
_NOW, _RANGE = "query", "query_range"
_DO = "look at --prometheus"
_CHOICE = "look at --prometheus-source, --prometheus-label, --from and --to"

Labels = Sequence[tuple[str, str]]


def add_options(group: argparse._ArgumentGroup) -> None:
    """Add the arguments that `survey_of` understands."""
    group.add_argument("--prometheus", metavar="URL", help="counters and histograms of a source in Prometheus")
    group.add_argument(
        "--prometheus-source",
        metavar="NAME",
        choices=tuple(catalog.BY_SOURCE),
        default=catalog.OWN,
        help=f"whose metrics: {', '.join(catalog.BY_SOURCE)} (default: %(default)s)",
    )
    group.add_argument(
        "--prometheus-label",
        metavar="NAME=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="only series with this label (repeatable)",
    )
    group.add_argument(
        "--prometheus-scrape",
        metavar="TIME",
        type=_seconds,
        default=SCRAPE_S,
        help="how often they are scraped; matters where a process started anew (default: 1m)",
    )


def survey_of(found: argparse.Namespace, period: Period, tell: Tell) -> Survey:
    """Return what `--prometheus` (with `--headers`) names; raises ServerError.

    Says on standard error what is there and was not read.
    """
    api = Api(found.prometheus, ALL_S, QUESTION_S, _DO, web.headers(found.headers))
    hours = hours_of(period, time.time_ns())
    reading = Reading(api, found.prometheus_source, tuple(found.prometheus_label), found.prometheus_scrape)
    summed = survey(reading, hours, tell)
    unread = natives(reading, hours)
    if unread:
        sys.stderr.write(f"not read: {', '.join(unread)} as native histograms: their buckets are not the catalog's\n")
    if not summed.baseline.cells:
        msg = f"{api.url}: nothing of source {found.prometheus_source} was counted in {len(hours)} h: {_CHOICE}"
        raise ServerError(msg)
    return summed


@dataclass(frozen=True, slots=True)
class Reading:
    """Which series of which server are read: a source's, with some labels, scraped each `scrape_s`."""

    api: Api
    source: str
    labels: Labels = ()
    scrape_s: int = SCRAPE_S


def hours_of(period: Period, now_ns: int) -> range:
    """Return the full hours of a period, by number since the epoch; raises ServerError where there are too many.

    Without a begin it is 30 days before the end, without an end now.
    """
    end_ns = now_ns if period.end_ns is None else min(period.end_ns, now_ns)
    end = end_ns // (HOUR_S * _NS)
    begin = end - DEFAULT_HOURS if period.begin_ns is None else -(-period.begin_ns // (HOUR_S * _NS))
    if end - begin > MOST_HOURS:
        msg = (
            f"--from and --to are {(end - begin) // 24} days apart: {MOST_HOURS // 24} at most are read of a Prometheus"
        )
        raise ServerError(msg)
    return range(begin, end)


def survey(reading: Reading, hours: range, tell: Tell) -> Survey:
    """Return what was counted in some hours; raises ServerError."""
    return Survey(metered.baseline(_counted(reading, hours, tell)), Counter())


def natives(reading: Reading, hours: range) -> Sequence[str]:
    """Return the histograms of the source that are there as native ones at the end of some hours."""
    if not hours:
        return ()
    names = {one.metric.name for one in metered.wanted(reading.source) if one.quantity is not None}
    asked = {"query": f"count by (__name__) ({{__name__=~{promql.string('|'.join(sorted(names)))}}})"}
    data = reading.api.data(_NOW, {**asked, "time": hours[-1] * HOUR_S + HOUR_S})
    try:
        return sorted(one["metric"]["__name__"] for one in data["result"])
    except (KeyError, TypeError) as error:
        raise reading.api.strange(_NOW) from error


def expression(reading: Reading, one: Wanted) -> str:
    """Return PromQL for what a series counted in the hour before an instant, by the labels that matter."""
    values = [promql.any_of(label, values) for label, values in one.values]
    chosen = [Matcher(label, Op.EQUAL, value) for label, value in reading.labels]
    counted = Count(When.NOW, HOUR_S, reading.scrape_s).counter(promql.selector(one.series, (*values, *chosen)))
    return promql.summed(counted, one.labels)


def _counted(reading: Reading, hours: range, tell: Tell) -> Iterator[Counted]:
    for one in metered.wanted(reading.source):
        first, most = 0, CHUNK_HOURS
        while first < len(hours):
            chunk = hours[first : first + most]
            try:
                found = list(_asked(reading, one, chunk))
            except TooMuchError:
                if most == 1:
                    raise
                most = (most + 1) // 2
                continue
            yield from found
            first += len(chunk)
            tell(one.series, first)


def _asked(reading: Reading, one: Wanted, hours: range) -> Iterator[Counted]:
    asked = {
        "query": expression(reading, one),
        "start": (hours[0] + 1) * HOUR_S,
        "end": (hours[-1] + 1) * HOUR_S,
        "step": HOUR_S,
        "timeout": f"{QUESTION_S:g}s",
    }
    data = reading.api.data(_RANGE, asked)
    try:
        for series in data["result"]:
            labels = {str(name): str(value) for name, value in series["metric"].items()}
            for at_s, value in series.get("values", ()):
                yield Counted(one, labels, int(at_s) // HOUR_S - 1, float(value))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise reading.api.strange(_RANGE) from error


def _pair(given: str) -> tuple[str, str]:
    name, is_pair, value = given.partition("=")
    if not is_pair or not LABEL.fullmatch(name):
        msg = f"{printable(given[:60])!r} is no label with its value: write job=chat"
        raise argparse.ArgumentTypeError(msg)
    return name, value


def _seconds(given: str) -> int:
    found = durations.parse(given)
    if found is None or not 1 <= found <= HOUR_S:
        msg = f"{printable(given[:60])!r} is no scrape interval: write 15s or 1m"
        raise argparse.ArgumentTypeError(msg)
    return int(found)
