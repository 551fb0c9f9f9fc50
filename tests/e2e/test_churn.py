"""The trial of short-lived processes, small: what it finds in ten thousand it finds in two hundred, but for leaks."""

from __future__ import annotations

import pytest

from tests.e2e.churn import run
from tests.e2e.daemon import kernel_is_open


@pytest.mark.kernel
@pytest.mark.timeout(400)
def test_short_lived_processes_are_seen_or_counted():
    if closed := kernel_is_open():
        pytest.skip(closed)
    report = run(processes=200, copies=10, minutes=0.2, loader="libbpf")
    assert not report.wrong, report.facts
