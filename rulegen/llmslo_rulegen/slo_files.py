"""SLO files from the disk, read together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llmslo_rulegen import reading
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import MAX_BYTES
from llmslo_rulegen.reading import Read
from llmslo_rulegen.slo import Window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--slo FILE` and `--snap`, for a command whose files are something else."""
    parser.add_argument(
        "--slo", type=Path, action="append", required=True, metavar="FILE", help="SLO file; may be given again"
    )
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge")


def read(paths: Sequence[Path], *, snap: bool = False, sloth_period: Window | None = None) -> Read:
    """Read files, each once; one that cannot be read is a finding, as all that is wrong is."""
    raw: dict[str, bytes] = {}
    findings: list[Finding] = []
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        try:
            with path.open("rb") as file:
                raw[str(path)] = file.read(MAX_BYTES + 1)
        except OSError as error:
            text = f"cannot be read: {error.strerror}; give the path of an SLO file"
            findings.append(Finding("file/read", str(path), 0, Level.ERROR, text))
    found = reading.read(raw, snap=snap, sloth_period=sloth_period)
    return replace(found, findings=(*findings, *found.findings))
