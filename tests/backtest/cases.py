"""Random SLOs over random series: sparse, with gaps, resets, bursts, outages, late births and deaths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from llmslo_exporter.catalog import BUILD_INFO, BY_SOURCE, OWN, Selection
from llmslo_rulegen import events
from llmslo_rulegen.backtest.points import Points
from llmslo_rulegen.backtest.vector import NAME, Labels, labels
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Op,
    Place,
    Sli,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.tier import Severity, Tier

DAY_S = 86_400
Rng = np.random.Generator
Series = tuple[Labels, tuple[str, ...]]  # values as promtool writes them: a number, `_` for none, `stale`

OBJECTIVES = ("50", "70", "80", "90", "95", "97.5", "99", "99.5", "99.9", "99.99")
WINDOWS = (
    *(Window(days * DAY_S) for days in (1, 2, 3, 7, 28, 30, 90)),
    Window(7 * DAY_S, Calendar.WEEK),
    Window(31 * DAY_S, Calendar.MONTH),
    Window(92 * DAY_S, Calendar.QUARTER),
    Window(365 * DAY_S),
)
OWN_TIERS = (
    Tier("page_fast", Severity.PAGE, 10, 3600, 300),
    Tier("ticket_slow", Severity.TICKET, 1.5, 4 * 3600, 1800),
)
HISTOGRAM = "answer_seconds"
GOOD, TOTAL = "calls_good_total", "calls_total"


@dataclass(frozen=True, slots=True)
class Case:
    """One SLO, the series it reads, and the clock: all in seconds from 0."""

    slo: Slo
    series: tuple[Series, ...]
    scrape_s: int
    evaluation_s: int
    length_s: int

    def points(self) -> Iterator[tuple[Labels, Points]]:
        """Yield the series as a store has them."""
        for key, values in self.series:
            at_ms = np.arange(len(values), dtype=np.int64) * self.scrape_s * 1000
            there = np.array([value not in {"_", "stale"} for value in values])
            ended = np.array([value == "stale" for value in values])
            yield (
                key,
                Points(
                    at_ms[there],
                    np.array([float(value) for value in values if value not in {"_", "stale"}]),
                    at_ms[ended],
                ),
            )

    def instants(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the evaluations."""
        return np.arange(0, self.length_s + 1, self.evaluation_s, dtype=np.int64) * 1000


