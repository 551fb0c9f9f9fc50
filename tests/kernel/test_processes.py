"""Processes that fork, exec, die, rename their threads or live for a moment."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.answers import Answer, chat
from tests.e2e.clients import PATIENCE_S
from tests.e2e.daemon import ROOT
from tests.kernel.bench import ROLES, Bench

pytestmark = pytest.mark.timeout(90)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
SHORT = chat(4, 3.0, usage=(1, 4))
LONG = chat(100, 20.0)
SEEN_S = 2.5  # the contract says 2 s
OPEN = """
import json, os, signal, sys, threading, time
from tests.e2e.clients import Raw, request_bytes
port, cert, jobs = int(sys.argv[1]), sys.argv[2] or None, json.loads(sys.argv[3])
def ask(conn, job):
    conn.send(*request_bytes(job[0]))
    conn.read(job[1])
"""
INTERPRETER = Path("/proc/self/exe").readlink().name


def _program(bench: Bench, text: str, jobs: list[tuple[str, int]], *, tls: bool) -> list[str]:
    port = str(bench.lab.server.port(tls=tls))
    return [sys.executable, "-c", OPEN + text, port, bench.lab.cert if tls else "", json.dumps(jobs)]


def _run(bench: Bench, text: str, jobs: list[tuple[str, int]], *, tls: bool) -> int:
    return subprocess.run(_program(bench, text, jobs, tls=tls), cwd=ROOT, timeout=60, check=False).returncode


def _job(bench: Bench, answer: Answer, mark: int | None = None) -> tuple[str, int]:
    size = len(answer.data) if mark is None else answer.marks[mark].at
    return bench.lab.new("process", answer), size


@BOTH
def test_forked_workers(bench: Bench, *, tls: bool) -> None:
    """Each worker has the parent's TLS objects at the same addresses, and connections of its own."""
    jobs = [_job(bench, SHORT) for _ in range(5)]
    text = """
conn = Raw(port, cert)
ask(conn, jobs[0])
children = []
for job in jobs[1:]:
    child = os.fork()
    if not child:
        mine = Raw(port, cert)
        ask(mine, job)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
    assert _run(bench, text, jobs, tls=tls) == 0
    pids = set()
    for model, _ in jobs:
        for role in ROLES:
            (line,) = bench.exporter.expect(model, role)
            assert (line["outcome"], line["content_events"], line["workload"]) == ("ok", 4, INTERPRETER)
            pids |= {line["pid"]} if role == "client" else set()
    assert len(pids) == 5


@BOTH
def test_exit_of_a_forked_child_ends_nothing_of_its_parent(bench: Bench, *, tls: bool) -> None:
    job = _job(bench, long := chat(40, 10.0))
    text = """
conn = Raw(port, cert)
conn.send(*request_bytes(jobs[0][0]))
conn.read(700)
if not os.fork():
    sys.exit(0)
os.wait()
have = sum(size for _, size in conn.flight.reads)
conn.read(jobs[0][1] - have)
"""
    assert _run(bench, text, [job], tls=tls) == 0
    for role in ROLES:
        (line,) = bench.exporter.expect(job[0], role)
        assert (line["outcome"], line["content_events"]) == ("ok", len(long.marks))


@BOTH
@pytest.mark.parametrize(
    "ending",
    ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "os.execv('/bin/sleep', ['sleep', '0.1'])"],
    ids=["SIGKILL", "_exit", "exec"],
)
def test_end_of_the_process_ends_its_exchange(bench: Bench, ending: str, *, tls: bool) -> None:
    job = _job(bench, LONG, 5)
    _run(bench, f"conn = Raw(port, cert)\nask(conn, jobs[0])\n{ending}\n", [job], tls=tls)
    (line,) = bench.exporter.expect(job[0], "client", timeout_s=SEEN_S)
    assert (line["outcome"], line["stream_outcome"]) == ("client_cancelled", "client_cancelled")
    assert line["content_events"] >= 6
    (line,) = bench.exporter.expect(job[0], "server")
    assert line["outcome"] == "client_cancelled"


@BOTH
def test_thread_that_exits_ends_nothing_of_another(bench: Bench, *, tls: bool) -> None:
    jobs = [_job(bench, chat(30, 10.0)), _job(bench, SHORT)]
    text = """
