"""What a measurement gives: figures with their goals, all of one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BenchError(Exception):
    """Something could not be measured; the text says what."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What every measurement is given."""

    rounds: int
    loader: str
    folder: Path  # of this run; goes with it
    say: Callable[[str], None]
    spans: tuple[int, ...]  # of the files that are summed up


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the median."""

    limit: float
    is_floor: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value keeps to the bound."""
        return value >= self.limit if self.is_floor else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.is_floor else '<='} {self.limit:.4g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: all values of a quantity, one a round."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """The value that stands for the rounds."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal holds; None: there is none."""
        return self.goal.holds(self.median) if self.goal else None

    def facts(self) -> dict[str, Any]:
        """The figure as JSON values."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
            "goal": str(self.goal) if self.goal else None,
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Missing:
    """A line that could not be measured."""

    name: str
    reason: str

    def facts(self) -> dict[str, Any]:
        """The gap as JSON values."""
        return {"name": self.name, "failed": self.reason}


Line = Figure | Missing


def difference(ones: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
    """Return `ones` minus `others`, round by round."""
    return tuple(one - other for one, other in zip(ones, others, strict=True))


def ratio(ones: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
    """Return `ones` over `others`, round by round."""
    return tuple(one / other for one, other in zip(ones, others, strict=True))
