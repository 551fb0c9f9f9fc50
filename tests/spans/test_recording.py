"""`make spans` records: the real model, real instrumentations, both files, no content."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmslo_rulegen.traces import reading
from llmslo_rulegen.traces.call import Call
from tests.spans.services import SERVICES, WORDS

ROOT = Path(__file__).parents[2]
NEEDED = ("opentelemetry.sdk", "opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.genai")


def is_installed(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.e2e
@pytest.mark.timeout(400)
@pytest.mark.skipif(not all(map(is_installed, NEEDED)), reason="the group spans is not installed: make spans does it")
def test_both_parts_are_recorded(tmp_path):
    command = [sys.executable, "-m", "tests.spans", "--out", tmp_path, "--usual", "5", "--incident", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("usual", "incident"):
        calls = list(reading.calls([tmp_path / f"{name}.jsonl.gz"], lambda *_: None))
        assert all(isinstance(call, Call) for call in calls)
        assert {call.service for call in calls} == {service.name for service in SERVICES}
        assert not [word for word in WORDS if word in str(calls)]
