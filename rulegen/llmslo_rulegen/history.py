"""What a test of long windows goes through: events far apart, and evaluations so far apart that each stands alone.

A burn tier's trials follow each other; a budget is nearly spent, spent and nearly spent again until its window is full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from llmslo_rulegen import periods, trials
from llmslo_rulegen.past import Past, past
from llmslo_rulegen.recorded import FOUND_S, SEARCHED_S
from llmslo_rulegen.scenarios import DAY_S, HOUR_S, LEAST_COVERED, MEMORY_S, Events, Promise, judged
from llmslo_rulegen.slo import Calendar, Window
from llmslo_rulegen.tier import Severity
from llmslo_rulegen.trials import Trial

# Evaluations of a budget's window; the 35 minutes bring each to another minute of the hour.
PER_WINDOW, ODD_S, SHORTEST_S = 24, 35 * 60, HOUR_S + 35 * 60
APART_S = 2 * HOUR_S  # from one trial of a burn tier to the first event of the next one
AFTER = 3  # evaluations of a window that is full
NOTHING = 2  # evaluations before there are data; then there is one at which nothing has happened, and one event
FIRST_S = 20 * 60  # what the first evaluation with data has seen: since minute 25
WEIGHT = 1000  # bad events that spend a budget
HIGHEST = Fraction(97, 100)  # a bad share that a budget may ask for
PERIODS_S = {Calendar.WEEK: 16 * DAY_S, Calendar.MONTH: 64 * DAY_S, Calendar.QUARTER: 110 * DAY_S}
EDGES = ((3, 1), (5, 2))  # total and bad events just outside and just inside of a full window

States = Mapping[tuple[str, int], bool]  # tier and instant -> whether it fired


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to each group, evaluated every `every_s`; `records_s`: the evaluations whose records are looked at.

    `at_s`: the evaluations whose alerts and states are looked at, in order. `budget`: the budget is asked for, so
    records of where its data begin are there. `neighbours`: records of other SLOs are there.
    """

    name: str
    every_s: int
    pasts: tuple[Past, ...]
    at_s: tuple[int, ...]
    states: tuple[States, ...] = ()
    records_s: tuple[int, ...] = ()
    budget: bool = False
    neighbours: bool = False

    def fired(self, group: int, at_s: int) -> Collection[str]:
        """Return the tiers that fired before an evaluation, as far as they are remembered."""
        last: dict[str, tuple[int, bool]] = {}
        for (tier, then_s), on in (self.states[group] if self.states else {}).items():
            if at_s - MEMORY_S <= then_s < at_s:
                last[tier] = max(last.get(tier, (0, False)), (then_s, on))
        return {tier for tier, (_, on) in last.items() if on}

    def firing(self, promise: Promise, group: int, at_s: int) -> frozenset[str]:
        """Return the tiers that must fire."""
        told = self.pasts[group]
        return judged(promise, lambda window_s: told.between(at_s - window_s, at_s), self.fired(group, at_s))


