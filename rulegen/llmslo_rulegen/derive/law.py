"""Whether the law behind a history has changed: a step, or a drift. The past tells of the future only without.

Two statistics, the most that the means before and after an instant differ (a standardised CUSUM; Csorgo and Horvath
1997) and the slope; their chances are told by permuting days, hours where days are too few. Days that tell of the next
one move both by themselves, so they are divided by sqrt((1 + r) / (1 - r)), r the serial correlation that is left
without the step or the line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen.derive.history import Counts
from llmslo_rulegen.derive.interval import DAY_H, WEEK_D

CHANCE = 0.01  # of calling a law changed that has not
_PERMUTATIONS = 1999
_BLOCKS = ((DAY_H, 14), (6, 24), (1, 10))  # hours, and how many make a permutation that seldom comes by chance
_MARGIN = 3  # blocks on each side of a step
_SEED = 14_003
_MOST_CORRELATED = 0.8
_FEWEST_CYCLES = 3  # of a week, or a day, to know what comes again


Numbers = NDArray[np.float64]


class Form(Enum):
    """How a share of bad events changes."""

    STEP = "step"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the share of bad events at the hour `at` of the history, with both shares; `chance` of being none."""

    form: Form
    at_h: int
    before: float
    after: float
    chance: float

    @property
    def is_worse(self) -> bool:
        return self.after > self.before


def change(bad: Counts, total: Counts, most_chance: float = CHANCE) -> Change | None:
    """Return the change that there surely was between two parts of a history; None: none is seen."""
    for block_h, fewest in _BLOCKS:
        if len(total) // block_h >= fewest:
            return _change(bad, total, block_h, most_chance)
    return None


def _change(bad: Counts, total: Counts, block_h: int, most_chance: float) -> Change | None:
    start = len(total) % block_h
    wrong, every = (events[start:].reshape(-1, block_h).sum(axis=1).astype(float) for events in (bad, total))
    left = wrong - wrong.sum() / max(every.sum(), 1.0) * every
    cycle = WEEK_D if block_h == DAY_H else DAY_H // block_h
    left = _without_means(left, cycle if len(left) >= _FEWEST_CYCLES * cycle else 1)
    if not left.any():
        return None
    others = _shuffled(left)
    shrunk = _inflation(left)
    step = (1 + int((_steps(others).max(axis=1) >= _steps(left[None]).max() / shrunk).sum())) / (_PERMUTATIONS + 1)
    slope = (1 + int((_slopes(others) >= _slopes(left[None])[0] / shrunk).sum())) / (_PERMUTATIONS + 1)
    chance = min(1.0, 2 * min(step, slope))
    if chance > most_chance:
        return None
    form, at = _form(left), _at(left)
    before, after = (float(wrong[part].sum() / max(every[part].sum(), 1.0)) for part in (slice(0, at), slice(at, None)))
    return Change(form, start + at * block_h, before, after, chance)


def _without_means(left: Numbers, strata: int) -> Numbers:
    """Take away what each day of the week, or hour of the day, has in common; a step within the history stays."""
    found = left.copy()
    for day in range(strata):
        found[day::strata] -= found[day::strata].mean()
    return found


def _shuffled(left: Numbers) -> Numbers:
    """Return histories of a law that does not change: the blocks in any order."""
    rng = np.random.default_rng(_SEED)
    found: Numbers = rng.permuted(np.tile(left, (_PERMUTATIONS, 1)), axis=1)
    return found


def _steps(histories: Numbers) -> Numbers:
    """Return, for each instant that has `_MARGIN` blocks on both sides, how far apart the means of the sides are.

    Over the root of what chance would make of it, so that a step near the end counts as one in the middle.
    """
    blocks = histories.shape[1]
    at = np.arange(_MARGIN, blocks - _MARGIN + 1)
    sums = np.abs(np.cumsum(histories, axis=1))[:, at - 1]
    found: Numbers = sums / np.sqrt(at * (blocks - at) / blocks)
    return found


def _slopes(histories: Numbers) -> Numbers:
    time = _time(histories.shape[1])
    found: Numbers = np.abs(histories @ time)
    return found


def _time(blocks: int) -> Numbers:
    return np.arange(blocks, dtype=float) - (blocks - 1) / 2


def _at(left: Numbers) -> int:
    return int(_steps(left[None])[0].argmax()) + _MARGIN


def _without_step(left: Numbers) -> Numbers:
    at = _at(left)
    return np.concatenate([left[:at] - left[:at].mean(), left[at:] - left[at:].mean()])


def _without_line(left: Numbers) -> Numbers:
    time = _time(len(left))
    found: Numbers = left - left.mean() - time * float(time @ left) / float(time @ time)
    return found


def _inflation(left: Numbers) -> float:
    """Return how many times larger a statistic is because blocks tell of the next, a change apart."""
    rest = min((_without_step(left), _without_line(left)), key=lambda one: float(one @ one))
    spread = float(rest @ rest)
    found = float(rest[1:] @ rest[:-1]) / spread if spread > 0 else 0.0
    found = min(max(found, 0.0), _MOST_CORRELATED)
    return math.sqrt((1 + found) / (1 - found))


def _form(left: Numbers) -> Form:
    """Return which explains more: two levels, or a line."""
    line, step = _without_line(left), _without_step(left)
    return Form.DRIFT if float(line @ line) < float(step @ step) else Form.STEP