def case(seed: int) -> Case:
    """Return one case; the same seed gives the same."""
    rng = np.random.default_rng([2026, seed])
    scrape_s = int(rng.choice([15, 30, 60]))
    evaluation_s = int(rng.choice([30, 60, 120, 300]))
    length_s = int(rng.integers(90, 420)) * evaluation_s // 60 * 60
    grouped = bool(rng.random() < 0.4)
    sli = _sli(rng)
    slo = Slo(
        "service",
        f"slo-{seed}",
        sli,
        Decimal(str(rng.choice(OBJECTIVES))),
        WINDOWS[rng.integers(len(WINDOWS))],
        Alerting("Burning", tiers=OWN_TIERS if rng.random() < 0.3 else None),
        Place("slo.yaml", 1),
        group_by=("model",) if grouped else (),
        scrape_interval_s=scrape_s,
        low_traffic=LowTraffic(*_low_traffic(rng)),
    )
    return Case(slo, tuple(_series(rng, sli, length_s // scrape_s + 1)), scrape_s, evaluation_s, length_s)


def _low_traffic(rng: Rng) -> tuple[int | None, float | None]:
    kind = rng.integers(4)
    return (int(rng.integers(1, 20)), None) if kind == 0 else (None, 0.95) if kind == 1 else (None, None)


def _sli(rng: Rng) -> Sli:
    kind = rng.integers(6)
    if kind < 3:
        source = BY_SOURCE[str(rng.choice([OWN, OWN, "otel-genai-b", "vllm", "litellm"]))]
        found = source.slis[rng.integers(len(source.slis))]
        edge = float(rng.choice(found.edges)) if found.edges else None
        select = (Matcher("model", Op.MATCH, "m.*"),) if rng.random() < 0.3 else ()
        return CatalogSli(found.name, source.name, select, edge)
    if kind == 3:
        return HistogramSli(f'{HISTOGRAM}{{job="app"}}', 2.5)
    if kind == 4:
        text = "sum by (model) (condition_ok)" if rng.random() < 0.5 else 'condition_ok{model="m1"} > 0.5'
        return SlicedSli(text, condition=bool(rng.random() < 0.5))
    function = EventFunction.RATE if rng.random() < 0.5 else EventFunction.INCREASE
    total = f"sum by (model) ({function.value}({TOTAL}[{{{{window}}}}]))"
    return EventsSli(total, function, good=f"sum by (model) ({function.value}({GOOD}[{{{{window}}}}]))")


def _series(rng: Rng, sli: Sli, scrapes: int) -> Iterator[Series]:
    shared = _badness(rng, scrapes)
    for process in range(int(rng.integers(1, 4))):
        instance = (("instance", f"host{process}:1"), ("job", "app"))
        life = _life(rng, scrapes)
        yield _named("up", instance, ["1" if lives else "0" for lives in life])
        yield _named(
            BUILD_INFO.name, instance, ["1" if lives else "stale" if before else "_" for lives, before in _pairs(life)]
        )
        for model in ("m1", "m2")[: int(rng.integers(1, 3))]:
            for name, own, steps in _counted(rng, sli, shared):
                yield _named(name, (*instance, ("model", model), *own), _shown(rng, steps, life))


def _named(name: str, own: Sequence[tuple[str, str]], values: Sequence[str]) -> Series:
    return labels([(NAME, name), *own]), tuple(values)


def _pairs(life: np.ndarray) -> Iterator[tuple[bool, bool]]:
    return zip(life.tolist(), [False, *life.tolist()[:-1]], strict=True)


def _life(rng: Rng, scrapes: int) -> np.ndarray:
    """When a target answers: born late or gone early at times, with gaps."""
    life = np.ones(scrapes, np.bool_)
    if rng.random() < 0.3:
        life[: rng.integers(scrapes)] = False
    if rng.random() < 0.2:
        life[rng.integers(scrapes) :] = False
    for _ in range(rng.poisson(0.7)):
        begin = rng.integers(scrapes)
        life[begin : begin + int(rng.exponential(20)) + 1] = False
    return life


def _badness(rng: Rng, scrapes: int) -> np.ndarray:
    """The bad share over time: a little, with outages long or short."""
    share = np.full(scrapes, rng.choice([0.0, 0.001, 0.01, 0.1]))
    for _ in range(rng.integers(0, 4)):
        begin = rng.integers(scrapes)
        share[begin : begin + int(rng.exponential(scrapes / 6)) + 1] = rng.choice([0.05, 0.3, 1.0])
    return share


def _traffic(rng: Rng, scrapes: int) -> np.ndarray:
    """Events per scrape: rare, steady or in bursts, at times none."""
    rate = np.full(scrapes, 10 ** rng.uniform(-2.5, 2.5))
    if rng.random() < 0.4:
        rate *= rng.exponential(1, scrapes) ** 3
    for _ in range(rng.poisson(0.6)):
        begin = rng.integers(scrapes)
        rate[begin : begin + int(rng.exponential(scrapes / 4))] = 0
    return rng.poisson(rate)


def _counted(rng: Rng, sli: Sli, share: np.ndarray) -> Iterator[tuple[str, tuple[tuple[str, str], ...], np.ndarray]]:
    """Yield names, labels and events per scrape of what an SLI reads."""
    total = _traffic(rng, len(share))
    bad = rng.binomial(total, share)
    if isinstance(sli, EventsSli):
        yield TOTAL, (), total
        yield GOOD, (), total - bad
    elif isinstance(sli, HistogramSli):
        yield from _histogram(HISTOGRAM, sli.threshold, (), total, bad)
    elif isinstance(sli, CatalogSli):
        found = events.definition(sli)
        for selection in {id(each.metric): each for each in (*found.total, *found.bad, *found.good)}.values():
            yield from _metric(selection, sli, total, bad)
    else:
        yield "condition_ok", (), -np.sign(bad)  # no counter: read as it is


def _metric(selection: Selection, sli: CatalogSli, total, bad):
    metric, found = selection.metric, events.definition(sli)
    fixed = (("role", "client"),) if any(label.name == "role" for label in metric.labels) else ()
    if metric.is_histogram:
        edge = sli.threshold or found.threshold or metric.buckets[0]
        yield from _histogram(metric.name, edge, fixed, total, bad)
        return
    own = labels((*fixed, *((label.name, values[-1]) for label, values in selection.values[:1])))
    yield metric.name, own, total - bad
    for each in found.bad:
        key = labels((*fixed, *((label.name, values[0]) for label, values in each.values[:1])))
        if each.metric is metric and key != own:
            yield metric.name, key, bad


def _histogram(name: str, edge: float, own, total, bad):
    text = repr(float(edge))
    yield f"{name}_count", own, total
    yield f"{name}_bucket", (*own, ("le", text.removesuffix(".0"))), total - bad
    yield f"{name}_bucket", (*own, ("le", "+Inf")), total


def _shown(rng: Rng, steps: np.ndarray, life: np.ndarray) -> list[str]:
    """What a scrape of a counter finds; resets at random, and where the target was away at times."""
    if (steps < 0).any() or (not steps.any() and rng.random() < 0.5):
        values = np.abs(steps - 1 if rng.random() < 0.5 else steps)
    else:
        values = np.cumsum(steps)
        for _ in range(rng.poisson(0.8)):
            place = rng.integers(len(values))
            values[place:] -= values[place] - (int(steps[place]) if rng.random() < 0.7 else 0)
        values = np.abs(values)
    lazy = rng.random() < 0.3
    marks = rng.random() < 0.7
    found, seen = [], False
    for place, lives in enumerate(life.tolist()):
        if lives and not (lazy and not seen and values[place] == 0):
            found.append(str(int(values[place])))
            seen = True
        else:
            found.append("stale" if marks and place and life[place - 1] and seen else "_")
    return found