conn = Raw(port, cert)
thread = threading.Thread(target=lambda: ask(Raw(port, cert), jobs[1]))
thread.start()
ask(conn, jobs[0])
thread.join()
"""
    assert _run(bench, text, jobs, tls=tls) == 0
    for (model, _), events in zip(jobs, (30, 4), strict=True):
        (line,) = bench.exporter.expect(model, "client")
        assert (line["outcome"], line["content_events"]) == ("ok", events)


@pytest.mark.parametrize(
    "tls",
    [True, False],
    ids=["tls", "plain"],
)
def test_main_thread_that_exits_ends_nothing_of_another(bench: Bench, *, tls: bool) -> None:
    """pthread_exit in the thread-group leader: the process lives on in its other threads."""
    job = _job(bench, chat(60, 10.0))
    text = """
import ctypes
def work():
    ask(Raw(port, cert), jobs[0])
    os._exit(0)
threading.Thread(target=work).start()
time.sleep(0.2)
ctypes.CDLL(None).syscall(60, 0)
"""
    _run(bench, text, [job], tls=tls)
    (line,) = bench.exporter.expect(job[0], "client")
    assert (line["outcome"], line["content_events"]) == ("ok", 60)
    assert line["workload"] == INTERPRETER


@BOTH
def test_workload_is_the_executable_and_not_the_thread(bench: Bench, *, tls: bool) -> None:
    job = _job(bench, SHORT)
    text = """
import ctypes
def work():
    ctypes.CDLL(None).prctl(15, b"named-by-itself", 0, 0, 0)
    ask(Raw(port, cert), jobs[0])
ctypes.CDLL(None).prctl(15, b"main-is-renamed", 0, 0, 0)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    assert _run(bench, text, [job], tls=tls) == 0
    (line,) = bench.exporter.expect(job[0], "client")
    assert line["workload"] == INTERPRETER


@BOTH
def test_workload_of_a_curl_that_is_gone(bench: Bench, *, tls: bool, tmp_path: Path) -> None:
    """Gone long before its exchange is read, and forked from a process that is known under another name."""
    own = tmp_path / "my-curl"
    shutil.copy(shutil.which("curl") or "curl", own)
    fast = chat(2)
    models = [bench.lab.new("curl", fast) for _ in range(8)]
    url = f"{'https' if tls else 'http'}://localhost:{bench.lab.server.port(tls=tls)}/v1/chat/completions"
    for model in models:
        body = json.dumps({"model": model, "stream": True, "messages": []})
        options = ["-sN", "--http1.1", "--cacert", bench.lab.cert, "-o", "/dev/null", "-d", body]
        subprocess.run([str(own), *options, url], check=True, timeout=PATIENCE_S)
    for model in models:
        (line,) = bench.exporter.expect(model, "client")
        assert line["workload"] == "my-curl"


@BOTH
def test_killed_with_forty_connections_open(bench: Bench, *, tls: bool) -> None:
    jobs = [_job(bench, LONG, 3) for _ in range(40)]
    text = """
conns = [Raw(port, cert) for _ in jobs]
for conn, job in zip(conns, jobs):
    conn.send(*request_bytes(job[0]))
for conn, job in zip(conns, jobs):
    conn.read(job[1])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert _run(bench, text, jobs, tls=tls) == -signal.SIGKILL
    until_s = time.monotonic() + SEEN_S
    for model, _ in jobs:
        (line,) = bench.exporter.expect(model, "client", timeout_s=max(0.1, until_s - time.monotonic()))
        assert (line["outcome"], line["workload"]) == ("client_cancelled", INTERPRETER)
