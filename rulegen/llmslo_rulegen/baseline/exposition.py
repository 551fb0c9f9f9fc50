"""A baseline from a /metrics page: what its counters and histograms hold, or what they counted since an earlier one.

A page says how much, not when: all of it is put into the hour of the (later) page. So it holds shares and spreads, and
no seasons; what happened before the process started is not in it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import metered
from llmslo_rulegen.baseline.metered import Counted
from llmslo_rulegen.baseline.survey import Survey
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.prometheus_api import Api
from llmslo_rulegen.traces import web

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MAX_BYTES = 64 << 20
PAGE_S = 30.0
_HOUR_S = 3600
_END = "# EOF"  # of OpenMetrics
_TOTAL = "_total"  # its parser gives it to counters that are not called so

Labels = tuple[tuple[str, str], ...]
Values = Mapping[tuple[str, Labels], float]


class PageError(RulegenError):
    """A page of metrics cannot be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text, and when it was scraped, in seconds since the epoch; `name` says where it is from."""

    name: str
    text: str
    at_s: int


def add_options(group: argparse._ArgumentGroup) -> None:
    """Add the arguments that `survey_of` understands."""
    group.add_argument(
        "--metrics", metavar="FILE|URL", help="a /metrics page: what was counted since its process started"
    )
    group.add_argument(
        "--metrics-before", metavar="FILE", help="an earlier page of the same process: only what was counted since"
    )
    group.add_argument(
        "--metrics-source",
        metavar="NAME",
        choices=tuple(catalog.BY_SOURCE),
        default=catalog.OWN,
        help="whose page it is, as for --prometheus-source (default: %(default)s)",
    )
    group.add_argument("--metrics-service", metavar="NAME", default="", help="the service, where no label tells it")


def survey_of(found: argparse.Namespace) -> Survey:
    """Return what `--metrics` (with `--headers`) names; raises PageError or ServerError."""
    headers = web.headers(found.headers)
    before = None if found.metrics_before is None else page(found.metrics_before, headers)
    return survey(page(found.metrics, headers), before, found.metrics_source, found.metrics_service)


def page(place: str, headers: Mapping[str, str] = MappingProxyType({})) -> Page:
    """Return the page of a file (its time is that of the file) or of a URL; raises PageError or ServerError."""
    if place.startswith(("http://", "https://")):
        api = Api(place, PAGE_S, PAGE_S, "look at --metrics", headers)
        raw = api.raw() or b""
        return Page(api.url, _decoded(raw, api.url), int(time.time()))
    file = Path(place)
    try:
        size, at_s = file.stat().st_size, int(file.stat().st_mtime)
        if size > MAX_BYTES:
            msg = f"{place}: it has {size >> 20} MB; a page of metrics has {MAX_BYTES >> 20} MB at most"
            raise PageError(msg)
        return Page(place, _decoded(file.read_bytes(), place), at_s)
    except OSError as error:
        msg = f"{place}: {error.strerror or error}"
        raise PageError(msg) from error


def survey(after: Page, before: Page | None, source: str, service: str = "") -> Survey:
    """Return what `after` holds, or what it counted since `before`; raises PageError.

    A counter that is lower than before began anew: all that it holds counts.
    """
    then: Values = {} if before is None else _values(before, source)
    now = _values(after, source)
    summed = metered.baseline(_counted(now, then, source, service, after.at_s // _HOUR_S))
    if not summed.cells:
        msg = f"{after.name}: nothing of source {source} was counted in it: look at --metrics-source"
        raise PageError(msg)
    return Survey(summed, Counter())


def _counted(now: Values, then: Values, source: str, service: str, hour: int) -> Iterator[Counted]:
    by_series = {one.series: one for one in metered.wanted(source)}
    for (name, pairs), value in now.items():
        one = by_series[name]
        before = then.get((name, pairs), 0.0)
        labels = {catalog.JOB.name: service, **dict(pairs)}
        if all(labels.get(label, "") in values for label, values in one.values):
            yield Counted(one, labels, hour, value - before if value >= before else value)


def _values(found: Page, source: str) -> Values:
    """Return the wanted samples of a page by name and labels."""
    names = {one.series for one in metered.wanted(source)}
    values: dict[tuple[str, Labels], float] = {}
    try:
        for family in _families(found.text):
            for sample in family.samples:
                name = sample.name if sample.name in names else sample.name.removesuffix(_TOTAL)
                if name in names:
                    values[name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:  # what its parser raises of garbage
        # Without what its parser says: that quotes the text, and who knows of what file.
        msg = f"{found.name}: it is no page of metrics in Prometheus' text or OpenMetrics"
        raise PageError(msg) from error
    return values


def _families(text: str) -> Iterable[Metric]:
    # Commands that read something else need not wait for it.
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics  # noqa: PLC0415
    from prometheus_client.parser import text_string_to_metric_families as plain_text  # noqa: PLC0415

    read: Callable[[str], Iterable[Metric]] = open_metrics if text.rstrip().endswith(_END) else plain_text
    return read(text)


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        msg = f"{name}: byte {error.start} is no UTF-8: a page of metrics is text"
        raise PageError(msg) from error
