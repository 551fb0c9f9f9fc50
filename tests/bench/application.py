"""CPU and wall time of an application that reads 100 chunks a second, with the exporter and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

from tests.bench.children import Child
from tests.bench.figures import Figure, Goal, Line, Setting, difference
from tests.bench.stage import connected, exporting, served

CHUNKS, SIZE, GAP_MS = 500, 180, 10
ORDER = f"{CHUNKS} {SIZE} {GAP_MS}"
CLIENTS = ("sync", "sync", "sync", "asyncio", "asyncio")  # side by side: one alone is lost in the clock's noise
KINDS = ("sync", "asyncio")
WARM = f"{CHUNKS} {SIZE} 0"

Cost = tuple[float, float]  # percent of a core, wall in ms


def measure(setting: Setting) -> Iterator[Line]:
    """Yield cost per client kind; the goals are the synchronous client's."""
    without: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    beside: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    with served(setting) as (port, cert), ExitStack() as stack:
        clients = [(kind, stack.enter_context(connected(kind, port, cert))) for kind in CLIENTS]
        for number in range(setting.rounds):
            setting.say(f"application: round {number + 1}")
            for has_exporter in (number % 2 == 0, number % 2 == 1):
                with exporting(setting) if has_exporter else nullcontext():
                    for kind, cost in _exchanges(clients).items():
                        (beside if has_exporter else without)[kind].append(cost)
    for kind in KINDS:
        yield from _lines(kind, without[kind], beside[kind], is_goal=kind == "sync")


def _exchanges(clients: list[tuple[str, Child]]) -> dict[str, Cost]:
    for _, client in clients:
        client.ask(WARM)  # the first after an attach finds cold caches
    for _, client in clients:
        client.tell(ORDER)
    found: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    for kind, client in clients:
        spent = client.hear()
        found[kind].append((spent["cpu_s"] / spent["wall_s"] * 100, spent["wall_s"] * 1e3))
    return {kind: (_mean(cost[0] for cost in costs), _mean(cost[1] for cost in costs)) for kind, costs in found.items()}


def _mean(values: Iterator[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _lines(kind: str, without: list[Cost], beside: list[Cost], *, is_goal: bool) -> Iterator[Line]:
    (cpu, wall), (cpu_beside, wall_beside) = zip(*without, strict=True), zip(*beside, strict=True)
    yield Figure(f"{kind}: CPU without", "% of a core", cpu)
    yield Figure(f"{kind}: CPU with", "% of a core", cpu_beside)
    yield Figure(f"{kind}: CPU added", "% of a core", difference(cpu_beside, cpu), Goal(0.2) if is_goal else None)
    yield Figure(f"{kind}: wall without", "ms", wall)
    # The same wall time: the slowest round without the exporter, and half of one gap.
    yield Figure(f"{kind}: wall with", "ms", wall_beside, Goal(max(wall) + GAP_MS / 2) if is_goal else None)
