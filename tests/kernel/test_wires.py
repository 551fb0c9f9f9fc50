"""Every dialect through the kernel, in short; `python -m tests.e2e.wires` makes every call over both transports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.e2e.daemon import ROOT
from tests.e2e.sdks import CALLS


@pytest.mark.timeout(300)
def test_every_dialect_is_told_as_it_was(loader: str) -> None:
    # A process of its own: SDKs leave connections open, and here that would be a failure.
    command = (sys.executable, "-m", "tests.e2e.wires", "--loader", loader, "--short", "--json")
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=240)
    rows = json.loads(done.stdout)[loader]
    assert len(rows) > 60
    assert {row["client"] for row in rows} == {"raw", *(sdk for sdk, _, _ in CALLS)}
    assert [row for row in rows if row["wrong"]] == []
    assert done.returncode == 0
