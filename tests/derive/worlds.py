"""Synthetic worlds: laws of traffic, failures and latency that are known, so that the truth is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind, Quantity
from llmslo_rulegen.baseline.sketch import Sketch, edges

DAY_H = 24
START_H = 20_003 * DAY_H  # since the epoch; a Monday
VLLM = "vllm"
OTEL = "otel-genai-b"


@dataclass(frozen=True, slots=True)
class Latency:
    """Log-normal, with a share of calls `slow_share` that take `slow_times` as long."""

    median_s: float
    sigma: float
    slow_share: float = 0.0
    slow_times: float = 10.0
    pareto: float = 0.0  # above 0: the tail is a Pareto's of this exponent, from the median on

    def beyond(self, shift: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return hours x edges: the share of calls above each edge; `shift` is of the logarithm."""
        log = np.log(at)[None, :] - np.log(self.median_s) - shift[:, None]
        if self.pareto:
            return np.where(log > 0, 0.5 * np.exp(-self.pareto * np.maximum(log, 0)), 1 - 0.5 * np.exp(log))
        body = _normal_above(log / self.sigma)
        return (1 - self.slow_share) * body + self.slow_share * _normal_above(
            (log - np.log(self.slow_times)) / self.sigma
        )


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls an hour and what they suffer; shifts of log latency and of the log odds of failure by hour."""

    kind: Kind
    per_hour: float
    latency: Latency
    failures: float = 0.002
    swing: float = 0.6  # of traffic over the day, 0 to 1
    weekend: float = 1.0  # times the traffic
    slower_by_day: float = 0.0  # of log latency at the busiest hour
    slower_at_weekends: float = 0.0
    hour_noise: float = 0.05  # of log latency, independent by hour
    day_noise: float = 0.05  # of log latency, of a whole day
    day_memory: float = 0.0  # how much of a day's noise stays the next day
    outages_per_day: float = 0.0
    outage_h: float = 0.5  # mean length
    outage_share: float = 0.6  # of calls that then fail
    slow_spells_per_day: float = 0.0
    spell_h: float = 1.0
    spell_times: float = 4.0  # as slow
    failures_by_day: float = 0.0  # of log odds at the busiest hour
    step_at_d: float | None = None  # the law changes: latency by `step_times`, failures by as much
    step_times: float = 1.0
    drift_per_day: float = 0.0  # of log latency and log odds


@dataclass(frozen=True, slots=True)
class World:
    """One law; `days` of history are shown. `changes`: the law does not stay the same."""

    name: str
    days: float
    traffic: tuple[Traffic, ...]
    changes: bool = False


@dataclass
class Seen:
    """What came of one kind: calls, failures and, by edge, calls within it; by hour."""

    kind: Kind
    ok: np.ndarray
    failed: np.ndarray
    bins: np.ndarray  # hours x (edges + 1)
    at: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def cut(self, first: int, last: int) -> Seen:
        return Seen(self.kind, self.ok[first:last], self.failed[first:last], self.bins[first:last], self.at)


QUANTITY = {VLLM: Quantity.TTFT, OTEL: Quantity.TTFT}


def live(world: World, rng: np.random.Generator, hours: int, at: np.ndarray, *, start_h: int = 0) -> list[Seen]:
    """Return `hours` of a world; `at` are the edges that are told apart."""
    return [_live(one, rng, hours, at, start_h) for one in world.traffic]


def _live(one: Traffic, rng: np.random.Generator, hours: int, at: np.ndarray, start_h: int) -> Seen:
    hour = np.arange(start_h, start_h + hours)
    day = np.cos((hour % DAY_H - 14) / DAY_H * 2 * np.pi)
    weekend = (hour // DAY_H) % 7 >= 5
    rate = one.per_hour * (1 + one.swing * day) * np.where(weekend, one.weekend, 1.0)
    calls = rng.poisson(rate)
    shift = one.slower_by_day * day + one.slower_at_weekends * weekend
    shift = shift + one.hour_noise * rng.standard_normal(hours) + _day_noise(one, rng, hours)
    law = _law(one, hour)
    shift = shift + law + np.log(one.spell_times) * _spells(rng, hours, one.slow_spells_per_day, one.spell_h)
    odds = one.failures / (1 - one.failures) * np.exp(law + one.failures_by_day * day)
    fails = odds / (1 + odds)
    out = _spells(rng, hours, one.outages_per_day, one.outage_h)
    fails = fails + (1 - fails) * one.outage_share * out
    failed = rng.binomial(calls, np.clip(fails, 0, 1))
    ok = calls - failed
    beyond = one.latency.beyond(shift, at)
    shares = np.diff(np.concatenate([np.zeros((hours, 1)), 1 - beyond, np.ones((hours, 1))], axis=1), axis=1)
    shares = np.clip(shares, 0, None)
    return Seen(one.kind, ok, failed, rng.multinomial(ok, shares / shares.sum(axis=1, keepdims=True)), at)


def _day_noise(one: Traffic, rng: np.random.Generator, hours: int) -> np.ndarray:
    days = hours // DAY_H + 2
    white = rng.standard_normal(days)
    found = np.empty(days)
    last = white[0]
    for number in range(days):
        last = one.day_memory * last + np.sqrt(1 - one.day_memory**2) * white[number] if number else white[0]
        found[number] = last
    return one.day_noise * np.repeat(found, DAY_H)[:hours]


def _law(one: Traffic, hour: np.ndarray) -> np.ndarray:
    found = one.drift_per_day * hour / DAY_H
    if one.step_at_d is not None:
        found = found + np.log(one.step_times) * (hour >= one.step_at_d * DAY_H)
    return found


def _spells(rng: np.random.Generator, hours: int, per_day: float, mean_h: float) -> np.ndarray:
    """Return the share of each hour that lies in a spell; spells begin at random and last for a random while."""
    found = np.zeros(hours)
    for begin in rng.uniform(0, hours, rng.poisson(per_day * hours / DAY_H)):
        left, at = rng.exponential(mean_h), begin
        while left > 0 and at < hours:
            part = min(left, np.floor(at) + 1 - at)
            found[int(at)] += part
            at, left = np.floor(at) + 1, left - part
    return np.minimum(found, 1.0)


def _normal_above(z: np.ndarray) -> np.ndarray:
    """P(Z > z) within 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    x = np.abs(z) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    above = 0.5 * poly * np.exp(-x * x)
    return np.where(z >= 0, above, 1 - above)


