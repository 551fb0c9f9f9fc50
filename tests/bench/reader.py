"""CPU of the reading process for one stream of 20 000 chunks: summed up in the kernel, against every chunk shipped."""

from __future__ import annotations

import time
from collections.abc import Iterator

from llmslo_exporter.tracer import SWEEP_S
from tests.bench.children import Child, cpu_s
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, ratio
from tests.bench.stage import check_streams, connected, exporting, holding, served

CHUNKS, SIZE = 20_000, 180
ORDER = f"{CHUNKS} {SIZE} 0"
ROLES = 2  # the exporter sees each stream twice, as client and as server; shipped are the client's reads alone
SETTLED_S = 4.0  # the exporter looks at a new process for the last time after 3 s
RECORDED_S = 0.5  # it takes what has ended every 0.1 s
SHIPPED = 3  # exchanges a round; each costs the reader a hundred times its noise


def measure(setting: Setting) -> Iterator[Line]:
    """Yield both costs, the idle cost taken off, and their ratio."""
    with served(setting) as (port, cert), connected("sync", port, cert) as client:
        ours, idle, rates, walls = _summed_up(setting, client)
        shipped, probed_walls = _shipped(setting, client)
    yield Figure("exporter, idle: CPU a second", "ms", idle)
    yield Figure("summed up: reader CPU an exchange, idle taken off", "ms", ours, Goal(1.0))
    yield Figure("shipped: reader CPU an exchange, idle taken off", "ms", shipped)
    # Within the clock's and the idle cost's noise of nothing, a ratio has no meaning beyond its bound.
    yield Figure(
        "summed up / shipped", "ratio", ratio(tuple(max(value, 0.01) for value in ours), shipped), Goal(1 / 200)
    )
    yield Figure("streams a round, summed up", "n", rates)
    yield Figure("wall of a stream, summed up", "ms", walls)
    yield Figure("wall of a stream, shipped", "ms", probed_walls)


def _summed_up(setting: Setting, client: Child) -> tuple[tuple[float, ...], ...]:
    """Idle and busy for one sweep of all processes each: the sweeps cost more than the exchanges."""
    with exporting(setting) as exporter:
        pid = exporter.process.pid
        time.sleep(SETTLED_S)
        costs, idles, rates, walls = [], [], [], []
        for number in range(setting.rounds):
            setting.say(f"reader: summed up, round {number + 1}")
            began, until_s = cpu_s(pid), time.monotonic() + SWEEP_S
            _rest(until_s)
            idle, began = cpu_s(pid) - began, cpu_s(pid)
            until_s = time.monotonic() + SWEEP_S
            done: list[float] = []
            while time.monotonic() < until_s - RECORDED_S - max([1.0, *done]):
                done.append(_exchange(client))
            _rest(until_s)
            costs.append((cpu_s(pid) - began - idle) / len(done) / ROLES * 1e3)
            idles.append(idle / SWEEP_S * 1e3)
            rates.append(float(len(done)))
            walls.append(sum(done) / len(done) * 1e3)
        check_streams(exporter, sum(rates))
    return tuple(costs), tuple(idles), tuple(rates), tuple(walls)


def _shipped(setting: Setting, client: Child) -> tuple[tuple[float, ...], tuple[float, ...]]:
    with holding(setting, "ship", "ship", client.pid) as holder:
        costs, walls, events, asked = [], [], 0, 0
        for number in range(setting.rounds):
            setting.say(f"reader: shipped, round {number + 1}")
            began = cpu_s(holder.pid)
            walls += [_exchange(client) * 1e3 for _ in range(SHIPPED)]
            found = holder.ask("counts")
            costs.append((cpu_s(holder.pid) - began) / SHIPPED * 1e3)  # idle, it does not wake
            asked += SHIPPED * CHUNKS
            events = found["events"] + found["lost"]
        if abs(events - asked) > 0.01 * asked:
            msg = f"{events} chunks shipped of {asked} sent"
            raise BenchError(msg)
    return tuple(costs), tuple(walls)


def _exchange(client: Child) -> float:
    return float(client.ask(ORDER)["wall_s"])


def _rest(until_s: float) -> None:
    time.sleep(max(0.0, until_s - time.monotonic()))
