"""Answers and names that mean no good: each is met by a running exporter, which then answers a proper scrape.

`python -m tests.e2e.hostile` does the same for longer, and beside hostile clients.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import ROOT, Exporter
from tests.e2e.hostile import Trial
from tests.e2e.hostile_answers import ANSWERS, NAMES
from tests.e2e.lab import Lab
from tests.e2e.scraping import scrape

pytestmark = pytest.mark.timeout(180)
MEETINGS = 4
NAMES_EACH = 600


def _meet(lab: Lab, kind: str, times: int) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.e2e.hostile_answers",
        kind,
        str(times),
        lab.cert,
        str(lab.folder / "key.pem"),
    ]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True)
    assert json.loads(done.stdout)["exchanges"] == times


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_a_hostile_answer_harms_nobody(lab: Lab, exporter: Exporter, kind: str) -> None:
    _meet(lab, kind, MEETINGS)
    scrape(exporter.port)
    assert exporter.process.poll() is None
    assert "Traceback" not in exporter.tail()


@pytest.mark.parametrize("kind", list(NAMES))
def test_names_without_end_are_all_counted_under_few_labels(
    lab: Lab, exporter: Exporter, tmp_path: Path, kind: str
) -> None:
    trial = Trial(exporter, tmp_path)
    before = trial.counted()
    _meet(lab, kind, NAMES_EACH)
    assert trial.miscounted(before, NAMES_EACH) == []
