"""Rows of `top` from a running exporter's /metrics: what grew between two scrapes."""

from __future__ import annotations

import http.client
import logging
import math
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from llmslo_exporter import catalog
from llmslo_exporter.activity import RECENT_S, Row
from llmslo_exporter.columns import harmless
from llmslo_exporter.errors import SetupError
from llmslo_exporter.exchange import Outcome
from llmslo_exporter.samples import samples

log = logging.getLogger(__name__)

MAX_BYTES = 128 << 20  # 100 000 series are 25 MB
_PATIENCE_S, _LONGEST_S = 5.0, 10.0  # for the next bytes, for all of them
_READ_BYTES = 1 << 20
_MAX_REASON = 200  # characters: it may quote the page
KEEP_EVERY_S = 10.0  # a page of 100 000 series takes some MB
_HISTOGRAMS = (catalog.TTFT, catalog.DURATION, catalog.THROUGHPUT)
_ASKED = (catalog.REQUESTS, catalog.IN_FLIGHT, catalog.OLDEST, *_HISTOGRAMS)

Key = tuple[str, ...]
Of = TypeVar("Of", str, float)


@dataclass(slots=True)
class _Totals:
    """What one scrape says of one row; counts are since the exporter's start."""

    outcomes: dict[str, float] = field(default_factory=dict)
    buckets: dict[str, dict[float, float]] = field(default_factory=dict)  # by metric: cumulated, by upper edge
    in_flight: float = 0.0
    oldest_s: float = 0.0


_Page = Mapping[Key, _Totals]
_NOTHING = _Totals()


