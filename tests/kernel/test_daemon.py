"""The daemon as an operator meets it: what it says when it cannot run, its pages, its options and its end."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.e2e.answers import chat
from tests.e2e.daemon import Exporter, program, running
from tests.e2e.lab import Lab
from tests.kernel import crash
from tests.kernel.bench import Bench

pytestmark = pytest.mark.timeout(180)
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
NO_BTF = """
import sys
from pathlib import Path
from llmslo_exporter import machine
machine.require.__defaults__ = (Path("/sys/kernel/btf/no-such-file"),)
from llmslo_exporter.__main__ import main
main()
"""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _says_one_line(found: subprocess.CompletedProcess[str], *words: str) -> None:
    assert found.returncode == 1
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert "Traceback" not in found.stderr
    for word in words:
        assert word in found.stderr


def test_without_root(loader: str) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    _says_one_line(_run(*nobody, *program(), "--loader", loader), "root")


def test_root_without_capabilities(loader: str) -> None:
    """As in a container: user id 0, and the kernel refuses."""
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
    _says_one_line(_run(*bare, *program(), "--loader", loader, "--web.listen-address", "127.0.0.1:0"))


def test_without_btf(loader: str) -> None:
    _says_one_line(_run(sys.executable, "-c", NO_BTF, "--loader", loader), "BTF")


def test_port_in_use(loader: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        _says_one_line(_run(*program(), "--loader", loader, "--web.listen-address", address), address)


def test_address_of_nobody(loader: str) -> None:
    _says_one_line(_run(*program(), "--loader", loader, "--web.listen-address", "192.0.2.1:9469"), "192.0.2.1:9469")


@pytest.mark.parametrize("flags", [("--no-such-flag",), ("--loader", "perf"), ("--web.listen-address", "here")])
def test_wrong_usage(flags: Sequence[str]) -> None:
    found = _run(*program(), *flags)
    assert found.returncode == 2
    assert flags[-1] in found.stderr


def test_version() -> None:
    found = _run(*program(), "--version")
    assert (found.returncode, found.stdout.split()) == (0, ["llmslo-exporter", version("llmslo")])


def test_end_by_sigterm_leaves_nothing(loader: str, lab: Lab, tmp_path: Path) -> None:
    before = crash.held()
    exporter = Exporter(loader, tmp_path)
    exporter.wait_ready()
    Bench(lab, exporter).meet(chat(3), tls=True)
    assert exporter.stop() == 0, exporter.tail()
    assert crash.settled(before) == {}


def test_end_while_an_exchange_is_open(loader: str, lab: Lab, tmp_path: Path) -> None:
    bench = Bench(lab, exporter := Exporter(loader, tmp_path))
    exporter.wait_ready()
    long = chat(30, 10.0)
    model = lab.new("open", long)
    conn = bench.connect(tls=True)
    conn.send(b"POST /v1/chat/completions HTTP/1.1\r\nx-script: " + model.encode() + b"\r\ncontent-length: 2\r\n\r\n{}")
    conn.read(long.marks[3].at)
    assert exporter.stop() == 0, exporter.tail()
    conn.read(len(long.data) - sum(size for _, size in conn.flight.reads))
    conn.close()


def test_ready_only_once_attached(loader: str, tmp_path: Path) -> None:
    exporter = Exporter(loader, tmp_path)
    said: list[int] = []
    until_s = time.monotonic() + 120
    try:
        while 200 not in said and time.monotonic() < until_s:
            try:
                said.append(exporter.fetch("/readyz")[0])
            except OSError:
                time.sleep(0.002)
        assert exporter.fetch("/healthz") == (200, "ok\n")
        assert exporter.metric("llm_exporter_probes_attached") > 0
    finally:
        exporter.stop()
    assert said[0] == 503
    assert said[-1] == 200


def _page(exporter: Exporter, **headers: str) -> tuple[int, dict[str, str], bytes]:
    url = f"http://127.0.0.1:{exporter.port}/metrics"
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request, timeout=10) as page:  # noqa: S310 - our own page
        return page.status, {name.lower(): value for name, value in page.headers.items()}, page.read()


def test_metrics_in_every_format(bench: Bench) -> None:
    status, headers, text = _page(bench.exporter)
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert b"# HELP llm_requests_in_flight " in text
    assert not text.rstrip().endswith(b"# EOF")
    _, headers, text = _page(bench.exporter, accept="application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert text.rstrip().endswith(b"# EOF")
    _, headers, packed = _page(bench.exporter, accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert b"llm_exporter_build_info{" in gzip.decompress(packed)


def test_unknown_page_and_method(bench: Bench) -> None:
    assert bench.exporter.fetch("/no-such-page")[0] == 404
    request = urllib.request.Request(f"http://127.0.0.1:{bench.exporter.port}/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own page
    with refused.value as answer:
        assert answer.code in (405, 501)


def test_build_info_names_version_and_loader(bench: Bench) -> None:
    info = {"version": version("llmslo"), "loader": bench.exporter.loader}
    assert bench.exporter.metric("llm_exporter_build_info", **info) == 1


def test_bpf_stats_without_the_sysctl(loader: str, lab: Lab, tmp_path: Path) -> None:
    before = STATS.read_text()
    with running(loader, tmp_path, "--bpf.stats") as exporter:
        Bench(lab, exporter).meet(chat(3), tls=True)
        runs = exporter.metric("llm_exporter_bpf_runs_total", program="tls_data_return")
        seconds = exporter.metric("llm_exporter_bpf_run_seconds_total", program="tls_data_return")
        assert STATS.read_text() == before
    assert runs > 0
    assert 0 < seconds < 1
    assert STATS.read_text() == before


def test_no_bpf_stats_unless_asked(bench: Bench) -> None:
    assert "llm_exporter_bpf_runs_total{" not in bench.exporter.fetch("/metrics")[1]


def test_restart_on_the_same_port(loader: str, tmp_path: Path) -> None:
    """A supervisor restarts at once: old connections in TIME_WAIT must not hold the port."""
    with running(loader, tmp_path) as first:
        port = first.port
        first.fetch("/metrics")
    again = Exporter(loader, tmp_path, "--web.listen-address", f"127.0.0.1:{port}")
    again.port = port
    try:
        again.wait_ready()
    finally:
        assert again.stop() == 0


def test_nothing_is_written_to_the_working_directory(bench: Bench) -> None:
    cwd = Path(f"/proc/{bench.exporter.process.pid}/cwd").readlink()
    assert list(cwd.iterdir()) == []
