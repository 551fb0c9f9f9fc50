"""llmslo-rulegen as a library: load, render, check, explain. Each does what the command of its name does.

from llmslo_rulegen import api

found = api.load("slo.yaml")
for path, text in api.render(found.slos).items():
...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from llmslo_rulegen import checking, promtool, reading, rendering, writing
from llmslo_rulegen import explain as explaining
from llmslo_rulegen.errors import InputError, RulegenError
from llmslo_rulegen.finding import Finding, Level, has_errors
from llmslo_rulegen.located import MAX_BYTES
from llmslo_rulegen.reading import Read
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.slo import Slo, Window
from llmslo_rulegen.target import FORMATS, PLAIN, Target

__all__ = [
    "FORMATS",
    "Explanation",
    "Finding",
    "InputError",
    "Level",
    "Read",
    "RulegenError",
    "Slo",
    "Target",
    "check",
    "explain",
    "load",
    "render",
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An SLO's numbers: `text` as `explain` prints them, `numbers` as with --json (seconds, shares, events)."""

    text: str
    numbers: Mapping[str, object]


def load(*files: str | Path, snap: bool = False, sloth_days: int | None = None) -> Read:
    """Return the SLOs of files in any format that is read, with what was said of them.

    `snap` moves thresholds to the nearest bucket edge; `sloth_days` is the window of Sloth's SLOs (None: 30). Raises
    InputError, whose `findings` name file and line, where the files cannot be read or promise what cannot be kept.
    """
    raw: dict[str, bytes] = {}
    for file in map(Path, files):
        try:
            with file.open("rb") as opened:
                raw[str(file)] = opened.read(MAX_BYTES + 1)
        except OSError as error:
            text = f"cannot be read: {error.strerror}; give the path of an SLO file"
            raise InputError([Finding("file/read", str(file), 0, Level.ERROR, text)]) from error
    period = None if sloth_days is None else Window(sloth_days * 86_400)
    found = reading.read(raw, snap=snap, sloth_period=period)
    if has_errors(found.findings):
        raise InputError(found.findings)
    return found


def render(
    slos: Sequence[Slo], *, tests: bool = True, sloth: bool = True, pyrra: bool = False, target: Target | None = None
) -> dict[str, str]:
    """Return every file by its path below an output folder; the same SLOs give the same text.

    `sloth` and `pyrra` add the records of these tools; `target` is the format of the rules (None: plain), which has
    tests only where it is plain. Raises InputError where the rules of an SLO do not fit a format.
    """
    options = Options(version("llmslo"), tests, sloth, pyrra)
    if target is None or target.name == PLAIN:
        files = rendering.files(slos, options)
    else:
        from llmslo_rulegen.formats import rendered  # noqa: PLC0415 -- plain rules need not load it

        files = rendered.files(slos, options, target)
    return {file.path: "".join(file.chunks) for file in files}


def check(slos: Sequence[Slo], *, sloth: bool = True) -> tuple[Finding, ...]:
    """Return what is wrong with the rules of `slos`: expressions, and promtool's word where it is installed."""
    options = replace(Options(version("llmslo")), tests=False, sloth=sloth)
    with TemporaryDirectory(prefix="llmslo-") as name:
        folder = Path(name)
        paths = writing.write(folder, checking.rules_among(rendering.files(slos, options))).written
        said = checking.by_promtool(folder, paths, promtool.find())
        return (*checking.expressions(slos, sloth=sloth), *said)


def explain(slo: Slo) -> Explanation:
    """Return an SLO's numbers: its budget, and when each alert tells what."""
    return Explanation(explaining.text(slo), explaining.record(slo))
