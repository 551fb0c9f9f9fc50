"""An exporter that is killed leaves nothing in the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.daemon import program
from tests.kernel import crash

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]


def test_killed_exporter_leaves_nothing(loader: str, tmp_path: Path) -> None:
    most, left = crash.trial(loader, 2, tmp_path)
    assert most.get("prog")
    assert most.get("map")
    assert left == {}


def test_user_without_privileges_gets_one_line(loader: str) -> None:
    found = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program(), "--loader", loader],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert len(found.stderr.strip().splitlines()) == 1
    assert "Traceback" not in found.stderr
