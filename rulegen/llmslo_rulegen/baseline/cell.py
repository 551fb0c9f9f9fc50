"""One hour of one kind of call: counts and spreads."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from llmslo_rulegen.baseline.sketch import Sketch

OK = "ok"
PROMPTS = (("1k", 1024), ("8k", 8192), ("32k", 32768), ("128k", 131072))  # input tokens, at most
LARGER = "more"
_NAMES = (*(name for name, _ in PROMPTS), LARGER)
_MOST = tuple(most for _, most in PROMPTS)


class Quantity(Enum):
    """What is measured of a call, each in its unit."""

    DURATION = "duration_seconds"  # of calls that succeeded
    TTFT = "time_to_first_token_seconds"  # of streams that reached one
    TPOT = "time_per_output_token_seconds"  # of streams that succeeded
    THROUGHPUT = "output_tokens_per_second"  # after the first token
    INPUT = "input_tokens"
    OUTPUT = "output_tokens"


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """Calls that are alike: what they have in common but the time.

    `source` is the catalog's name; `prompt` one of `PROMPTS`, the size of what was asked.
    """

    source: str
    service: str
    operation: str
    provider: str
    model: str
    stream: bool
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What happened within an hour, UTC: calls by outcome ("ok" for success), values by quantity, choices by finish."""

    outcomes: tuple[tuple[str, int], ...]
    spreads: tuple[tuple[Quantity, Sketch], ...]
    finishes: tuple[tuple[str, int], ...] = ()

    @property
    def count(self) -> int:
        return sum(count for _, count in self.outcomes)

    def outcome(self, *names: str) -> int:
        """Return how many calls ended so."""
        return sum(count for name, count in self.outcomes if name in names)

    def spread(self, quantity: Quantity) -> Sketch:
        """Return how a quantity is spread; of none, an empty sketch."""
        return next((sketch for found, sketch in self.spreads if found is quantity), Sketch())


def prompt(tokens: int | None) -> str:
    """Return the class of a prompt of so many input tokens; of an unknown number, an empty one."""
    return "" if tokens is None else _NAMES[bisect_left(_MOST, tokens)]


def merged(cells: Iterable[Cell]) -> Cell:
    """Add cells up; the order does not matter."""
    outcomes: Counter[str] = Counter()
    finishes: Counter[str] = Counter()
    spreads: dict[Quantity, list[Sketch]] = {}
    for cell in cells:
        outcomes.update(dict(cell.outcomes))
        finishes.update(dict(cell.finishes))
        for quantity, sketch in cell.spreads:
            spreads.setdefault(quantity, []).append(sketch)
    return Cell(
        tuple(sorted(outcomes.items())),
        tuple((quantity, Sketch.merged(spreads[quantity])) for quantity in Quantity if quantity in spreads),
        tuple(sorted(finishes.items())),
    )
