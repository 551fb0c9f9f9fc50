"""Can every tier fire, how soon, how long, and how often for nothing: `python -m tests.rules.reach [--only TABLE]`.

Every objective and window is solved by `tiers.solve` and simulated minute by minute (tests/rules/simulation.py), beside
the plain rules that others render: 14.4/6/3/1 over 1h/6h/1d/3d without gates and without memory. Exits 1 when a goal is
missed. Seeded: two runs print the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from llmslo_rulegen import budget as worth
from llmslo_rulegen.tier import Severity, Tier
from llmslo_rulegen.tiers import solve
from tests.rules.simulation import Firing, Traffic, even, firings, plain, poisson

OBJECTIVES = tuple(
    Decimal(text)
    for text in [
        "50",
        "55",
        "60",
        "70",
        "75",
        "80",
        "85",
        "90",
        "92.5",
        "95",
        "97",
        "98",
        "99",
        "99.5",
        "99.9",
        "99.95",
        "99.99",
    ]
)
WINDOWS_D = (1, 3, 7, 14, 28, 30, 90, 180, 365)
RATES = (10.0, 50.0, 3600.0)
FALSE_RATES = (10.0, 20.0, 35.0, 50.0, 100.0, 200.0, 500.0)
BURNS = (6.0, 8.0, 12.0, 20.0, 50.0)
EXACT_RATE = 600_000.0  # calls an hour: 10 000 a minute, so that a burn of just the factor is one in each minute
NAIVE = (
    Tier("page_fast", Severity.PAGE, 14.4, 3600, 300),
    Tier("page_slow", Severity.PAGE, 6, 21_600, 1800),
)
DAY_M, MONTH_M = 1440, 43_200
SHORTEST_M = 5
LATEST_S = 4 * 86_400
OUTAGE_M, AROUND_M = 240, 480
# A minute counts whole when its end is evaluated, so the scrape is in; the evaluation may come a minute later.
DELAY_M = 1


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated: services per cell, services a month long per cell of false pages, and the cells."""

    rows: int = 200
    months: int = 100
    objectives: Sequence[Decimal] = OBJECTIVES
    windows_d: Sequence[int] = WINDOWS_D


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the verdict."""

    name: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """What pages did in a total outage of four hours: minutes, and alerts per outage by tier."""

    first: float  # median minute of the first page
    slowest: float  # 95th percentile
    missed: float  # share of outages without a page
    end: float  # median minutes from the recovery to the end of the last page
    end_excess: float  # the most by which a page outlived its short window
    alerts: tuple[float, ...]  # per tier that fired at all, mean over the outages in which it did
    spells: float  # times that somebody was paged: stretches with any page


def share(objective: Decimal) -> float:
    """Return the budget as a share of events."""
    return float(1 - objective / 100)


def pages(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Return the page tiers."""
    return tuple(tier for tier in tiers if tier.severity is Severity.PAGE)


def cells(size: Size) -> Iterator[tuple[Decimal, int, tuple[Tier, ...]]]:
    """Yield objective, window in days and tiers."""
    for objective in size.objectives:
        for window_d in size.windows_d:
            yield objective, window_d, solve(objective, window_d * 86_400, 60)


def distinct(size: Size) -> Iterator[tuple[Decimal, str, tuple[Tier, ...]]]:
    """Yield each set of tiers once, with the windows that have it: nothing else of a cell matters to an alert."""
    for objective in size.objectives:
        found: dict[tuple[Tier, ...], list[int]] = {}
        for window_d in size.windows_d:
            found.setdefault(solve(objective, window_d * 86_400, 60), []).append(window_d)
        for tiers, windows in found.items():
            name = f"{windows[0]}d" if len(windows) == 1 else f"{windows[0]}-{windows[-1]}d"
            yield objective, name, tiers


def unreachable(objective: Decimal, window_d: int, tiers: Sequence[Tier], scrape_s: int = 60) -> list[str]:
    """Return what is wrong with tiers on paper."""
    wrong = []
    for tier in tiers:
        least = 1.0 if tier.severity is Severity.TICKET else 2.0
        late = worth.detection_s(tier, objective, 1.0)
        checks = {
            "cannot fire": tier.factor * share(objective) > 1,
            "low factor": tier.factor < least,
            "long window": tier.long_s * 4 > window_d * 86_400,
            "short window": tier.short_s < 4 * scrape_s or tier.short_s > tier.long_s,
            "late": late is None or late > LATEST_S,
        }
        wrong += [f"{objective} % {window_d}d {tier.name}: {text}" for text, bad in checks.items() if bad]
    return wrong


