"""`check` and `top` with the kernel: both loaders tried, real calls in the table."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.answers import chat
from tests.e2e.clients import Raw, request_bytes
from tests.e2e.daemon import kernel_is_open, program, running
from tests.e2e.lab import Lab
from tests.exporter.test_terminal import LEAVE, Terminal
from tests.kernel.bench import Bench

CLOSED = kernel_is_open()
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CLOSED is not None, reason=str(CLOSED)),
]
PATIENCE_S = 60.0


def test_check_lets_both_loaders_load_and_verify() -> None:
    found = subprocess.run([*program(), "check", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    report = json.loads(found.stdout)
    loaders = {one["name"]: one for one in report["conditions"] if one["name"].startswith("loader ")}
    assert {one["level"] for one in loaders.values()} == {"ok"}, loaders
    assert all("loads and verifies in" in one["found"] for one in loaders.values())
    assert any(one["process"].startswith("python") for one in report["seen"]) or report["processes"] > 0


def test_check_as_root_without_capabilities_says_which() -> None:
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
    found = subprocess.run([*bare, *program(), "check"], capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode, found.stderr) == (1, "")
    assert re.search(r"^fail +capabilities +without CAP_BPF, CAP_PERFMON$", found.stdout, re.MULTILINE)
    assert re.search(r"^fail +loader libbpf ", found.stdout, re.MULTILINE)
    assert "The exporter cannot run here" in found.stdout


def test_check_shows_what_a_running_exporter_lost(tmp_path: Path) -> None:
    with running("libbpf", tmp_path) as exporter:
        address = f"--web.listen-address=127.0.0.1:{exporter.port}"
        found = subprocess.run(
            [*program(), "check", "--no-load", "--json", address], capture_output=True, text=True, check=False
        )
    report = json.loads(found.stdout)
    assert 'loader="libbpf"' in report["running"]["what"]
    assert {one["level"] for one in report["conditions"] if one["name"] == "address"} == {"ok"}


@contextmanager
def _top(*options: str) -> Iterator[subprocess.Popen[str]]:
    """`top` in a pipe, ready: it has shown a table."""
    child = subprocess.Popen([*program(), "top", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def _rows(child: subprocess.Popen[str]) -> list[dict[str, object]]:
    assert child.stdout is not None
    line = child.stdout.readline()
    return list(json.loads(line)["rows"]) if line else []


def _ask(lab: Lab, *, pause_ms: float = 0.0) -> tuple[Raw, str, bytes]:
    answer = chat(30, pause_ms)
    model = lab.new("top", answer)
    conn = Raw(lab.server.port(tls=True), lab.cert)
    return conn, model, answer.data


@pytest.mark.parametrize("loader", ["libbpf", "bcc"])
def test_calls_are_in_the_table_while_they_last_and_after(loader: str, lab: Lab) -> None:
    with _top("--json", "--interval=0.3", f"--loader={loader}") as top:
        _rows(top)
        conn, model, data = _ask(lab, pause_ms=100.0)
        conn.send(*request_bytes(model))
        in_flight = _until_row(top, model, "client")
        assert in_flight["in_flight"] == 1
        assert in_flight["oldest_s"] is not None
        conn.read(len(data))
        conn.close()
        row = _until_row(top, model, "client", calls=1)
        assert (row["outcome"], row["failed"], row["in_flight"]) == ("ok", 0, 0)
        assert isinstance(row["ttft_s"], float)
        assert isinstance(row["tokens_per_s"], float)
        assert 0 < row["ttft_s"] < 5
        assert 5 < row["tokens_per_s"] < 12  # an event each 100 ms
        top.send_signal(signal.SIGINT)
        out, talk = top.communicate(timeout=30)
        assert (top.returncode, talk) == (0, "")
        assert all(json.loads(line) for line in out.splitlines())


def _until_row(top: subprocess.Popen[str], model: str, role: str, calls: int = 0) -> dict[str, object]:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        for row in _rows(top):
            if (row["model"], row["role"]) == (model, role) and isinstance(row["calls"], int) and row["calls"] >= calls:
                return row
    msg = f"no row of {model}"
    raise AssertionError(msg)


def test_a_pipe_gets_plain_tables_and_a_count_ends_them() -> None:
    found = subprocess.run(
        [*program(), "top", "--count=2", "--interval=0.2"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.count("WORKLOAD") == 2
    assert "\x1b" not in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 80
    shell = ["bash", "-o", "pipefail", "-c", f"{' '.join(program())} top --interval 0.2 | head -1"]
    head = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)
    assert (head.returncode, head.stderr) == (0, "")


def test_a_running_exporter_is_read_instead(lab: Lab, tmp_path: Path) -> None:
    with running("libbpf", tmp_path) as exporter:
        bench = Bench(lab, exporter)
        bench.meet(chat(3), tls=True)
        found = subprocess.run(
            [*program(), "top", "--count=1", "--interval=0.2", f"--url=http://127.0.0.1:{exporter.port}/metrics"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (found.returncode, found.stderr) == (0, "")
    assert " client " in found.stdout
    assert " server " in found.stdout


def test_a_person_sees_a_call_in_a_terminal_and_ends_it_by_q(lab: Lab) -> None:
    script = (
        "import sys; from llmslo_exporter.__main__ import main;"
        "sys.argv = ['llmslo-exporter', 'top', '--interval=0.3']; main()"
    )
    screen = Terminal(columns=132, rows=20, program=script)
    try:
        screen.wait_for(b"q ends")
        conn, model, data = _ask(lab)
        conn.send(*request_bytes(model))
        conn.read(len(data))
        conn.close()
        screen.wait_for(model.encode())
        screen.press(b"q")
        assert screen.end() == 0
        assert LEAVE in screen.seen
    finally:
        os.close(screen.side)
