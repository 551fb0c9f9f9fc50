"""Plots of a promise as SVG, to stand within a page: colours are classes of the page's style, texts are escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from llmslo_rulegen.derive import reasons
from llmslo_rulegen.derive.history import Counts
from llmslo_rulegen.derive.interval import DAY_H
from llmslo_rulegen.derive.promise import Promise
from llmslo_rulegen.derive.proposal import Proposal

WIDTH, HEIGHT = 640, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 34
_MOST_POINTS = 400  # a plot has no more pixels
_FEW_DAYS = 3
_HEADROOM = 1.15


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with what it says to whoever cannot see it."""

    title: str
    says: str
    svg: str


def charts(one: Proposal, made: Promise) -> tuple[Chart, ...]:
    """Return the plots of a promise: distribution (where a threshold decides), bad events over time, budget."""
    found = [_over_time(made), _budget(made)]
    if made.kept.thresholds:
        found.insert(0, _distribution(one, made))
    return tuple(found)


def _distribution(one: Proposal, made: Promise) -> Chart:
    """Bars of the buckets: how large a share of events ended in each."""
    shares = made.kept.shares()
    is_above = one.sli == "throughput"
    within = shares if is_above else 1 - shares
    parts = np.diff(np.concatenate([[0.0], within, [1.0]]))
    kept = np.flatnonzero(parts > 0)
    first, last = max(int(kept[0]) - 1, 0), min(int(kept[-1]) + 2, len(parts))
    top = float(parts.max()) * _HEADROOM
    step = (WIDTH - _LEFT - _RIGHT) / (last - first)
    marks = list(_axis(top))
    labels = [*(reasons.edge(one, edge) for edge in made.kept.thresholds), "more"]
    every = math.ceil((last - first) * 46 / (WIDTH - _LEFT - _RIGHT))
    for place, number in enumerate(range(first, last)):
        x, height = _LEFT + place * step, _tall(float(parts[number]), top)
        is_bad = (number <= made.column) == is_above
        told = f"{'above the last bucket' if number == len(parts) - 1 else 'up to ' + labels[number]}: "
        told += reasons.percent(float(parts[number]))
        marks.append(
            f'<rect class="{"bad" if is_bad else "good"}" x="{x + 1:.1f}" y="{HEIGHT - _BOTTOM - height:.1f}"'
            f' width="{max(step - 2, 1):.1f}" height="{height:.1f}"><title>{escape(told)}</title></rect>'
        )
        if place % every == 0:
            marks.append(_text(x + step, HEIGHT - _BOTTOM + 14, labels[number], "end"))
    edge = _LEFT + (made.column + 1 - first) * step
    chosen = reasons.edge(one, made.threshold or 0.0)
    marks.append(f'<line class="edge" x1="{edge:.1f}" x2="{edge:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
    marks.append(_text(min(edge + 4, WIDTH - 90), _TOP + 10, f"threshold {chosen}", "start"))
    says = f"Share of events by bucket; beyond the threshold of {chosen} are {reasons.percent(made.estimate.share)}."
    return _chart("Distribution", says, marks)


def _over_time(made: Promise) -> Chart:
    """A line of the share of bad events by day, or hour, with the budget."""
    length, unit = _unit(made)
    bad, total = _summed(made, length)
    known = np.flatnonzero(total)
    shares = bad[known] / total[known]
    top = max(float(shares.max(initial=0.0)), made.budget) * _HEADROOM
    scale = max(len(total) - 1, 1)
    points = [(_across(int(at) / scale), _up(float(share), top)) for at, share in zip(known, shares, strict=True)]
    marks = [*_axis(top), *_times(made), *_line(points, "seen")]
    for (x, y), at, share in zip(points, known, shares, strict=True):
        if len(points) <= _MOST_POINTS // 2:
            name = "bad" if share > made.budget else "good"
            told = f"{reasons.instant(_begin(made, length) + int(at) * length)}: {reasons.percent(float(share))}"
            marks.append(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>')
    marks.extend(_level(made.budget, top, "budget"))
    over = int((shares > made.budget).sum())
    says = f"Share of bad events by {unit}; {over} of {len(shares)} {unit}s are over the budget of"
    return _chart("Compliance over time", f"{says} {reasons.percent(made.budget)}.", marks)


def _budget(made: Promise) -> Chart:
    """A line of the budget of the whole history as it was spent."""
    bad, total = _summed(made, 1)
    spent = np.cumsum(bad) / (made.budget * max(total.sum(), 1))
    chosen = np.unique(np.linspace(0, len(spent) - 1, min(len(spent), _MOST_POINTS)).astype(int))
    top = max(float(spent.max()), 1.0) * _HEADROOM
    scale = max(len(spent) - 1, 1)
    points = [(_across(int(at) / scale), _up(float(spent[at]), top)) for at in chosen]
    marks = [*_axis(top), *_times(made), *_line(points, "seen"), *_level(1.0, top, "all of it")]
    says = f"Budget of the history as it was spent: {reasons.percent(float(spent[-1]))} of it at the end."
    return _chart("Budget spent", says, marks)


def _unit(made: Promise) -> tuple[int, str]:
    return (DAY_H, "day") if made.kept.span.hours >= _FEW_DAYS * DAY_H else (1, "hour")


def _begin(made: Promise, length: int) -> int:
    return made.kept.span.first + made.kept.span.hours % length


def _summed(made: Promise, length: int) -> tuple[Counts, Counts]:
    start = made.kept.span.hours % length
    bad, total = (events[start:].reshape(-1, length).sum(axis=1) for events in made.kept.at(made.column))
    return bad, total


def _chart(title: str, says: str, marks: Iterable[str]) -> Chart:
    inside = "".join(marks)
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}. {says}")}">{inside}'
        f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{HEIGHT - _BOTTOM}" y2="{HEIGHT - _BOTTOM}"/></svg>'
    )
    return Chart(title, says, svg)


def _tall(value: float, top: float) -> float:
    return value / top * (HEIGHT - _TOP - _BOTTOM) if top else 0.0


def _up(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - _tall(value, top)


def _across(share: float) -> float:
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _axis(top: float) -> Iterator[str]:
    for part in (0.0, 0.5, 1.0):
        value = top / _HEADROOM * part
        y = _up(value, top)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 6, y + 4, reasons.percent(value), "end")


def _times(made: Promise) -> Iterator[str]:
    span = made.kept.span
    yield _text(_LEFT, HEIGHT - _BOTTOM + 16, reasons.instant(span.first), "start")
    yield _text(WIDTH - _RIGHT, HEIGHT - _BOTTOM + 16, reasons.instant(span.first + span.hours), "end")


def _level(value: float, top: float, name: str) -> Iterator[str]:
    y = _up(value, top)
    yield f'<line class="edge" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield _text(WIDTH - _RIGHT, y - 4, name, "end")


def _line(points: Sequence[tuple[float, float]], name: str) -> Iterator[str]:
    if len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline class="{name}" points="{path}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