def outage(traffic: Traffic, alerts: Sequence[list[Firing]], tiers: Sequence[Tier], began: int) -> Outage:
    """Return how `alerts` (per tier) answered an outage of OUTAGE_M minutes that began at minute `began`."""
    rows = traffic.bad.shape[0]
    over = began + OUTAGE_M
    firing = np.zeros((rows, traffic.minutes), np.bool_)
    per_tier, excess = [], -np.inf
    for tier, found in zip(tiers, alerts, strict=True):
        hit = {alert.row for alert in found}
        if hit:
            per_tier.append(len(found) / len(hit))
        for alert in found:
            firing[alert.row, alert.start : alert.end] = True
            if alert.start < over < alert.end:
                excess = max(excess, alert.end - over - tier.short_s // 60)
    paged = firing.any(axis=1)
    first = np.where(paged, firing.argmax(axis=1) - began + 1, np.inf)
    last = traffic.minutes - firing[:, ::-1].argmax(axis=1) - over
    spells = (np.diff(firing.astype(np.int8), axis=1, prepend=0) == 1).sum() / rows
    missed = float(1 - paged.mean())
    end = float(np.median(last[paged])) if paged.any() else np.nan
    slow = np.sort(first)[int(0.95 * rows)]
    return Outage(float(np.median(first)), float(slow), missed, end, excess, tuple(per_tier), float(spells))


def broken(rng: np.random.Generator, budget: float, rate: float, rows: int, after: float = 0.5) -> Traffic:
    """Return a total outage of four hours at `rate` calls an hour: half the budget burns before, `after` of it then."""
    bad_share = np.full(AROUND_M + OUTAGE_M + AROUND_M, budget / 2)
    bad_share[AROUND_M:] = 1
    bad_share[AROUND_M + OUTAGE_M :] = budget * after
    return poisson(rng, rows, rate, bad_share)


def outages(traffic: Traffic, objective: Decimal, tiers: Sequence[Tier]) -> Outage:
    """Return what the page tiers do in `broken` traffic."""
    shown = pages(tiers)
    found = [firings(traffic, tiers, tier, share(objective), since=AROUND_M) for tier in shown]
    return outage(traffic, found, shown, AROUND_M)


def naive_outages(traffic: Traffic, objective: Decimal) -> Outage:
    """Return the same for the plain rules."""
    found = [plain(traffic, tier, share(objective), since=AROUND_M) for tier in NAIVE]
    return outage(traffic, found, NAIVE, AROUND_M)


def possible(objective: Decimal, window_d: int, burn: float, rate: float, tiers: Sequence[Tier]) -> bool:
    """Tell whether a page before 10 % of the budget is gone can be had at all.

    The burn must be below 1 / budget; a tenth of the budget must last longer than a short window, and hold clearly more
    bad events than the gates ask for.
    """
    tenth_m = 0.1 * window_d * DAY_M / burn
    events = 0.1 * share(objective) * window_d * 24 * rate
    gate = min(tier.min_bad for tier in pages(tiers))
    return burn * share(objective) < 1 and tenth_m > SHORTEST_M and events > 3 * gate


def steady(
    rng: np.random.Generator | None,
    objective: Decimal,
    window_d: int,
    tiers: Sequence[Tier],
    case: tuple[float, float, int],
) -> float:
    """Return the budget's share spent at the page (95th percentile) on a steady burn; `case`: burn, rate, rows.

    Without `rng` the calls come evenly.
    """
    burn, rate, rows = case
    before = 420
    after = min(int(0.12 * window_d * DAY_M / burn) + 10, 3 * DAY_M)
    bad_share = np.full(before + after, share(objective) / 2)
    bad_share[before:] = burn * share(objective)
    traffic = even(rate, bad_share) if rng is None else poisson(rng, rows, rate, bad_share)
    first = np.full(rows, np.inf)
    for tier in pages(tiers):
        for alert in firings(traffic, tiers, tier, share(objective), since=before):
            first[alert.row] = min(first[alert.row], alert.start - before + 1)
    return float(np.sort(first)[int(0.95 * rows)] * burn / (window_d * DAY_M))


def false_pages(
    rng: np.random.Generator, budget: float, tiers: Sequence[Sequence[Tier]], rate: float, months: int
) -> tuple[list[float], float]:
    """Return false pages per 30 days, at half the budget: of each set of tiers, and of the plain rules."""
    counts = [0] * len(tiers)
    naive = 0
    known: dict[tuple[Tier, int], int] = {}
    for at in range(0, months, 20):
        traffic = poisson(rng, min(20, months - at), rate, np.full(MONTH_M, budget / 2))
        known.clear()
        for i, each in enumerate(tiers):
            for tier in pages(each):
                key = (replace(tier, name=""), max(other.long_s for other in pages(each)))
                if key not in known:
                    known[key] = len(firings(traffic, each, tier, budget))
                counts[i] += known[key]
        naive += sum(len(plain(traffic, tier, budget)) for tier in NAIVE)
    return [count / months for count in counts], naive / months


def paper(size: Size) -> Goal:
    """Check every cell on paper, for scrapes of 15 s to 5 min."""
    wrong = [line for objective, window_d, tiers in cells(size) for line in unreachable(objective, window_d, tiers)]
    for objective in size.objectives:
        for scrape_s in (15, 30, 300):
            for window_d in size.windows_d:
                solved = solve(objective, window_d * 86_400, scrape_s)
                wrong += unreachable(objective, window_d, solved, scrape_s)
    print("\n".join(wrong) or "every tier can fire, with factors and windows within their limits")
    plain_wrong = sum(tier.factor * share(objective) >= 1 for objective in size.objectives for tier in NAIVE)
    print(f"plain page tiers that can never fire: {plain_wrong} of {2 * len(size.objectives)}")
    return Goal("unreachable tiers, or limits broken (0)", str(len(wrong)), not wrong)


def promised_m(objective: Decimal) -> float:
    """Return within how many minutes a total outage must page at 60 calls a minute; infinite where none is promised."""
    return 10 if objective >= 99 else 15 if objective >= 90 else 30 if objective >= 80 else np.inf


def outage_table(size: Size, seed: int) -> list[Goal]:
    """Print delay, end and alerts of a total outage for each set of tiers; rates in calls an hour."""
    print("\ntotal outage of 4 h: minutes to the page (median/95 %), minutes to its end, alerts per tier, times paged")
    print(f"{'':>7} {'window':>8}" + "".join(f"{f'{rate:g}/h':^34}" for rate in RATES) + "   plain at 10/h")
    late, many, missed, excess = 0, 0.0, 0.0, -np.inf
    for objective, windows, tiers in distinct(size):
        line = f"{objective:>6}% {windows:>8}"
        for rate in RATES:
            rng = np.random.default_rng([seed, int(objective * 100), int(rate)])
            traffic = broken(rng, share(objective), rate, size.rows)
            found = outages(traffic, objective, tiers)
            line += f"  {found.first:4.0f}/{found.slowest:4.0f} end {found.end:3.0f} "
            line += f"{'+'.join(f'{each:.2f}' for each in found.alerts):>9} {found.spells:4.2f}x"
            if rate == RATES[-1]:
                late += found.slowest + DELAY_M > promised_m(objective)
                healed = broken(rng, share(objective), rate, size.rows // 4, after=0)
                excess = max(excess, outages(healed, objective, tiers).end_excess)
            elif rate == RATES[0]:
                many, missed = max(many, found.spells, *found.alerts), max(missed, found.missed)
                other = naive_outages(traffic, objective)
        print(f"{line}   {other.first:3.0f} {other.spells:5.2f}x", flush=True)
    return [
        Goal("sets of tiers that page late in a total outage at 3600/h (0)", str(late), not late),
        Goal(
            "minutes by which a page outlives the recovery and its short window at 3600/h (<= 0)",
            f"{excess:g}",
            excess <= 0,
        ),
        Goal(
            "alerts and pages per outage at 10/h, worst mean (1, less than 1.1)",
            f"{many:.2f}",
            many < 1.1,
        ),
        Goal("outages of 4 h at 10/h without a page, worst share (<= 1 %)", f"{missed:.1%}", missed <= 0.01),
    ]


def steady_table(size: Size, seed: int) -> Goal:
    """Print the share of the budget spent at the page on steady burns."""
    print("\nsteady burns: budget spent at the page, 95 % of the runs at 3600/h")
    print("(- cannot be; = the factor itself, calls evenly)")
    print(f"{'':>7} {'window':>6}" + "".join(f"{f'burn {burn:g}':>9}" for burn in BURNS))
    over = 0
    for objective, window_d, tiers in cells(size):
        line = f"{objective:>6}% {window_d:>5}d"
        for burn in BURNS:
            if not possible(objective, window_d, burn, 3600, tiers):
                line += f"{'-':>9}"
                continue
            # The textbook's own 6 at 99.9 % and 30 d: chance brings a little less at times, a steady burn does not.
            tie = burn == min(tier.factor for tier in pages(tiers))
            rng = np.random.default_rng([seed, int(objective * 100), window_d, int(burn)])
            case = (burn, EXACT_RATE, 1) if tie else (burn, 3600.0, max(20, size.rows // 10))
            spent = steady(None if tie else rng, objective, window_d, tiers, case)
            over += spent >= 0.1
            line += f"{spent:>8.1%}{'=' if tie else '!' if spent >= 0.1 else ' '}"
        print(line, flush=True)
    return Goal("steady burns >= 6 that page after 10 % of the budget (0)", str(over), not over)


def quiet(size: Size) -> Goal:
    """Let a steady 0.9 and 1.5 of the budget burn evenly for four windows."""
    wrong = 0
    for objective, _windows, tiers in distinct(size):
        for burn, silent in ((0.9, tiers), (1.5, pages(tiers))):
            for rate in (600.0, 36_000.0):
                traffic = even(rate, np.full(3 * 4320, burn * share(objective)))
                wrong += sum(len(firings(traffic, tiers, tier, share(objective))) > 0 for tier in silent)
    print(f"\nsteady burn of 0.9 (all tiers) and 1.5 (pages), calls evenly at 600/h and 36000/h: {wrong} alerts")
    return Goal("alerts at a steady 0.9, pages at 1.5 (0)", str(wrong), not wrong)


def even_calls(size: Size) -> Goal:
    """Let ten calls come an hour, one every six minutes, and all fail for four hours."""
    wrong, slowest = 0, 0.0
    for objective, _windows, tiers in distinct(size):
        bad_share = np.zeros(AROUND_M + OUTAGE_M + AROUND_M)
        bad_share[AROUND_M : AROUND_M + OUTAGE_M] = 1
        found = outages(even(10.0, bad_share), objective, tiers)
        wrong += found.spells != 1
        slowest = max(slowest, found.first)
    print(
        f"\nan even call in 6 min, all failing for 4 h: {wrong} sets do not page just once; slowest {slowest:.0f} min"
    )
    return Goal("sets of tiers that page not just once for even calls at 10/h (0)", str(wrong), not wrong)


def false_table(size: Size, seed: int) -> Goal:
    """Print false pages per 30 days for every objective; the worst window stands for the objective."""
    print(f"\nfalse pages per 30 d at half the budget, {size.months} x 30 d, worst window (plain rules beside)")
    print(f"{'':>7}" + "".join(f"{f'{rate:g}/h':>15}" for rate in FALSE_RATES))
    worst = 0.0
    for objective in size.objectives:
        sets = list(dict.fromkeys(pages(tiers) for each, _w, tiers in distinct(size) if each == objective))
        line = f"{objective:>6}%"
        for rate in FALSE_RATES:
            rng = np.random.default_rng([seed, int(objective * 100), int(rate)])
            found, naive = false_pages(rng, share(objective), sets, rate, size.months)
            worst = max(worst, *found)
            line += f"{max(found):>6.2f} ({naive:>6.2f})"
        print(line, flush=True)
    return Goal("false pages per 30 d at 10-500/h, worst cell (<= 0.1)", f"{worst:.2f}", worst <= 0.1)


TABLES: Mapping[str, Callable[[Size, int], list[Goal]]] = {
    "paper": lambda size, _seed: [paper(size)],
    "outages": outage_table,
    "steady": lambda size, seed: [steady_table(size, seed)],
    "quiet": lambda size, _seed: [quiet(size), even_calls(size)],
    "false": lambda size, seed: [false_table(size, seed)],
}


def report(size: Size, only: Collection[str] = TABLES, seed: int = 1) -> list[Goal]:
    """Print the tables of these names; return their goals."""
    began = time.monotonic()
    goals = [goal for name, table in TABLES.items() if name in only for goal in table(size, seed)]
    print(f"\n{'goal':<90} {'found':>8}")
    for goal in goals:
        print(f"{goal.name:<90} {goal.found:>8} {'met' if goal.met else 'MISSED'}")
    print(f"{time.monotonic() - began:.0f} s")
    return goals


def main(argv: Sequence[str]) -> int:
    """Simulate what is asked for, print it and return the exit code."""
    parser = argparse.ArgumentParser("tests.rules.reach", description=__doc__)
    parser.add_argument("--only", action="append", choices=TABLES, help="this table; may be given again")
    options = parser.parse_args(argv)
    return 0 if all(goal.met for goal in report(Size(), options.only or TABLES)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
