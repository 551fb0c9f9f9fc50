"""A month of ten SLOs over the exporter's counters, scraped and evaluated as by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np

from llmslo_exporter.catalog import BUILD_INFO, OWN
from llmslo_rulegen import events, promql
from llmslo_rulegen.backtest.points import Instants, Points
from llmslo_rulegen.backtest.replay import replay
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.vector import NAME, Labels, labels
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import Alerting, CatalogSli, Place, Slo, Window

DAYS, SCRAPE_S, EVALUATION_S = 30, 30, 60
DAY_S = 86_400
NAMES = (
    "availability",
    "ttft",
    "latency",
    "tpot",
    "gap",
    "completeness",
    "ratelimit",
    "overload",
    "throughput",
    "ttot",
)
PER_SCRAPE, BAD = 4.0, 0.002
MODELS = ("small", "large")
_BEGIN_S = 1_767_571_200


def slos() -> tuple[Slo, ...]:
    """Return one SLO for each SLI."""
    first = Slo(
        "chat", "", CatalogSli("", OWN), Decimal("99.5"), Window(30 * DAY_S), Alerting("Burning"), Place("slo.yaml", 1)
    )
    return tuple(replace(first, name=name, sli=CatalogSli(name, OWN), scrape_interval_s=SCRAPE_S) for name in NAMES)


def instants() -> Instants:
    """Return the evaluations."""
    return (np.arange(0, DAYS * DAY_S + 1, EVALUATION_S, dtype=np.int64) + _BEGIN_S) * 1000


def store() -> Store:
    """Return what all the SLOs read, of two models."""
    return Store(_series())


def replayed(slo: Slo, found: Store, at_ms: Instants) -> int:
    """Return how often alerts fired."""
    (group,) = groups(slo, sloth=False)
    return len(replay(group, found, at_ms).firings)


def _series() -> Iterator[tuple[Labels, Points]]:
    rng = np.random.default_rng(7)
    at_ms = (np.arange(0, DAYS * DAY_S + 1, SCRAPE_S, dtype=np.int64) + _BEGIN_S) * 1000

    def counter(rate: float) -> Points:
        return Points(at_ms, np.cumsum(rng.poisson(rate, len(at_ms))).astype(np.float64))

    target = ((NAME, "up"), ("instance", "node:1"), ("job", "exporter"))
    always = Points(at_ms, np.ones(len(at_ms)))
    yield labels(target), always
    yield labels((*target[1:], (NAME, BUILD_INFO.name))), always
    known: dict[Labels, Points] = {}
    for key, rate, of in _counters(labels(target[1:])):
        if key in known:
            continue
        grown = counter(rate)
        known[key] = Points(at_ms, known[of].values - grown.values) if of is not None else grown
        yield key, known[key]


def _counters(target: Labels) -> Iterator[tuple[Labels, float, Labels | None]]:
    """Yield the counters of all SLIs and how much each grows between two scrapes; or how much less than another one."""
    for name in NAMES:
        sli = events.definition(CatalogSli(name, OWN))
        for metric, model in product(sli.metrics, MODELS):
            own = (*target, ("model", model), ("role", "client"))
            if metric.is_histogram:
                count = labels((*own, (NAME, f"{metric.name}_count")))
                edge = promql.number(sli.threshold or 0)
                yield count, PER_SCRAPE, None
                yield labels((*own, (NAME, f"{metric.name}_bucket"), ("le", edge))), PER_SCRAPE * BAD, count
                continue
            label = metric.extra[0]
            for place, value in enumerate(label.values):
                share = BAD / len(label.values) if place else 1
                yield labels((*own, (NAME, metric.name), (label.name, value))), PER_SCRAPE * share, None
