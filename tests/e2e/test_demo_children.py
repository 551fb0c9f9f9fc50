from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from deploy.demo.children import Children, DemoError, free_port, wait_exit, wait_ready
from deploy.demo.interpreters import named_interpreters


@pytest.fixture
def children(tmp_path):
    started = Children(tmp_path)
    yield started
    started.stop()


def test_a_program_that_ends_early_is_named_with_its_last_line(children):
    child = children.start("exporter", [sys.executable, "-c", "print('no BTF here'); raise SystemExit(1)"])
    with pytest.raises(DemoError, match="exporter ended with 1: no BTF here"):
        wait_ready(child, f"http://127.0.0.1:{free_port()}/", 20)


def test_a_program_that_never_answers_is_given_up(children):
    child = children.start("model", [sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(60)"])
    with pytest.raises(DemoError, match=r"model not ready after 1 s: loading"):
        wait_ready(child, f"http://127.0.0.1:{free_port()}/", 1)


def test_a_program_that_does_not_exist_is_said(children):
    with pytest.raises(DemoError, match="prometheus cannot be started"):
        children.start("prometheus", ["no-such-program-anywhere"])


def test_a_client_that_fails_is_said_with_its_last_line(children):
    child = children.start("curl", [sys.executable, "-c", "raise SystemExit('connection refused')"])
    with pytest.raises(DemoError, match="curl ended with 1: connection refused"):
        wait_exit(child, 20)


def test_stop_ends_every_program_even_one_that_ignores_sigterm(children, monkeypatch):
    monkeypatch.setattr("deploy.demo.children.STOP_S", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    children.start("deaf", [sys.executable, "-c", deaf])
    children.start("quiet", [sys.executable, "-c", "import time; time.sleep(60)"])
    pids = children.pids
    children.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_named_interpreter_is_another_program_with_the_same_packages(tmp_path):
    path = named_interpreters(tmp_path / "python", ["openai-sync"])["openai-sync"]
    code = "import os, httpx; print(os.path.basename(os.readlink('/proc/self/exe')), httpx.__version__)"
    printed = subprocess.run([path, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert printed == ["openai-sync", httpx.__version__]
