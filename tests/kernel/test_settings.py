"""Settings of a running exporter: the file, SIGHUP, and what a scrape shows; `--once` beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.answers import chat
from tests.e2e.daemon import SEEN_S, Exporter, kernel_is_open, program, running
from tests.e2e.lab import Lab
from tests.kernel.bench import Bench

CLOSED = kernel_is_open()
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CLOSED is not None, reason=str(CLOSED)),
]
SUCCESS = "llm_exporter_config_last_reload_successful"
TAKEN = "llm_exporter_config_last_reload_success_timestamp_seconds"


def _until(is_so: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + SEEN_S
    while not is_so():
        assert time.monotonic() < until_s, what
        time.sleep(0.05)


def _reread(exporter: Exporter, success: float) -> None:
    exporter.process.send_signal(signal.SIGHUP)
    _until(lambda: exporter.metric(SUCCESS) == success, exporter.tail())


def test_sighup_takes_new_settings_in_and_refuses_bad_ones(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    file.write_text("providers: {}\n")
    with running("libbpf", tmp_path, "--config.file", str(file)) as exporter:
        bench = Bench(lab, exporter)
        assert _provider(bench) == "openai"
        started = exporter.metric(TAKEN)
        assert abs(started - time.time()) < 600

        file.write_text("providers: {127.0.0.1: corp}\nlog: {level: perf}\n")
        _reread(exporter, 0.0)
        assert exporter.metric(TAKEN) == started
        refused = f"{file}:2: log.level: found 'perf'"
        _until(lambda: any(refused in line for line in exporter.raw), exporter.tail())
        assert _provider(bench) == "openai"

        file.write_text("providers: {127.0.0.1: corp}\nweb: {listen_address: ':1'}\nmetrics: {names: []}\n")
        _reread(exporter, 1.0)
        assert exporter.metric(TAKEN) > started
        assert _provider(bench) == "corp"

        file.write_text(f"metrics: {{names: [{SUCCESS}]}}\n")
        exporter.process.send_signal(signal.SIGHUP)
        _until(lambda: _names(exporter.fetch("/metrics")[1]) == {SUCCESS}, exporter.tail())


def _asked(bench: Bench) -> str:
    conn = bench.connect(tls=True)
    try:
        return bench.ask(conn, chat(3), tls=True).model
    finally:
        conn.close()


def _provider(bench: Bench) -> str:
    return str(bench.exporter.expect(_asked(bench), "client")[0]["provider"])


def _names(text: str) -> set[str]:
    return {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def test_a_scrape_is_narrowed_by_names(tmp_path: Path) -> None:
    with running("libbpf", tmp_path) as exporter:
        _, text = exporter.fetch("/metrics?name[]=llm_exporter_build_info&name[]=llm_exporter_events_lost_total")
        assert _names(text) == {"llm_exporter_build_info", "llm_exporter_events_lost_total"}
        assert exporter.fetch("/metrics?name[]=nothing") == (200, "")


def test_signals_of_every_moment_of_the_start_end_it_or_are_kept(tmp_path: Path) -> None:
    """SIGHUP must never kill it, and SIGTERM always ends it with 0, while it loads, attaches or serves."""
    for delay_s in (0.0, 0.02, 0.05, 0.1, 0.3):
        exporter = Exporter("libbpf", tmp_path)
        _until(lambda pid=exporter.process.pid: _holds_back(pid), "not started")
        time.sleep(delay_s)  # into the load, the attach, the service: whatever it is just doing
        exporter.process.send_signal(signal.SIGHUP)
        exporter.process.send_signal(signal.SIGHUP)
        assert exporter.stop() == 0, exporter.tail()
        assert "Traceback" not in "".join(exporter.raw)


def _holds_back(pid: int) -> bool:
    """Whether the process has begun to hold signals back: before, Python itself is starting."""
    status = Path(f"/proc/{pid}/status").read_text()
    blocked = re.search(r"^SigBlk:\t(\w+)$", status, re.MULTILINE)
    return blocked is not None and bool(int(blocked[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_storm_of_sighups_is_survived(tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    file.write_text("providers: {" + ",".join(f"h{i}: p" for i in range(5000)) + "}\n")
    with running("libbpf", tmp_path, "--config.file", str(file)) as exporter:
        for _ in range(50):
            exporter.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        file.write_text("nothing: 1\n")
        _reread(exporter, 0.0)
        assert exporter.stop() == 0


@pytest.mark.parametrize("loader", ["libbpf", "bcc"])
def test_once_prints_one_scrape_of_what_it_saw(loader: str, lab: Lab, tmp_path: Path) -> None:
    """The shell's part: results to standard output alone, exit 0."""
    # Files, not pipes: a scrape of many models is longer than a pipe that nobody reads meanwhile.
    out_file, talk_file = tmp_path / "out", tmp_path / "talk"
    with out_file.open("w") as out, talk_file.open("w") as talk:
        command = [*program(), "--once", "4", "--loader", loader, "--log.level=info"]
        watcher = subprocess.Popen(command, stdout=out, stderr=talk, cwd=tmp_path)
    models = []
    with running("libbpf", tmp_path) as exporter:
        bench = Bench(lab, exporter)
        while watcher.poll() is None:
            models.append(_asked(bench))
            with suppress(subprocess.TimeoutExpired):
                watcher.wait(0.2)
    assert watcher.returncode == 0, talk_file.read_text()
    assert "probes attached" in talk_file.read_text()
    text = out_file.read_text()
    assert all(line.startswith(("llm_", "process_", "#")) for line in text.splitlines())
    assert any(f'model="{model}"' in text for model in models), models


def test_once_for_grep_and_for_head() -> None:
    command = " ".join([*program(), "--once", "0"])
    shell = ["bash", "-o", "pipefail", "-c"]
    grep = subprocess.run([*shell, f"{command} | grep -c ^llm_exporter_"], capture_output=True, text=True, check=False)
    assert (grep.returncode, grep.stderr) == (0, "")
    assert int(grep.stdout) > 20
    head = subprocess.run([*shell, f"{command} | head -1"], capture_output=True, text=True, check=False)
    assert (head.returncode, head.stderr) == (0, "")
    closed = subprocess.run([*shell, f"{command} | true"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, "")


def test_once_ends_by_ctrl_c_without_a_scrape() -> None:
    watcher = subprocess.Popen([*program(), "--once", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _until(lambda: _holds_back(watcher.pid) or watcher.poll() is not None, "not started")
    os.kill(watcher.pid, signal.SIGINT)
    assert watcher.communicate(timeout=60) == (b"", b"")
    assert watcher.returncode == 130
