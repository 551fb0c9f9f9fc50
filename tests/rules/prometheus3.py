"""Prometheus 3 beside the distribution's Prometheus 2: found in PATH or in .cache, built with Go on request.

    python -m tests.rules.prometheus3

builds promtool and prometheus: 3 minutes on two free cores, 8 on one, 190 MB each. Nothing needs them: where they are
missing the tests that would run on them are skipped, and say so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

MODULE = "github.com/prometheus/prometheus"
VERSION, MODULE_VERSION = "3.8.0", "v0.308.0"  # v0.316 lacks generated files in the module and does not build
PROGRAMS = ("promtool", "prometheus")
NAMED = f"-X github.com/prometheus/common/version.Version={VERSION}"  # a build from a module knows no version
FOLDER = Path(__file__).parents[2] / ".cache" / "prometheus3"
BUILD_S = 1800.0  # all of it on one slow core
_MAJOR = re.compile(r"version (\d+)\.")


@lru_cache
def find(program: str) -> Path | None:
    """Return the program's path if a Prometheus of major version 3 or later is here."""
    for path in (FOLDER / program, shutil.which(program)):
        if path is not None and Path(path).exists():
            said = subprocess.run([path, "--version"], check=False, capture_output=True, text=True, timeout=30)
            major = _MAJOR.search(said.stdout + said.stderr)
            if major and int(major[1]) >= 3:
                return Path(path)
    return None


def lacks() -> str | None:
    """Return why nothing can run on Prometheus 3 here; None: it can."""
    if all(find(program) for program in PROGRAMS):
        return None
    if shutil.which("go") is None:
        return "Prometheus 3 is not here, and no Go to build it"
    return "Prometheus 3 is not built: `make prometheus` does it with the Go that is here"


def build() -> None:
    """Build both programs into FOLDER; a wrapper module, because `go install` refuses one with replace directives."""
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=FOLDER) as name:
        for words in (
            ["mod", "init", "wrapper"],
            ["get", *(f"{MODULE}/cmd/{program}@{MODULE_VERSION}" for program in PROGRAMS)],
            ["build", "-o", "bin/", "-ldflags", NAMED, *(f"{MODULE}/cmd/{program}" for program in PROGRAMS)],
        ):
            print("go", words[0], flush=True)
            subprocess.run(
                ["go", *words], cwd=name, env=environment, check=True, capture_output=True, text=True, timeout=BUILD_S
            )
        for program in PROGRAMS:
            (Path(name) / "bin" / program).replace(FOLDER / program)


def main() -> int:
    """Build what is missing; return 1 where that is not possible."""
    if lacks() is None:
        print("Prometheus 3:", find(PROGRAMS[0]))
        return 0
    if shutil.which("go") is None:
        print("no `go` in PATH: Prometheus 3 is built with it", file=sys.stderr)
        return 1
    began = time.monotonic()
    try:
        build()
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or "").strip().splitlines()[-5:]
        print("\n".join([f"Prometheus 3 was not built: {error}", *said]), file=sys.stderr)
        return 1
    print(f"built in {time.monotonic() - began:.0f} s: {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
