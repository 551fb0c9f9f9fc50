"""llmslo-rulegen check and diff, each run a new process: what a pipeline pays, with promtool and every lint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from llmslo_rulegen import promtool
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting
from tests.bench.rendering import SLOS, cpu, run, walls, write

FEW = 50
FEW_S, MANY_S = 2.0, 20.0
MANY_ROUNDS = 2  # of a thousand SLOs, and one of what stands beside: all together a minute
COMMAND = (sys.executable, "-m", "llmslo_rulegen")
ASKED = ("--retention", "400d", "--events-per-hour", "1000000")  # so that lints which need them are asked


def measure(setting: Setting) -> Iterator[Line]:
    """Yield the time of `check` over 50 and 1 000 SLOs, alone and against what was rendered, and of `diff`."""
    judge = promtool.find()
    if judge is None:
        msg = "needs promtool"
        raise BenchError(msg)
    for count, goal_s, rounds in ((FEW, FEW_S, setting.rounds), (SLOS, MANY_S, min(setting.rounds, MANY_ROUNDS))):
        files = write(setting.folder / f"checked-{count}", count)
        out = setting.folder / f"checked-out-{count}"
        setting.say(f"checking: {count} SLOs, rendering them")
        rendered = run(*COMMAND, "render", *files, "--out", str(out))
        rules = [str(path) for path in sorted((out / "rules").iterdir())]
        alone, against, judged = [], [], []
        for number in range(rounds):
            setting.say(f"checking: {count} SLOs, round {number + 1}")
            alone.append(run(*COMMAND, "check", *files, *ASKED))
            if count == FEW or not number:
                against.append(run(*COMMAND, "check", *files, *ASKED, "--out", str(out)))
                judged.append(run(judge.path, "check", "rules", "--lint=all", "--lint-fatal", *rules))
        yield Figure(f"check {count} SLOs, all lints and promtool", "s", walls(alone), Goal(goal_s))
        yield Figure("of it CPU, promtool's included", "s", cpu(alone))
        yield Figure("promtool by itself, CPU", "s", cpu(judged))
        yield Figure("peak", "MB", tuple(cost.peak_mb for cost in alone))
        yield Figure(f"check {count} SLOs against their files, with tests", "s", walls(against), Goal(goal_s))
        yield Figure("of it CPU, promtool's included", "s", cpu(against))
        yield Figure(f"render {count} SLOs with their tests, CPU", "s", (rendered.cpu_s,))
    yield from _differing(setting, files)


def _differing(setting: Setting, files: list[str]) -> Iterator[Line]:
    """Yield the time of `diff` where one objective of a file of a thousand SLOs is another."""
    text = "\n---\n".join(Path(file).read_text() for file in files)
    before, after = setting.folder / "before.yaml", setting.folder / "after.yaml"
    before.write_text(text)
    after.write_text(text.replace('"objective": 99.9', '"objective": 99.8', 1))
    costs = [run(*COMMAND, "diff", str(before), str(after)) for _ in range(min(setting.rounds, MANY_ROUNDS))]
    yield Figure(f"diff of {SLOS} SLOs, one changed", "s", walls(costs))