def baseline(seen: list[Seen], first: int = START_H) -> Baseline:
    """Return what a reader of spans would have summed up."""
    cells: dict[tuple[Kind, int], Cell] = {}
    for one in seen:
        place = np.append(np.searchsorted(edges(), one.at), len(edges()))
        quantity = QUANTITY[one.kind.source]
        for hour in np.flatnonzero(one.ok + one.failed):
            kept = np.flatnonzero(one.bins[hour])
            sketch = Sketch(tuple(place[kept].tolist()), tuple(one.bins[hour][kept].tolist()))
            found = {"ok": int(one.ok[hour]), "server_error": int(one.failed[hour])}
            outcomes = tuple(sorted((name, count) for name, count in found.items() if count))
            cells[one.kind, first + int(hour)] = Cell(outcomes, ((quantity, sketch),) if sketch.at else ())
    return Baseline(cells)


def _kind(source: str, model: str = "m-large", prompt: str = "1k") -> Kind:
    return Kind(source, "assistant", "chat", "openai", model, stream=True, prompt=prompt)


def _plain(per_hour: float, latency: Latency, **more: object) -> Traffic:
    return replace(Traffic(_kind(VLLM), per_hour, latency), **more)


STEADY = Latency(0.4, 0.5)
HEAVY = Latency(0.3, 0.5, slow_share=0.03, slow_times=15)
PARETO = Latency(0.3, 0.5, pareto=1.3)


def _otel(traffic: Traffic) -> Traffic:
    return replace(traffic, kind=_kind(OTEL))