class Scraped:
    """Asks `url` for each table; `clock` gives seconds."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._shown = url
        self._clock = clock
        query = urlencode([("name[]", metric.name) for metric in _ASKED])
        self._url = f"{url}{'&' if urlsplit(url).query else '?'}{query}"
        # An exporter of this node is not behind a proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._kept: deque[tuple[float, _Page]] = deque()
        self._latest: _Page = {}
        self._outcomes: dict[Key, str] = {}
        self._active_s: dict[Key, float] = {}
        self._rows: tuple[Row, ...] = ()

    def rows(self) -> Sequence[Row]:
        """Return the rows now; the last ones where the exporter does not answer any more.

        Raises SetupError where it never did.
        """
        try:
            page = _page(self._text())
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = harmless(str(getattr(error, "reason", None) or error))[:_MAX_REASON]
            if not self._kept:
                msg = f"cannot read {self._shown}: {reason}; is an exporter running there (--web.listen-address)?"
                raise SetupError(msg) from error
            log.warning("the exporter does not answer", extra={"reason": reason})
            return self._rows
        self._take(page, self._clock())
        return self._rows

    def _text(self) -> str:
        until_s = self._clock() + _LONGEST_S
        body = bytearray()
        with self._opener.open(self._url, timeout=_PATIENCE_S) as answer:
            while part := answer.read1(_READ_BYTES):
                body += part
                if len(body) > MAX_BYTES or self._clock() > until_s:
                    msg = f"{len(body)} bytes and no end: a page has at most {MAX_BYTES}, within {_LONGEST_S:g} s"
                    raise ValueError(msg)
            if answer.length:
                msg = f"the page ended {answer.length} bytes early"
                raise ValueError(msg)
        return body.decode("utf-8", "replace")

    def _take(self, page: _Page, now_s: float) -> None:
        for key, totals in page.items():
            grown = _grown(totals.outcomes, self._latest.get(key, _NOTHING).outcomes) if self._kept else {}
            ended = {outcome: count for outcome, count in grown.items() if count > 0}
            if ended or totals.in_flight:
                self._active_s[key] = now_s
            if ended:
                # Of several the one that went wrong: it is why somebody looks.
                self._outcomes[key] = max(ended, key=lambda name: (name != Outcome.OK.value, ended[name]))
        self._outcomes = {key: outcome for key, outcome in self._outcomes.items() if key in page}
        self._active_s = {key: at_s for key, at_s in self._active_s.items() if key in page}
        while len(self._kept) > 1 and self._kept[1][0] <= now_s - RECENT_S:
            self._kept.popleft()
        # The first table tells of all since the exporter's start: a person who asks once wants an answer.
        before: _Page = self._kept[0][1] if self._kept else {}
        found = [self._row(key, totals, before.get(key, _NOTHING)) for key, totals in page.items()]
        found.sort(key=lambda row: (-row.in_flight, -self._active_s.get(_key(row), 0.0), -row.calls, _key(row)))
        self._rows = tuple(found)
        self._latest = page
        if not self._kept or now_s - self._kept[-1][0] >= KEEP_EVERY_S:
            self._kept.append((now_s, page))

    def _row(self, key: Key, totals: _Totals, before: _Totals) -> Row:
        namespace, workload, provider, model, operation, role = key
        calls = sum(totals.outcomes.values())
        ttft, duration, rate = (
            median(_grown(totals.buckets.get(metric.name, {}), before.buckets.get(metric.name, {})))
            for metric in _HISTOGRAMS
        )
        return Row(
            namespace=namespace,
            workload=workload,
            provider=provider,
            model=model,
            operation=operation,
            role=role,
            in_flight=int(totals.in_flight),
            oldest_s=totals.oldest_s if totals.in_flight else None,
            calls=int(calls),
            failed=int(calls - totals.outcomes.get(Outcome.OK.value, 0.0)),
            ttft_s=ttft,
            duration_s=duration,
            tokens_per_s=rate,
            outcome=self._outcomes.get(key),
        )


def _page(text: str) -> _Page:
    """Return what a page says; raise ValueError where it is no page of metrics. An empty one is: no metric yet."""
    if text.strip() and "# TYPE " not in text and next(samples(text), None) is None:
        msg = "found no metrics on the page"
        raise ValueError(msg)
    return parse(text)


def parse(text: str) -> dict[Key, _Totals]:
    """Return what a page says, by the labels of an exchange."""
    found: dict[Key, _Totals] = {}
    for sample in samples(text):
        key = tuple(sample.labels.get(label.name, "") for label in catalog.EXCHANGE_LABELS)
        metric = catalog.BY_NAME.get(sample.name.removesuffix("_bucket"))
        if metric not in _ASKED or not math.isfinite(sample.value):
            continue
        totals = found.setdefault(key, _Totals())
        if metric is catalog.REQUESTS:
            outcome = sample.labels.get(catalog.OUTCOME.name, "")
            totals.outcomes[outcome] = totals.outcomes.get(outcome, 0.0) + sample.value
        elif metric is catalog.IN_FLIGHT:
            totals.in_flight = sample.value
        elif metric is catalog.OLDEST:
            totals.oldest_s = max(totals.oldest_s, sample.value)
        elif (edge := _edge(sample.labels.get("le", ""))) is not None:
            edges = totals.buckets.setdefault(sample.name.removesuffix("_bucket"), {})
            edges[edge] = edges.get(edge, 0.0) + sample.value
    return found


def _edge(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def median(buckets: Mapping[float, float]) -> float | None:
    """Return the median of cumulated counts by upper edge, straight between two edges as Prometheus has it."""
    edges = sorted(buckets)
    if not edges or buckets[edges[-1]] <= 0:
        return None
    half = buckets[edges[-1]] / 2
    below_edge = below = 0.0
    for edge in edges:
        if buckets[edge] >= half:
            if edge == float("inf"):
                return below_edge
            inside = buckets[edge] - below
            return below_edge + (edge - below_edge) * ((half - below) / inside if inside > 0 else 1.0)
        below_edge, below = edge, buckets[edge]
    return below_edge


def _grown(now: Mapping[Of, float], before: Mapping[Of, float]) -> dict[Of, float]:
    """Return what grew; counters that fell began anew."""
    is_anew = any(value < before.get(name, 0.0) for name, value in now.items())
    return {name: value - (0.0 if is_anew else before.get(name, 0.0)) for name, value in now.items()}


def _key(row: Row) -> Key:
    return row.namespace, row.workload, row.provider, row.model, row.operation, row.role
