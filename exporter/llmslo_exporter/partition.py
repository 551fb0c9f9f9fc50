"""The smallest automaton that does the same: states that no bytes tell apart become one (Moore's algorithm)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from llmslo_exporter.states import State, action_of, target_of


def partition(states: Sequence[State], apart: Sequence[Hashable]) -> list[int]:
    """Return each state's class, numbered by first appearance; states of different `apart` stay apart.

    The zero byte is left out: it changes nothing in any state.
    """
    columns = dict.fromkeys(zip(*(state.moves[1:] for state in states), strict=True))
    rows = list(zip(*columns, strict=True))
    targets = [tuple(map(target_of, row)) for row in rows]
    classes, count = _numbered((apart[number], *map(action_of, row)) for number, row in enumerate(rows))
    while True:
        refined, now = _numbered(
            (mine, *map(classes.__getitem__, row)) for mine, row in zip(classes, targets, strict=True)
        )
        if now == count:
            return refined
        classes, count = refined, now


def _numbered(keys: Iterable[Hashable]) -> tuple[list[int], int]:
    ids: dict[Hashable, int] = {}
    return [ids.setdefault(key, len(ids)) for key in keys], len(ids)
