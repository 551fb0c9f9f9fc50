"""TLS libraries that come and go while the exporter runs: probed once per inode, released with the last user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.answers import chat
from tests.e2e.clients import PATIENCE_S
from tests.e2e.daemon import ROOT, Exporter
from tests.kernel.bench import ROLES, Bench

pytestmark = pytest.mark.timeout(90)
# The last look at a new process comes 3 s after its exec, all processes are looked at every 10 s.
ATTACH_S = 14.0
ANSWER = chat(5, 3.0, usage=(2, 5))
WORKER = """
import os, sys, time
time.sleep(float(sys.argv[3]))
import ssl
if sys.argv[4]:
    os.unlink(sys.argv[4])
from tests.e2e.clients import Raw, request_bytes
maps = [line.split()[5] for line in open("/proc/self/maps") if "libssl" in line]
print(maps[0], flush=True)
for line in sys.stdin:
    model, size = line.split()
    conn = Raw(int(sys.argv[1]), sys.argv[2])
    conn.send(*request_bytes(model))
    conn.read(int(size))
    conn.close()
    print(model, flush=True)
"""


def _libssl() -> Path:
    """The library that this interpreter's ssl module is bound to."""
    import ssl  # noqa: F401, PLC0415 - maps it

    found = re.search(r"/\S*libssl\.so\S*", Path("/proc/self/maps").read_text())
    if found is None:
        pytest.skip("this interpreter has no libssl of its own")
    return Path(found[0])


class Worker:
    """A process with a library of its own that asks when it is told to."""

    def __init__(
        self,
        bench: Bench,
        *,
        before: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        late_s: float = 0.0,
        unlink: str = "",
    ) -> None:
        self._bench = bench
        program = [sys.executable, "-c", WORKER, str(bench.lab.server.tls), bench.lab.cert, str(late_s), unlink]
        self._process = subprocess.Popen(
            [*before, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        assert self._process.stdout is not None
        self.library = self._process.stdout.readline().strip()

    def ask(self) -> str:
        """One exchange on a new connection; its model."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        model = self._bench.lab.new("library", ANSWER)
        self._process.stdin.write(f"{model} {len(ANSWER.data)}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == model
        return model

    def check(self) -> None:
        """An exchange is told, once for each role."""
        model = self.ask()
        for role in ROLES:
            (line,) = self._bench.exporter.expect(model, role)
            assert (line["outcome"], line["content_events"], line["transport"]) == ("ok", 5, "tls")

    def end(self) -> None:
        """Let it exit."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@contextmanager
def _worker(bench: Bench, **how: object) -> Iterator[Worker]:
    worker = Worker(bench, **how)  # type: ignore[arg-type]
    try:
        yield worker
    finally:
        worker.end()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The system's libssl as an inode of its own."""
    path = tmp_path / "libssl.so.3"
    shutil.copy(_libssl(), path)
    return path


def _probes(exporter: Exporter) -> float:
    return exporter.metric("llm_exporter_probes_attached")


def _wait_for(exporter: Exporter, wanted: float) -> None:
    until_s = time.monotonic() + ATTACH_S
    while (now := _probes(exporter)) != wanted and time.monotonic() < until_s:
        time.sleep(0.05)
    assert now == wanted


def _wait_for_more(exporter: Exporter, than: float) -> float:
    until_s = time.monotonic() + ATTACH_S
    while (now := _probes(exporter)) <= than and time.monotonic() < until_s:
        time.sleep(0.05)
    assert now > than
    return now


def test_other_mount_namespace_shares_an_inode_and_releases_it(bench: Bench, copy: Path) -> None:
    bind = f'mount --bind {copy} {_libssl()} && exec "$@"'
    before = ("unshare", "-m", "sh", "-c", bind, "sh")
    idle = _probes(bench.exporter)
    with _worker(bench, before=before) as first:
        assert first.library == str(_libssl())
        attached = _wait_for_more(bench.exporter, idle)
        first.check()
        with _worker(bench, before=before) as second:
            second.check()
            assert _probes(bench.exporter) == attached
            first.check()
        time.sleep(0.5)
        assert _probes(bench.exporter) == attached
        first.check()
    _wait_for(bench.exporter, idle)


def test_library_of_a_search_path(bench: Bench, copy: Path) -> None:
    idle = _probes(bench.exporter)
    with _worker(bench, env={"LD_LIBRARY_PATH": str(copy.parent)}) as worker:
        assert worker.library == str(copy)
        _wait_for_more(bench.exporter, idle)
        worker.check()
    _wait_for(bench.exporter, idle)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["kept", "deleted"])
def test_library_loaded_late(bench: Bench, copy: Path, *, is_deleted: bool) -> None:
    idle = _probes(bench.exporter)
    unlink = str(copy) if is_deleted else ""
    with _worker(bench, env={"LD_LIBRARY_PATH": str(copy.parent)}, late_s=1.5, unlink=unlink) as worker:
        assert worker.library == str(copy)
        assert copy.exists() != is_deleted
        _wait_for_more(bench.exporter, idle)
        worker.check()
    _wait_for(bench.exporter, idle)


def test_library_replaced_under_a_running_process(bench: Bench, copy: Path) -> None:
    """An upgrade: the old process keeps the old inode, the new one has the new."""
    idle = _probes(bench.exporter)
    env = {"LD_LIBRARY_PATH": str(copy.parent)}
    with _worker(bench, env=env) as old:
        attached = _wait_for_more(bench.exporter, idle)
        fresh = copy.with_suffix(".new")
        shutil.copy(copy, fresh)
        fresh.replace(copy)
        with _worker(bench, env=env) as new:
            _wait_for_more(bench.exporter, attached)
            new.check()
            old.check()
        _wait_for(bench.exporter, attached)
    _wait_for(bench.exporter, idle)


def test_first_user_that_is_killed_releases_too(bench: Bench, copy: Path) -> None:
    idle = _probes(bench.exporter)
    with _worker(bench, env={"LD_LIBRARY_PATH": str(copy.parent)}) as worker:
        _wait_for_more(bench.exporter, idle)
        worker._process.kill()
    _wait_for(bench.exporter, idle)


def test_release_holds_nothing_up(bench: Bench, copy: Path) -> None:
    """The kernel takes about 0.1 s to remove one probe; reading the ring and scrapes must not wait for all of them."""
    idle = _probes(bench.exporter)
    with _worker(bench, env={"LD_LIBRARY_PATH": str(copy.parent)}) as worker:
        _wait_for_more(bench.exporter, idle)
        worker._process.kill()
    slowest_s = 0.0
    until_s = time.monotonic() + 3.0
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        bench.exporter.fetch("/metrics")
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert slowest_s < 1.0


def test_short_client_with_a_new_library_is_seen_or_counted(bench: Bench, copy: Path) -> None:
    """It may be faster than the attach; then a counter says that something was missed."""
    before = bench.exporter.metric("llm_exporter_unparsed_connections_total")
    model = bench.lab.new("short", ANSWER)
    url = f"https://localhost:{bench.lab.server.tls}/v1/chat/completions"
    body = f'{{"model":"{model}","stream":true,"messages":[]}}'
    command = ["curl", "-sN", "--http1.1", "--cacert", bench.lab.cert, "-o", "/dev/null", "-d", body, url]
    subprocess.run(command, env={**os.environ, "LD_LIBRARY_PATH": str(copy.parent)}, check=True, timeout=PATIENCE_S)
    bench.exporter.expect(model, "server")
    time.sleep(1.0)
    counted = bench.exporter.metric("llm_exporter_unparsed_connections_total") - before
    assert len(bench.exporter.lines(model, "client")) + counted >= 1
