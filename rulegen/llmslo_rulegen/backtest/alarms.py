"""When an alert fires: `for` and `keep_firing_for` over the instants at which its expression has a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmslo_rulegen.backtest.points import Instants, Mask
from llmslo_rulegen.backtest.vector import Labels

INACTIVE, PENDING, FIRING = 0, 1, 2
States = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Firing:
    """One stretch of time in which an alert fired, in ms since the epoch; `end_ms` None: it still does at the end."""

    labels: Labels
    begin_ms: int
    end_ms: int | None


def states(present: Mask, instants: Instants, for_ms: int, keep_ms: int) -> States:
    """Return the state at each evaluation (rules/alerting.go, Eval)."""
    if not for_ms and not keep_ms:
        return np.where(present, FIRING, INACTIVE).astype(np.int8)
    found = np.zeros(len(present), np.int8)
    state, active_ms, kept_ms = INACTIVE, 0, -1
    for place, (is_there, now_ms) in enumerate(zip(present.tolist(), instants.tolist(), strict=True)):
        if is_there:
            kept_ms = -1
            if state == INACTIVE:
                state, active_ms = PENDING, now_ms
        elif state == FIRING and keep_ms:
            kept_ms = now_ms if kept_ms < 0 else kept_ms
            state = FIRING if now_ms - kept_ms < keep_ms else INACTIVE
        else:
            state = INACTIVE
        if state == PENDING and now_ms - active_ms >= for_ms:
            state = FIRING
        found[place] = state
    return found


def firings(key: Labels, found: States, instants: Instants) -> list[Firing]:
    """Return the stretches in which an alert fired; one ends with the first evaluation at which it does not."""
    edges = np.flatnonzero(np.diff((found == FIRING).astype(np.int8), prepend=0, append=0))
    ends = [int(instants[each]) if each < len(instants) else None for each in edges[1::2]]
    return [Firing(key, int(instants[begin]), end) for begin, end in zip(edges[::2], ends, strict=True)]
