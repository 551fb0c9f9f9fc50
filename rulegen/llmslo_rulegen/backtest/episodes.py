"""Episodes: stretches of history in which users were let down, given by those who know, or found in the counts.

Found are stretches in which the bad share of the SLO's shortest window is at least twice what its budget allows, with
pauses of at most half an hour, and which spent 2 % of the window's budget or more: what the workbook's fastest page is
for (Site Reliability Workbook, ch. 5: 14.4 times too fast for an hour of 30 days). Fewer than five bad events are none,
and what comes before or after a pause with at most a twentieth of the bad events is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmslo_rulegen import alerts
from llmslo_rulegen.backtest import counts
from llmslo_rulegen.backtest.counts import Counts
from llmslo_rulegen.backtest.points import Instants, Mask
from llmslo_rulegen.backtest.replay import Replayed
from llmslo_rulegen.backtest.vector import Labels
from llmslo_rulegen.slo import Slo

TOO_FAST = 2.0
ALL = 0.999999  # of all events: at 50 % and less, twice the budget would be more
PAUSE_S = 30 * 60
LEAST_SPENT, LEAST_BAD = 0.02, 5
CHANCE = 0.05  # of the bad events at either end of a stretch; they are left out
_USUAL_S = 300


@dataclass(frozen=True, slots=True, order=True)
class Episode:
    """From `begin_ms` to `end_ms`, since the epoch; `group` None: of every group. `spent` is of the window's budget."""

    begin_ms: int
    end_ms: int
    group: Labels | None = None
    spent: float | None = None
    bad: float | None = None


def found(slo: Slo, replayed: Replayed) -> tuple[Episode, ...]:
    """Return the episodes of a history, in order of time."""
    shortest_s = min((tier.short_s for tier in alerts.tiers_of(slo)), default=_USUAL_S)
    told: list[Episode] = []
    for group in counts.groups(slo, replayed):
        seen = counts.within(slo, replayed, group, shortest_s)
        told += _of_group(slo, seen, group, replayed.instants, shortest_s)
    return tuple(sorted(told, key=lambda episode: (episode.begin_ms, episode.group or ())))


def _of_group(slo: Slo, seen: Counts, group: Labels, instants: Instants, window_s: int) -> Iterator[Episode]:
    if len(instants) < 2:  # noqa: PLR2004 -- one evaluation has no step
        return
    step_ms = int(instants[1] - instants[0])
    apart = max(1, window_s * 1000 // step_ms)  # evaluations whose windows do not overlap
    budget = float(slo.budget)
    lasted_s = max(float(instants[-1] - instants[0]) / 1000, 1.0)
    promised = budget * float(seen.total[::apart].sum()) / lasted_s * slo.window.seconds
    burns = (seen.total > 0) & (seen.bad >= min(TOO_FAST * budget, ALL) * seen.total)
    for stretch in _stretches(_runs(burns, seen, apart), instants):
        runs = _trimmed(stretch)
        bad = sum(run.bad for run in runs)
        if bad < LEAST_BAD or promised <= 0 or bad < LEAST_SPENT * promised:
            continue
        begin_ms = int(instants[runs[0].first]) - step_ms
        end_ms = max(int(instants[runs[-1].last]) - window_s * 1000, begin_ms + step_ms)
        yield Episode(begin_ms, end_ms, group, bad / promised, bad)


@dataclass(frozen=True, slots=True)
class _Run:
    """Evaluations in a row that burn, and the bad events of their windows."""

    first: int
    last: int
    bad: float


def _runs(burns: Mask, seen: Counts, apart: int) -> list[_Run]:
    edges = np.flatnonzero(np.diff(burns.astype(np.int8), prepend=0, append=0)).tolist()
    pairs = [(first, after - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]
    return [_Run(first, last, float(seen.bad[first : last + 1][::-apart].sum())) for first, last in pairs]


def _stretches(runs: list[_Run], instants: Instants) -> Iterator[list[_Run]]:
    """Yield the runs between which there is no long pause."""
    held: list[_Run] = []
    for run in runs:
        if held and instants[run.first] - instants[held[-1].last] > PAUSE_S * 1000:
            yield held
            held = []
        held.append(run)
    if held:
        yield held


def _trimmed(runs: list[_Run]) -> list[_Run]:
    """Leave out what stands at either end and hardly counts: a failure by chance half an hour before an outage."""
    allowed = CHANCE * sum(run.bad for run in runs)
    first, last, before, after = 0, len(runs), 0.0, 0.0
    while before + runs[first].bad <= allowed:
        before += runs[first].bad
        first += 1
    while after + runs[last - 1].bad <= allowed:
        after += runs[last - 1].bad
        last -= 1
    return runs[first:last]
