"""A tracer in the test's own process, with the patience a test has, and processes that are busy with TLS."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from llmslo_exporter.exchange import Exchange
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.identity import Workload
from llmslo_exporter.leaving_out import Patience
from llmslo_exporter.loading import load
from llmslo_exporter.summary import Role
from llmslo_exporter.tracer import Tracer
from tests.e2e.clients import PATIENCE_S
from tests.e2e.daemon import ROOT

# A processor that others use too still makes some thousand calls a second of the busy process below.
HASTE = Patience(calls_per_s=200.0, sample_s=1.0, look_s=0.5, first_pause_s=2.0, longest_pause_s=60.0)
SEEN_S = 20.0
BUSY = """
import os, socket, ssl, sys, threading, time
from tests.e2e.clients import Raw, request_bytes
port, cert, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
is_busy = True

def churn():
    inner, outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    inner.load_cert_chain(cert, key)
    outer.check_hostname, outer.verify_mode = False, ssl.CERT_NONE
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    server, client = inner.wrap_bio(a, b, server_side=True), outer.wrap_bio(b, a)
    for side in (client, server, client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    while True:
        while not is_busy:
            time.sleep(0.01)
        client.write(b"x" * 100)
        server.read(100)

def ask(model, size, host):
    conn = Raw(port, None)
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    conn.sock = context.wrap_socket(conn.sock, server_hostname=host)
    time.sleep(0.2)
    conn.send(*request_bytes(model))
    conn.read(size)
    conn.close()

def pass_on(model, size, port):
    conn = Raw(port, None)
    conn.send(*request_bytes(model))
    conn.read(size)
    conn.close()

def hear(port, *call):
    context = ssl.create_default_context(cafile=cert)
    conn = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    conn.settimeout(None)
    conn.recv(1)
    pass_on(*call)

threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "ask":
        ask(rest[0], int(rest[1]), rest[2])
    elif word == "exec":
        print("done", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", rest[0].replace("%", " ").replace(";", chr(10)), *rest[1:]])
    elif word == "pass":
        pass_on(rest[0], int(rest[1]), int(rest[2]))
    elif word == "hear":
        call = int(rest[0]), rest[1], int(rest[2]), int(rest[3])
        threading.Thread(target=hear, args=call, daemon=True).start()
    elif word == "rest":
        is_busy = False
    elif word == "fork":
        child = os.fork()
        if not child:
            ask(rest[0], int(rest[1]), rest[2])
            os._exit(0)
        os.waitpid(child, 0)
    print("done", flush=True)
"""


class Seen:
    """Takes what the tracer records."""

    def __init__(self) -> None:
        self._models: list[tuple[str, Role]] = []
        self._news = threading.Condition()

    def record(self, exchange: Exchange, workload: Workload) -> None:
        """Take one exchange."""
        assert workload
        with self._news:
            self._models.append((exchange.model, exchange.role))
            self._news.notify_all()

    def record_tls_failure(self, provider: str, role: Role, workload: Workload) -> None:
        """Take one failed handshake."""

    def count(self, model: str, role: Role = Role.CLIENT) -> int:
        """How often a model was recorded."""
        with self._news:
            return self._models.count((model, role))

    def expect(self, model: str, role: Role = Role.CLIENT) -> None:
        """Wait for a model."""
        with self._news:
            assert self._news.wait_for(lambda: (model, role) in self._models, SEEN_S), f"{model} as {role} not seen"


class Inside:
    """A tracer that runs here."""

    def __init__(self, loader: str, exclusions: Sequence[str] = (), patience: Patience = HASTE) -> None:
        self.loader = load(loader)
        self.seen = Seen()
        self.tracer = Tracer(self.loader, self.seen, {}, Exclusions(tuple(exclusions)), patience)

    def __enter__(self) -> Self:
        self.tracer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.tracer.close()

    def is_left_out(self, pid: int) -> bool:
        """Whether a process is spared now."""
        return any(left.pid == pid for left in self.tracer.left_out())

    def calls(self, pid: int) -> int:
        """How many TLS calls of a process the kernel has counted."""
        found = self.loader.lookup("tls_calls", pid.to_bytes(4, "little"))
        return int.from_bytes(found, "little") if found else 0

    def wait_left_out(self, pid: int, *, wanted: bool = True) -> None:
        """Wait until a process is spared, or no more."""
        wait_for(lambda: self.is_left_out(pid) == wanted, f"left out: {wanted}")


class Busy:
    """A process that makes thousands of TLS calls a second, and an LLM call when it is told to."""

    def __init__(self, port: int, cert: str) -> None:
        key = cert.replace("cert.pem", "key.pem")
        self._process = subprocess.Popen(
            [sys.executable, "-c", BUSY, str(port), cert, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.pid = self._process.pid
        self._hear("ready")

    def tell(self, *words: str) -> None:
        """Let it do something: `ask MODEL SIZE HOST`, the same in a forked child, `rest`.

        `pass MODEL SIZE PORT`, without TLS; `hear TLS-PORT MODEL SIZE PORT`, the same from a thread that read a byte.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        self._hear("done")

    def _hear(self, wanted: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == wanted

    def end(self) -> None:
        """Let it exit."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@contextmanager
def busy(port: int, cert: str) -> Iterator[Busy]:
    """Yield a busy process."""
    process = Busy(port, cert)
    try:
        yield process
    finally:
        process.end()


def wait_for(is_so: Callable[[], bool], what: str, timeout_s: float = SEEN_S) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until_s, what
        time.sleep(0.05)
