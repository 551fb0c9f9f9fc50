"""How many events of an SLO were bad, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts events; `reasons` of the bad ones are classes of errors, or "" where a value was out of bounds."""

    total: int = 0
    bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str | None) -> None:
        """Count an event; `reason` says why it is bad, None that it is good."""
        self.total += 1
        if reason is not None:
            self.bad += 1
            self.reasons[reason] += 1