def _mixed(per_hour: float, *, apart: float) -> tuple[Traffic, ...]:
    small = replace(_plain(per_hour, Latency(0.2, 0.4)), kind=_kind(VLLM, "m-small"))
    large = replace(_plain(per_hour / 3, Latency(0.2 * apart, 0.4)), kind=_kind(VLLM, "m-large"))
    return small, large


def _steady() -> list[World]:
    return [
        World("steady", 28, (_plain(200, STEADY),)),
        World("steady, a year's quarter", 90, (_plain(100, STEADY),)),
        World("steady, two weeks", 14, (_plain(200, STEADY),)),
        World("steady, nine days", 9, (_plain(300, STEADY),)),
        World("heavy tails", 28, (_plain(200, HEAVY),)),
        World("heavy tails, few", 28, (_plain(8, HEAVY),)),
        World("Pareto's tail", 28, (_plain(150, PARETO),)),
        World("daily cycle", 28, (_plain(200, STEADY, slower_by_day=0.5, failures_by_day=1.0, swing=0.9),)),
        World("daily cycle, OpenTelemetry", 28, (_otel(_plain(120, STEADY, slower_by_day=0.6)),)),
        World("weekday cycle", 35, (_plain(200, STEADY, weekend=0.2, slower_at_weekends=-0.5),)),
        World("weekday cycle, slow weekends", 42, (_plain(100, STEADY, weekend=0.5, slower_at_weekends=0.5),)),
        World(
            "daily and weekday cycle", 42, (_plain(150, STEADY, weekend=0.3, slower_by_day=0.4, failures_by_day=0.5),)
        ),
        World("few calls", 28, (_plain(2, STEADY, failures=0.01),)),
        World("very few calls", 42, (_plain(0.5, STEADY, failures=0.03),)),
        World("few calls, two weeks", 14, (_plain(5, STEADY, failures=0.02),)),
        World("rare failures", 28, (_plain(400, STEADY, failures=0.00005),)),
        World("outages now and then", 42, (_plain(200, STEADY, outages_per_day=0.25),)),
        World("rare outages", 60, (_plain(200, STEADY, outages_per_day=0.1, outage_h=1.0),)),
        World("slow spells", 42, (_plain(150, STEADY, slow_spells_per_day=0.5),)),
        World(
            "correlated bursts",
            42,
            (_plain(100, STEADY, slow_spells_per_day=2.0, spell_h=0.3, outages_per_day=1.0, outage_h=0.1),),
        ),
        World("restless days", 42, (_plain(200, STEADY, day_noise=0.25),)),
        World("days that tell of the next", 60, (_plain(200, STEADY, day_noise=0.2, day_memory=0.5),)),
        World("restless hours", 28, (_plain(200, STEADY, hour_noise=0.4),)),
        World("mixed models", 28, _mixed(120, apart=6)),
        World("mixed models, alike", 28, _mixed(120, apart=1.05)),
        World("many failures", 28, (_plain(100, STEADY, failures=0.08, day_noise=0.1),)),
        World("busy", 28, (_otel(_plain(5000, HEAVY)),)),
    ]


def _changing() -> list[World]:
    step = World("step", 42, (_plain(200, STEADY, step_at_d=30, step_times=2.0),), changes=True)
    return [
        step,
        replace(step, name="step, just now", traffic=(_plain(200, STEADY, step_at_d=39, step_times=2.5),)),
        replace(step, name="step for the better", traffic=(_plain(200, STEADY, step_at_d=25, step_times=0.5),)),
        replace(step, name="drift", traffic=(_plain(200, STEADY, drift_per_day=0.015),)),
        replace(step, name="drift, few calls", traffic=(_plain(20, STEADY, drift_per_day=0.03),)),
        replace(step, name="drift for the better", traffic=(_plain(200, STEADY, drift_per_day=-0.02),)),
    ]


WORLDS: tuple[World, ...] = (*_steady(), *_changing())
Lives = Callable[[World, np.random.Generator], list[Seen]]
