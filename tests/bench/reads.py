"""One-byte reads of no socket: what the hooks on sockets cost everybody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from tests.bench.children import Child
from tests.bench.figures import Figure, Goal, Line, Setting, difference
from tests.bench.stage import exporting, program

GOAL_NS = 20
TRIES = 3  # the fastest of a round's tries: what disturbs only ever adds


def measure(setting: Setting) -> Iterator[Line]:
    """Yield nanoseconds a read, without and with the exporter, in turns."""
    without: list[float] = []
    beside: list[float] = []
    with Child([program(setting, "reads")]) as reader:
        for number in range(setting.rounds):
            setting.say(f"reads: round {number + 1}")
            for has_exporter in (number % 2 == 0, number % 2 == 1):
                with exporting(setting) if has_exporter else nullcontext():
                    fastest = min(float(reader.ask("again")) for _ in range(TRIES))
                (beside if has_exporter else without).append(fastest)
    yield Figure("without", "ns a read", tuple(without))
    yield Figure("with", "ns a read", tuple(beside))
    yield Figure("added", "ns a read", difference(tuple(beside), tuple(without)), Goal(GOAL_NS))
