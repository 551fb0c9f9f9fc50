"""A replay as a drawing: a panel for each tier's burn and one for the budget, under one axis of time.

Lengths are units of the SVG's view box. A burn is drawn on a logarithm: an outage is a hundred times a quiet day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from llmslo_exporter.catalog import EXHAUSTED
from llmslo_rulegen import promql
from llmslo_rulegen.backtest.curves import Curves
from llmslo_rulegen.backtest.verdict import Alert, Verdict

WIDTH, LEFT, RIGHT = 960.0, 150.0, 10.0
_PANEL, _BAR, _GAP, _AXIS = 56.0, 8.0, 14.0, 24.0
_LEAST_BURN = 0.1
_TICKS = 7
_STEPS_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, *(days * 86_400 for days in (1, 2, 5, 7, 14, 30, 60)))


@dataclass(frozen=True, slots=True)
class Box:
    """A stretch of time: its left edge and width."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve from `top` on: its path, the height of its limit, and below it when its alert fired."""

    name: str
    limit: str
    top: str
    bottom: str
    limit_y: str
    bars_y: str
    path: str
    bars: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing; `shades` are the episodes."""

    height: str
    bottom: str
    panels: tuple[Panel, ...]
    shades: tuple[Box, ...]
    ticks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A curve and its limit as shares of a panel's height, and when its alert fired."""

    name: str
    limit_text: str
    heights: Sequence[float]
    limit: float
    firing: Sequence[Alert]


def timeline(told: Verdict) -> Timeline:
    """Return the drawing of a replay."""
    curves = told.curves
    panels = tuple(_panels(told))
    bottom = (_PANEL + _BAR + _GAP) * len(panels)
    shades = tuple(_box(curves, each.episode.begin_ms, each.episode.end_ms) for each in told.answers)
    ticks = tuple((_shown(_x(curves, at_ms)), text) for at_ms, text in _ticks(curves))
    return Timeline(_shown(bottom + _AXIS), _shown(bottom), panels, shades, ticks)


def _panels(told: Verdict) -> Iterator[Panel]:
    curves = told.curves
    highest = 1 / float(told.slo.budget)
    for place, burn in enumerate(curves.burns):
        firing = [alert for alert in told.alerts if alert.tier is not None and alert.tier.name == burn.tier.name]
        heights = [_logarithm(rate, highest) for rate in burn.rates]
        limit = f"{promql.number(burn.tier.factor)} times too fast, {promql.duration(burn.tier.long_s)}"
        line = _Line(burn.tier.name, limit, heights, _logarithm(burn.tier.factor, highest), firing)
        yield _panel(place, line, curves)
    most = max(1.0, *curves.spent)
    spent = [alert for alert in told.alerts if alert.kind == EXHAUSTED]
    heights = [value / most for value in curves.spent]
    yield _panel(len(curves.burns), _Line("budget spent", "all of it", heights, 1 / most, spent), curves)


def _panel(place: int, line: _Line, curves: Curves) -> Panel:
    top = (_PANEL + _BAR + _GAP) * place
    bottom = top + _PANEL
    bars = tuple(_box(curves, each.firing.begin_ms, each.firing.end_ms or curves.end_ms) for each in line.firing)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(line.heights) - 1)
    points = (
        f"{_shown(LEFT + step * number)} {_shown(bottom - _PANEL * height)}"
        for number, height in enumerate(line.heights)
    )
    path, limit_y = "M" + "L".join(points), bottom - _PANEL * line.limit
    top_at, bottom_at, limit_at, bars_at = (_shown(each) for each in (top, bottom, limit_y, bottom + 1))
    return Panel(line.name, line.limit_text, top_at, bottom_at, limit_at, bars_at, path, bars)


def _logarithm(rate: float, highest: float) -> float:
    """Return a burn as a share of the panel's height: 0.1 and less at its bottom, all events bad at its top."""
    if rate <= _LEAST_BURN:
        return 0.0
    return min(1.0, math.log(rate / _LEAST_BURN) / math.log(max(highest, 2 * _LEAST_BURN) / _LEAST_BURN))


def _x(curves: Curves, at_ms: int) -> float:
    length = max(1, curves.end_ms - curves.begin_ms)
    share = min(1.0, max(0.0, (at_ms - curves.begin_ms) / length))
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _box(curves: Curves, begin_ms: int, end_ms: int) -> Box:
    begin, end = _x(curves, begin_ms), _x(curves, end_ms)
    return Box(_shown(begin), _shown(max(1.0, end - begin)))


def _ticks(curves: Curves) -> Iterator[tuple[int, str]]:
    lasts_s = (curves.end_ms - curves.begin_ms) / 1000
    step_s = next((step for step in _STEPS_S if lasts_s / step <= _TICKS), _STEPS_S[-1])
    first = -(-curves.begin_ms // (step_s * 1000))
    for number in range(first, curves.end_ms // (step_s * 1000) + 1):
        at = datetime.fromtimestamp(number * step_s, UTC)
        yield number * step_s * 1000, f"{at:%m-%d}" if step_s >= 86_400 else f"{at:%m-%d %H:%M}"  # noqa: PLR2004 -- a day


def _shown(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")
