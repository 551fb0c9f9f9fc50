"""What so many bad events say of a promise."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from llmslo_rulegen.verify import binomial

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
    """Bad among all events and what follows of it; `budget_used` is 1 where all is used."""

    events: int
    bad: int
    budget_used: float
    verdict: Verdict

    @property
    def good_share(self) -> float | None:
        """The share of good events; None without any."""
        return 1 - self.bad / self.events if self.events else None

    @property
    def good_interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of good events among all calls of this time, of which these are a sample.

        Traces are sampled call by call, so that it does not matter that bad ones come together; of another time it
        says nothing.
        """
        low, high = binomial.interval(self.bad, self.events) if self.events else (0.0, 1.0)
        return 1 - high, 1 - low


def judge(bad: int, events: int, objective: Decimal) -> Judged:
    """Return the verdict on `bad` of `events`, at an objective in percent.

    Not met: the whole interval is below the objective, so that one that is kept is called so in at most 2.5 % of all
    samples. Met: the share is not below it, and there were so many events that a share above the budget would have
    shown. Whatever lies between is too little to say.
    """
    if not events:
        return Judged(0, 0, 0.0, Verdict.NO_EVENTS)
    budget = 1 - objective / 100
    used = Decimal(bad) / (events * budget)
    if used > 1 and binomial.at_least(bad, events, float(budget)) <= binomial.TAIL:
        verdict = Verdict.NOT_MET
    elif used <= 1 and events * budget >= _LEAST_BAD:
        verdict = Verdict.MET
    else:
        verdict = Verdict.TOO_FEW
    return Judged(events, bad, float(used), verdict)
