"""What so many bad events say of a promise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

Z = 1.959963984540054  # of a two-sided interval of 95 %
_LEAST_BAD = 3  # none of n events was bad: at 95 %, less than 3/n of all are (the rule of three)


class Verdict(Enum):
    """How an SLO stands after these events."""

    MET = "met"
    NOT_MET = "not met"
    TOO_FEW = "too few events to say"
    NO_EVENTS = "no events"
    UNVERIFIABLE = "not verifiable"


@dataclass(frozen=True, slots=True)
class Judged:
    """A share of bad events, its 95 % interval, and what follows of it; `budget_used` is 1 where all is used."""

    events: int
    bad: int
    low: float
    high: float
    budget_used: float
    verdict: Verdict

    @property
    def good_share(self) -> float | None:
        """The share of good events; None without any."""
        return 1 - self.bad / self.events if self.events else None


def judge(bad: int, events: int, objective: Decimal) -> Judged:
    """Return the verdict on `bad` of `events`, at an objective in percent.

    Not met: the whole interval is below the objective. Met: the share is not below it, and there were so many events
    that a share above the budget would have shown. Whatever lies between is too little to say.
    """
    if not events:
        return Judged(0, 0, 0.0, 1.0, 0.0, Verdict.NO_EVENTS)
    budget = 1 - objective / 100
    low, high = interval(bad, events)
    used = Decimal(bad) / (events * budget)
    if low > budget:
        verdict = Verdict.NOT_MET
    elif used <= 1 and events * budget >= _LEAST_BAD:
        verdict = Verdict.MET
    else:
        verdict = Verdict.TOO_FEW
    return Judged(events, bad, low, high, float(used), verdict)


def interval(bad: int, events: int) -> tuple[float, float]:
    """Return the 95 % interval of the bad share among all calls of this time, of which `events` are a sample: Wilson's.

    Traces are sampled call by call, so that it does not matter that bad ones come together; of another time the
    interval says nothing (Wilson, JASA 1927; Newcombe, Statistics in Medicine 1998).
    """
    share = bad / events
    middle = share + Z * Z / (2 * events)
    half = Z * math.sqrt(share * (1 - share) / events + Z * Z / (4 * events * events))
    whole = 1 + Z * Z / events
    # At the ends the two terms are equal, but for their last digits.
    return (middle - half) / whole if bad else 0.0, (middle + half) / whole if bad < events else 1.0
