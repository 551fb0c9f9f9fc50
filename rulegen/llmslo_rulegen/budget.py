"""What an error budget is worth, and when each tier notices that it goes: the numbers of `explain`."""

from __future__ import annotations

from decimal import Decimal

from llmslo_rulegen.tier import Tier

ROUNDING = 1e-12  # of a product of floats; a total outage at 50 % burns twice too fast, not a hair less


def budget_events(objective: Decimal, total_events: int) -> Decimal:
    """Return how many of `total_events` may be bad: (1 - objective) x total, objective in percent (slo-rules 3.1)."""
    return (1 - objective / 100) * total_events


def budget_minutes(objective: Decimal, window_s: int) -> Decimal:
    """Return the minutes of total outage that spend the budget at steady traffic: (1 - objective) x window."""
    return (1 - objective / 100) * window_s / 60


def share_at_firing(tier: Tier, window_s: int) -> float:
    """Return the share of the budget that is gone when `tier` fires: factor x long / window.

    It is the same for every steady burn of the factor or more after a healthy long window: a burn of x fires after
    factor x long / x and spends x / window per second (slo-rules 3.1, solved for budgetPercent).
    """
    return tier.factor * tier.long_s / window_s


def burn(objective: Decimal, bad_share: float) -> float:
    """Return how many times too fast the budget goes: bad_share / (1 - objective); 1 lasts exactly one window."""
    return bad_share / float(1 - objective / 100)


def exhausted_after_s(objective: Decimal, window_s: int, bad_share: float) -> float:
    """Return the seconds until the whole budget is gone: window / burn (slo-rules 3.1); infinite without bad events."""
    return window_s / burn(objective, bad_share) if bad_share > 0 else float("inf")


def detection_s(tier: Tier, objective: Decimal, bad_share: float, events_per_s: float | None = None) -> float | None:
    """Return the seconds from the start of an outage of `bad_share` until `tier` fires; None if it never does.

    After t the long window's bad share is bad_share x t / long, so t = factor x (1 - objective) x long / bad_share
    (slo-rules 3.1), for steady traffic that was healthy before, without the delay of scrape and evaluation. With
    `events_per_s` the gates count too: min_bad events take min_bad / (events_per_s x bad_share), all in the window.
    """
    threshold = tier.factor * float(1 - objective / 100)
    if bad_share < threshold * (1 - ROUNDING):
        return None
    shares_s = threshold * tier.long_s / bad_share
    if events_per_s is None:
        return shares_s
    bad_per_s = events_per_s * bad_share
    if bad_per_s * tier.long_s < tier.min_bad or bad_per_s * tier.short_s < tier.min_bad_short:
        return None
    return max(shares_s, tier.min_bad / bad_per_s, tier.min_bad_short / bad_per_s)
