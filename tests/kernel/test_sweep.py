"""The sweep of all processes: it mends what was missed, and touches nothing that lives."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.answers import After, Truth, chat, cut_after
from tests.e2e.clients import request_bytes
from tests.e2e.daemon import Exporter, running
from tests.e2e.lab import Lab
from tests.kernel.bench import Bench, Met

pytestmark = pytest.mark.timeout(120)
EXCHANGES = 40  # a sweep that takes a process born after its list for dead cuts one of the first few short
CUT = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)

# The daemon itself, with no pause between two sweeps.
RESTLESS = """
import llmslo_exporter.tracer as tracer
tracer.SWEEP_S, tracer.POLL_MS = 0.0, 1
from llmslo_exporter.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def restless(loader: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """An exporter that sweeps all the time."""
    with running(loader, tmp_path_factory.mktemp("sweep"), command=(sys.executable, "-c", RESTLESS)) as ready:
        yield ready


def test_a_process_born_during_a_sweep_keeps_its_exchange(lab: Lab, restless: Exporter) -> None:
    bench = Bench(lab, restless)
    planned = cut_after(chat(20, 3.0), 8, After.KILL, CUT)
    for _ in range(EXCHANGES):
        model = lab.new("born", planned)
        conn = bench.connect(tls=True, forking=True)
        conn.send(*request_bytes(model))
        conn.read(len(planned.data) + 1)
        conn.close()
        bench.check(Met(model, planned, tls=True, flight=conn.flight, pid=os.getpid()))