def budget_tick_s(promise: Promise) -> int:
    """Return how far apart the evaluations of a budget's story are."""
    return max(SHORTEST_S, promise.window.seconds // PER_WINDOW // HOUR_S * HOUR_S + ODD_S)


def burn_tick_s(promise: Promise) -> int:
    """Return how far apart the evaluations of burn tiers are: what one has seen is in no window of the next."""
    longest_s = max((tier.long_s for tier in promise.tiers), default=0)
    return -(-longest_s // HOUR_S) * HOUR_S + APART_S + ODD_S


def burns(promise: Promise, step_s: int, groups: int) -> Iterator[Story]:
    """Yield the stories of the burn tiers; `step_s` divides their windows, and five minutes."""
    every_s = burn_tick_s(promise)
    nothing = tuple(past(2 * every_s + 1, {}) for _ in range(groups))
    yield Story("no data, but of other SLOs", every_s, nothing, (every_s,), records_s=(every_s,), neighbours=True)
    for tier in promise.tiers:
        found = list(trials.trials(promise, tier, step_s))
        yield _in_turn(f"{tier.name}, in turn: {'; '.join(each.name for each in found)}", found, every_s, groups)
    for severity in Severity:
        if any(tier.severity is severity for tier in promise.tiers):
            found = list(trials.idle(promise, severity, step_s))
            yield _in_turn(
                f"{severity.value}s, in turn: {'; '.join(each.name for each in found)}", found, every_s, groups
            )


def _in_turn(name: str, found: Sequence[Trial], every_s: int, groups: int) -> Story:
    """Return trials one after the other, the second group's in the other order."""
    marks: list[dict[int, Events]] = [{} for _ in range(groups)]
    states: list[dict[tuple[str, int], bool]] = [{} for _ in range(groups)]
    at_s: list[int] = []
    now_s = FIRST_S
    for each in zip(*(found, found[::-1])[:groups], strict=True):
        now_s = -(-(now_s + max(trial.span_s for trial in each) + HOUR_S) // every_s) * every_s
        at_s.append(now_s)
        for index, trial in enumerate(each):
            marks[index] |= {now_s - ago_s: events for ago_s, events in trial.marks}
            states[index] |= {(tier, now_s - ago_s): on for tier, ago_s, on in trial.was}
    return Story(name, every_s, tuple(past(FIRST_S, each) for each in marks), tuple(at_s), tuple(states))


def budget(promise: Promise, windows_s: Collection[int], step_s: int, groups: int) -> Story:
    """Return the story of a budget; `step_s` divides all windows whose events are recorded, and five minutes."""
    window, every_s = promise.window, budget_tick_s(promise)
    lasts_s = PERIODS_S[window.calendar] if window.calendar else window.seconds + (AFTER + NOTHING + 2) * every_s
    at_s = tuple(range(every_s, lasts_s + 1, every_s))
    begin_s = at_s[NOTHING] - FIRST_S
    pasts = []
    for index in range(groups):
        marks = dict(_edges(window, windows_s, at_s[-AFTER:], begin_s, step_s)) | {at_s[NOTHING + 1]: Events(1, 1)}
        for turn, now_s in enumerate(at_s):
            spent = now_s // every_s % 2 == index
            place_s = (now_s - every_s // 2) // step_s * step_s
            told = past(begin_s, marks)
            events = _brink(told, promise.budget, window, now_s, over=spent) if turn > NOTHING + 1 else None
            if events is not None:
                marks[place_s] = events
        pasts.append(past(begin_s, marks))
    borders = {next(at for at in at_s if at >= periods.at(window, now_s).begin_s) for now_s in at_s[1:]}
    found_s = next((at for at in at_s[NOTHING + 2 :] if at % FOUND_S < SEARCHED_S), at_s[-1])
    first = at_s[1 : NOTHING + 3]  # none, nothing, one event, more
    looked = {*first, found_s, at_s[len(at_s) // 2], *(sorted(borders)[-3:] if window.calendar else ()), *at_s[-AFTER:]}
    name = "a budget nearly spent, spent and nearly spent again, from the first data on until its window is full"
    return Story(name, every_s, tuple(pasts), at_s, records_s=tuple(sorted(looked)), budget=True)


def _edges(
    window: Window, windows_s: Collection[int], at_s: Sequence[int], begin_s: int, step_s: int
) -> Iterator[tuple[int, Events]]:
    """Yield events just outside and just inside of where each window begins, and in the last hour."""
    for number, now_s in enumerate(at_s, 1):
        begins = (periods.at(window, now_s).begin_s, *(now_s - each_s for each_s in sorted(windows_s)))
        for index, begin in enumerate(begins):
            for place_s, (total, bad) in zip((begin, begin + step_s), EDGES, strict=True):
                if place_s > begin_s:
                    yield place_s, Events(total * number + index, bad * number)
        midnight_s = now_s // DAY_S * DAY_S
        for index, place_s in enumerate((midnight_s - DAY_S + step_s, midnight_s - DAY_S // 2, midnight_s)):
            if place_s > begin_s:
                yield place_s, Events(11 * number + index, 2)
        yield now_s // HOUR_S * HOUR_S - step_s, Events(number, 0)
        yield now_s - step_s, Events(number + AFTER, 1)


def _brink(told: Past, budget: float, window: Window, at_s: int, *, over: bool) -> Events | None:
    """Return the events that bring the budget just over, or just under, what may be spent; None: it stays as it is."""
    period = periods.at(window, at_s)
    since_s = max(told.begin_s // HOUR_S * HOUR_S, period.begin_s)
    covered = min(Fraction(1), Fraction(at_s - since_s, period.length_s))
    share = Fraction(repr(round(budget, 12))) / covered
    if share > HIGHEST:
        return None
    seen = told.between(period.begin_s, at_s)
    total, bad = int(seen.total), int(seen.bad)
    if covered < LEAST_COVERED or over:
        fewest = int(WEIGHT / share) if total < WEIGHT else 0
        more = max(0, floor((share * (total + fewest) - bad) / (1 - share)) + 1)
        return Events(fewest + more, more)
    good = max(0, floor(bad / share) - total + 1)
    return Events(good, 0) if good else None
