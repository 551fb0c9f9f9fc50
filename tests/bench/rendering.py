"""llmslo-rulegen over 1 000 SLOs, each run a new process: what CI pays on each commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import BenchError, Figure, Goal, Line, Setting

SLOS, SERVICES = 1_000, 50
RENDER_S, RENDER_MB, CHECK_S = 1.0, 100.0, 10.0
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(setting: Setting) -> Iterator[Line]:
    """Yield times and memory of `render --no-tests` and of `check`, and of a bare interpreter beside them."""
    files = write(setting.folder / "slos")
    command = (sys.executable, "-m", "llmslo_rulegen")
    idle, rendered, checked, tested = [], [], [], []
    for number in range(setting.rounds):
        setting.say(f"rendering: round {number + 1}")
        idle.append(run(sys.executable, "-c", "pass"))
        # A folder of its own: where a thousand files were just deleted ext4 takes up to a millisecond for each new one,
        # since it passes over all inodes freed within the last minutes (fs/ext4/ialloc.c, recently_deleted).
        out = setting.folder / f"rendered-{number}"
        rendered.append(run(*command, "render", *files, "--out", str(out), "--no-tests"))
        checked.append(run(*command, "check", *files, "--out", str(out), "--no-tests", path=""))
        tested.append(run(*command, "check", *files, "--out", str(out), "--no-tests"))
    written = sum(1 for line in (out / "rules").rglob("*.yaml") for text in line.open() if " record:" in text)
    yield Figure(f"render {SLOS} SLOs, cold start included", "s", walls(rendered), Goal(RENDER_S))
    yield Figure("of it CPU", "s", cpu(rendered))
    yield Figure("of it a bare interpreter", "s", walls(idle))
    yield Figure("render, peak", "MB", tuple(cost.peak_mb for cost in rendered), Goal(RENDER_MB))
    yield Figure("check, without promtool", "s", walls(checked), Goal(CHECK_S))
    yield Figure("of it CPU", "s", cpu(checked))
    yield Figure("check, with promtool", "s", walls(tested))
    yield Figure("recording rules written", "n", (float(written),))


def walls(costs: list[Cost]) -> tuple[float, ...]:
    """Return the seconds of each run."""
    return tuple(cost.wall_s for cost in costs)


def cpu(costs: list[Cost]) -> tuple[float, ...]:
    """Return the processor seconds of each run, user and system, its children's included."""
    return tuple(cost.cpu_s for cost in costs)


def run(*command: str, path: str | None = None) -> Cost:
    """Run a command to its end; wait4 gives the memory of this one child."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    if path is not None:
        env["PATH"] = path
    began_s = time.monotonic()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began_s
    if process.returncode or wall_s > LIMIT_S:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        msg = f"{' '.join(command[1:4])}: exit {process.returncode} after {wall_s:.0f} s: {''.join(last)}"
        raise BenchError(msg)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write(folder: Path, count: int = SLOS) -> list[str]:
    """Write `count` SLOs, a file a service: SLIs, sources, objectives and windows as teams mix them."""
    folder.mkdir()
    paths = []
    each = SLOS // SERVICES
    for service in range(-(-count // each)):
        path = folder / f"service-{service}.yaml"
        slos = [_slo(service, number) for number in range(min(each, count - service * each))]
        # JSON is YAML.
        path.write_text(json.dumps({"version": "llmslo/v1", "service": f"service-{service}", "slos": slos}, indent=1))
        paths.append(str(path))
    return paths


def _slo(service: int, number: int) -> dict[str, object]:
    slis: tuple[dict[str, object], ...] = (
        {"sli": "availability"},
        {"sli": "ttft", "threshold": "2s"},
        {"sli": "latency", "threshold": "30s"},
        {"sli": "tpot", "threshold": "100ms"},
        {"sli": "completeness"},
        {"sli": "availability", "source": "litellm"},
        {"sli": "ttft", "source": "vllm", "threshold": "2.5s"},
        {
            "sli": {
                "bad": f'sum(rate(http_requests_total{{job="job-{service}",code=~"5.."}}[{{{{window}}}}]))',
                "total": f'sum(rate(http_requests_total{{job="job-{service}"}}[{{{{window}}}}]))',
            }
        },
    )
    chosen = slis[number % len(slis)]
    objective, window = (99.9, 99.5, 99, 95, 90)[number % 5], ("30d", "7d", "90d", "month")[number % 4]
    select = {} if isinstance(chosen["sli"], dict) or "source" in chosen else {"select": {"namespace": f"ns-{service}"}}
    return {"name": f"slo-{number}", **chosen, **select, "objective": objective, "window": window}
