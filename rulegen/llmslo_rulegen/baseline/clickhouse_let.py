"""Names for the parts of an SQL expression, each computed once and written once.

`WITH expression AS name` is a macro: ClickHouse writes it out at each use, and a distributed table sends what came of
it to its servers, megabytes where names stand on names. A function that an array of one value is mapped by is a
variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Named = tuple[str, str]  # a name, and the expression it stands for


def bound(expressions: Iterable[Named], result: str) -> str:
    """Return `result` as one expression; each named one may use the names before it, only those without read columns.

    A variable that a function takes from outside is copied: what reads columns is bound first, and once.
    """
    levels: list[dict[str, str]] = []
    depth: dict[str, int] = {}
    for name, expression in expressions:
        depth[name] = 1 + max((depth[used] for used in _used(expression, depth)), default=-1)
        if depth[name] == len(levels):
            levels.append({})
        levels[depth[name]][name] = expression
    for named in reversed(levels):
        values = ", ".join(f"[{expression}]" for expression in named.values())
        result = f"arrayMap(({', '.join(named)}) -> {result},\n    {values})[1]"
    return result


def _used(expression: str, known: Mapping[str, int]) -> Iterable[str]:
    return (word for word in re.findall(r"[a-z_]+", expression) if word in known)
