"""One world, one life: what was shown and proposed, what the truth is, what the next 30 days brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from llmslo_rulegen.derive import history, promise, proposal
from llmslo_rulegen.derive.promise import Promise
from llmslo_rulegen.derive.proposal import Proposal, Wish
from tests.derive import worlds
from tests.derive.worlds import DAY_H, Seen, World

NEXT_H = 30 * DAY_H
TRUTH_H = 6000 * DAY_H  # of the law: 66 to 600 times what is shown, so that its own chance is small beside an interval
_PART_H = 1000 * DAY_H


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one proposal. Shares are of bad events; `truth` is None where the law changes."""

    world: str
    refused: bool
    warned: bool
    low: float = 0.0
    high: float = 0.0
    truth: float | None = None
    budget: float = 0.0
    naive_budget: float = 0.0
    next_share: float = 0.0

    @property
    def covers(self) -> bool:
        return self.truth is not None and self.low <= self.truth <= self.high

    @property
    def holds(self) -> bool:
        return self.next_share <= self.budget

    @property
    def naive_holds(self) -> bool:
        return self.next_share <= self.naive_budget


@dataclass(frozen=True, slots=True)
class Truth:
    """The law's own shares: by kind, calls, failures, and values beyond each edge."""

    sums: dict[object, tuple[int, int, np.ndarray]]

    def share(self, one: Proposal, column: int) -> float:
        bad, total = _bad((self.sums[kind] for kind in one.traffic.kinds), one.sli, column)
        return bad / total


def edges(world: World) -> np.ndarray:
    return np.array(history.thresholds("ttft", world.traffic[0].kind.source))


def truth(world: World) -> Truth | None:
    """Return what a law is by a simulation of its own seeds, far longer than any history; None where it changes."""
    if world.changes:
        return None
    sums: dict[object, tuple[int, int, np.ndarray]] = {}
    for part in range(TRUTH_H // _PART_H):
        for seen in worlds.live(world, np.random.default_rng([77, part]), _PART_H, edges(world)):
            ok, failed, beyond = _summed(seen)
            before = sums.get(seen.kind, (0, 0, np.zeros_like(beyond)))
            sums[seen.kind] = before[0] + ok, before[1] + failed, before[2] + beyond
    return Truth(sums)


def verdicts(world: World, known: Truth | None, seed: int) -> Iterator[Verdict]:
    """Yield what became of each proposal of one life of a world."""
    hours = round(world.days * DAY_H)
    lived = worlds.live(world, np.random.default_rng([5, seed]), hours + NEXT_H, edges(world))
    past = worlds.baseline([seen.cut(0, hours) for seen in lived])
    later = {seen.kind: _summed(seen.cut(hours, hours + NEXT_H)) for seen in lived}
    for one in proposal.proposals(past, Wish()):
        made = one.outcome
        if not isinstance(made, Promise):
            yield Verdict(world.name, refused=True, warned=bool(made.changes))
            continue
        bad, total = _bad((later[kind] for kind in one.traffic.kinds), one.sli, made.column)
        yield Verdict(
            world.name,
            refused=False,
            warned=bool(made.changes),
            low=made.estimate.low,
            high=made.estimate.high,
            truth=None if known is None else known.share(one, made.column),
            budget=made.budget,
            # What a dashboard would do: the percentile of the past itself, down to the least budget that there is.
            naive_budget=max(made.estimate.share, promise.budget(promise.LADDER[0])),
            next_share=bad / max(total, 1),
        )


def _summed(seen: Seen) -> tuple[int, int, np.ndarray]:
    counts = seen.bins.sum(axis=0)
    return int(seen.ok.sum()), int(seen.failed.sum()), np.cumsum(counts[::-1])[::-1][1:]


def _bad(sums: Iterable[tuple[int, int, np.ndarray]], sli: str, column: int) -> tuple[int, int]:
    found = list(sums)
    if sli == "availability":
        return sum(failed for _, failed, _ in found), sum(ok + failed for ok, failed, _ in found)
    return sum(int(beyond[column]) for _, _, beyond in found), sum(ok for ok, _, _ in found)
