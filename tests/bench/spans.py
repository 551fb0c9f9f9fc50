"""A file of spans into a baseline, as JSON lines and as one document; beside it the same file read by others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, ratio

SECONDS, PEAK_MB = 6.0, 300.0  # goals, for a million spans
MILLION = 1_000_000
LIMIT_S = 900.0
BATCH = 500  # spans of a request, as an SDK sends them
WEEK_NS = 7 * 86400 * 10**9  # whatever their number: a baseline grows with its hours
SHARE = 10  # of the spans, for the others: pydantic needs ten times as long
SAMPLE_S = 0.05
BEGIN_NS = 1_760_000_000_000_000_000
OTHERS = ("json", "pydantic", "chdb")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a program and its children; memory that they share counts once."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(setting: Setting) -> Iterator[Line]:
    """Yield times and memory of `baseline save` for each number of spans, then the others on a tenth of the first."""
    for count in setting.spans:
        peaks = []
        for name, write in (("JSON lines", write_lines), ("one document", write_document)):
            setting.say(f"spans: writing {count} as {name}")
            path = setting.folder / "spans.json"
            write(path, count)
            size_mb = path.stat().st_size / 1e6
            costs = [_saved(path, setting, f"{name}, round {number + 1}") for number in range(setting.rounds)]
            goals = (Goal(SECONDS), Goal(PEAK_MB)) if count == MILLION else (None, Goal(PEAK_MB))
            yield Figure(f"{count} spans, {name} of {size_mb:.0f} MB", "s", _walls(costs), goals[0])
            yield Figure("of it CPU", "s", tuple(cost.cpu_s for cost in costs))
            peaks = [cost.peak_mb for cost in costs]
            yield Figure("of it peak of all processes", "MB", tuple(peaks), goals[1])
            path.unlink()
    yield from _beside(setting, max(setting.spans[0] // SHARE, 1))


def _beside(setting: Setting, count: int) -> Iterator[Line]:
    path = setting.folder / "spans.json"
    write_lines(path, count)
    one, others = [], {name: [] for name in OTHERS}
    for number in range(setting.rounds):
        one.append(_saved(path, setting, f"{count} spans, round {number + 1}", "--jobs", "1"))
        for name, costs in others.items():
            setting.say(f"spans: {name}, round {number + 1}")
            costs.append(run(sys.executable, "-m", "tests.bench.spans_others", name, str(path)))
    yield Figure(f"{count} spans as lines, one process", "s", _walls(one))
    for name, costs in others.items():
        yield Figure(f"{name}, durations by service, model and hour", "s", _walls(costs))
        yield Figure(f"{name} over ours", "times", ratio(_walls(costs), _walls(one)))
        yield Figure(f"{name}, peak", "MB", tuple(cost.peak_mb for cost in costs))
    path.unlink()


def _saved(path: Path, setting: Setting, what: str, *more: str) -> Cost:
    setting.say(f"spans: {what}")
    out = setting.folder / "spans.baseline"
    cost = run(sys.executable, "-m", "llmslo_rulegen", "baseline", "save", str(path), "--out", str(out), *more)
    out.unlink()
    return cost


def _walls(costs: Sequence[Cost]) -> tuple[float, ...]:
    return tuple(cost.wall_s for cost in costs)


def run(*command: str) -> Cost:
    """Run a program to its end, with a look at the memory of all its processes twenty times a second."""
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        peak_mb = 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak_mb = max(peak_mb, sum(map(_proportional_mb, _family(process.pid))))
            if time.monotonic() - began_s > LIMIT_S:
                process.kill()
            time.sleep(SAMPLE_S)
        wall_s = time.monotonic() - began_s
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        last = said.splitlines()[-1:]
        msg = f"{' '.join(command[1:4])}: exit {process.returncode} after {wall_s:.0f} s: {''.join(last)}"
        raise BenchError(msg)
    return Cost(wall_s, ended[2].ru_utime + ended[2].ru_stime, peak_mb)


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def write_lines(path: Path, count: int) -> None:
    """Write spans as the collector's file exporter does: a request a line."""
    with path.open("w") as file:
        for group in _groups(count):
            file.write(f'{{"resourceSpans":[{group}]}}\n')


def write_document(path: Path, count: int) -> None:
    """Write the same as one document."""
    with path.open("w") as file:
        file.write('{"resourceSpans":[')
        for number, group in enumerate(_groups(count)):
            file.write(f",{group}" if number else group)
        file.write("]}")


def _groups(count: int) -> Iterator[str]:
    spans = _span().replace("%", "%%").replace('"@s"', '"%(span)016x"').replace('"@t"', '"%(span)032x"')
    for name in ("start", "end", "input", "output"):
        spans = spans.replace(f'"@{name}"', f'"%({name})d"')
    spans = spans.replace('"@first"', "%(first).6f").replace("@model", "%(model)s")
    for begin in range(0, count, BATCH):
        batch = ",".join(spans % _values(number, count) for number in range(begin, min(begin + BATCH, count)))
        service = ("chat", "search", "agent")[begin // BATCH % 3]
        yield _compact(
            {
                "resource": {"attributes": [_pair("service.name", service), _pair("host.name", "node-1")]},
                "scopeSpans": [{"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": ["@spans"]}],
            }
        ).replace('"@spans"', batch)


def _values(number: int, count: int) -> dict[str, object]:
    # Multiplicative hashing (Knuth, 6.4): spread as if at random, and the same in every run.
    spread = number * 2_654_435_761 % (1 << 32) / (1 << 32)
    start = BEGIN_NS + int(WEEK_NS * (number / count))
    return {
        "span": number + 1,
        "start": start,
        "end": start + int((0.3 + 8 * spread**3) * 1e9),
        "input": 20 + int(spread * 5000),
        "output": 2 + number % 900,
        "first": 0.05 + spread / 5,
        "model": ("gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet")[number % 3],
    }


def _span() -> str:
    held = [
        _pair("gen_ai.operation.name", "chat"),
        _pair("gen_ai.provider.name", "openai"),
        _pair("gen_ai.request.model", "@model"),
        _pair("gen_ai.response.model", "@model-2024-08-06"),
        {"key": "gen_ai.request.stream", "value": {"boolValue": True}},
        {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": "@first"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "@input"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "@output"}},
        {
            "key": "gen_ai.response.finish_reasons",
            "value": {"arrayValue": {"values": [{"stringValue": "stop"}]}},
        },
        _pair("server.address", "api.openai.com"),
    ]
    times = {"startTimeUnixNano": "@start", "endTimeUnixNano": "@end"}
    ids = {"traceId": "@t", "spanId": "@s", "parentSpanId": ""}
    return _compact({**ids, "name": "chat @model", "kind": 3, **times, "attributes": held, "status": {}})


def _pair(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
