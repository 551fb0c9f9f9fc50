"""Kernels without the socket length tracepoints and without links for many probes: others stand in, nothing changes."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.answers import (
    After,
    Truth,
    chat,
    completion,
    cut_after,
    json_answer,
    plain_truth,
    silence,
)
from tests.e2e.clients import Raw, request_bytes
from tests.e2e.daemon import Exporter, kernel_is_open, running
from tests.e2e.lab import Lab
from tests.kernel.bench import Bench, Met

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(90),
    pytest.mark.skipif(kernel_is_open() is not None, reason=str(kernel_is_open())),
]
OLD_KERNEL = """
import sys
from llmslo_exporter import probes
from llmslo_exporter.loaders import uprobe_multi
uprobe_multi.is_supported = lambda: False
probes.SOCKET_TRACEPOINTS = (("socket_sent", "no_such_send_length"), ("socket_received", "no_such_recv_length"))
from llmslo_exporter.__main__ import main
sys.argv[0] = "llmslo-exporter"
main()
"""
SHORT = chat(6, 3.0, usage=(3, 6))
CUT = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    command = (sys.executable, "-c", OLD_KERNEL)
    with running("libbpf", tmp_path_factory.mktemp("fallback"), command=command) as ready:  # BCC has no stand-in
        yield ready


@pytest.fixture
def bench(lab: Lab, old: Exporter) -> Bench:
    return Bench(lab, old)


def test_stand_in_is_attached_and_told_of(old: Exporter) -> None:
    assert old.metric("llm_exporter_probes_attached", hook="sys_exit") == 1
    assert old.metric("llm_exporter_probes_attached", hook="sock_send_length") == 0
    assert any("every system call is watched" in line for line in old.raw)


def _write(conn: Raw, whole: bytes) -> None:
    os.write(conn.sock.fileno(), whole)


def _writev(conn: Raw, whole: bytes) -> None:
    os.writev(conn.sock.fileno(), [whole[:3], whole[3:40], whole[40:]])


def _sendmsg(conn: Raw, whole: bytes) -> None:
    conn.sock.sendmsg([whole[:90], b"", whole[90:]])


SENDS: dict[str, Callable[[Raw, bytes], object]] = {
    "send": lambda conn, whole: conn.sock.send(whole),
    "write": _write,
    "writev": _writev,
    "sendmsg": _sendmsg,
}


@pytest.mark.parametrize("send", SENDS)
def test_request_by_every_call(bench: Bench, send: str) -> None:
    model = bench.lab.new("fallback", SHORT)
    conn = bench.connect(tls=False)
    conn.send()  # the client's own t0
    SENDS[send](conn, b"".join(request_bytes(model)))
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


def _received(want: int, receive: Callable[[], bytes]) -> bytes:
    found = b""
    while len(found) < want:
        found += receive()
    return found


def _read(conn: Raw, want: int) -> bytes:
    conn.sock.setblocking(True)  # noqa: FBT003 - of the standard library
    return _received(want, lambda: os.read(conn.sock.fileno(), 65_536))


def _recvmsg(conn: Raw, want: int) -> bytes:
    return _received(want, lambda: conn.sock.recvmsg(65_536)[0])


def _peeked(conn: Raw, want: int) -> bytes:
    def receive() -> bytes:
        conn.sock.recv(100, socket.MSG_PEEK)
        conn.sock.recvmsg(100, 0, socket.MSG_PEEK)
        return conn.sock.recv(65_536)

    return _received(want, receive)


READS: dict[str, Callable[[Raw, int], bytes]] = {
    "recv": lambda conn, want: conn.read(want),
    "readv": lambda conn, want: conn.read(want, 40, gather=5),
    "read": _read,
    "recvmsg": _recvmsg,
    "MSG_PEEK": _peeked,
}


@pytest.mark.parametrize("read", READS)
def test_answer_by_every_call(bench: Bench, read: str) -> None:
    model = bench.lab.new("fallback", SHORT)
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    assert READS[read](conn, len(SHORT.data)) == SHORT.data
    conn.close()
    flight = conn.flight if conn.flight.reads else None  # who reads past Raw takes no stamps
    bench.check(Met(model, SHORT, False, flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


@pytest.mark.parametrize("after", [After.FIN, After.RST])
def test_cut_by_the_server(bench: Bench, after: After) -> None:
    planned = cut_after(chat(20, 3.0), 9, after, CUT)
    model = bench.lab.new("fallback-cut", planned)
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    try:
        conn.read(len(planned.data) + 1)
    except ConnectionResetError:
        assert after is After.RST
    conn.close()
    bench.check(Met(model, planned, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


def test_client_cancels(bench: Bench) -> None:
    long = chat(60, 10.0)
    model = bench.lab.new("fallback-cancel", long)
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    conn.read(long.marks[4].at)
    conn.close()
    bench.check(Met(model, long, False, conn.flight, leaves=True, pid=os.getpid()))  # noqa: FBT003 - plaintext


def test_kept_alive_connection(bench: Bench) -> None:
    whole = json_answer(completion((7, 8)), plain_truth((7, 8)), compress=True)
    conn = bench.connect(tls=False)
    met = [bench.ask(conn, planned, tls=False) for planned in (SHORT, whole, chat(9, 1.0, done=False), whole, SHORT)]
    conn.close()
    bench.check(*met)


def test_request_without_an_answer(bench: Bench) -> None:
    bench.meet(silence(After.FIN, 40.0), tls=False)


def test_tls_learns_who_closed(bench: Bench) -> None:
    planned = cut_after(chat(20, 3.0), 9, After.FIN, CUT)
    bench.meet(planned, tls=True)
    bench.meet(SHORT, tls=True)


def test_files_and_pipes_are_left_alone(bench: Bench, tmp_path: Path) -> None:
    model = bench.lab.model("fallback-file")
    data = b"".join(request_bytes(model))
    path = tmp_path / "request"
    path.write_bytes(data)
    read, write = os.pipe()
    os.write(write, data)
    assert os.read(read, 65_536) == data == path.read_bytes()
    os.close(read)
    os.close(write)
    bench.meet(SHORT, tls=False)
    assert not bench.exporter.lines(model, "client")
    assert not bench.exporter.lines(model, "server")
