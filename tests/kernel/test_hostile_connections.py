"""Connections that are shared, handed on, half closed, many, or no TCP at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from tests.e2e.answers import (
    After,
    Truth,
    chat,
    cut_after,
)
from tests.e2e.clients import PATIENCE_S, Raw, context_for, request_bytes
from tests.e2e.verdict import TIMES
from tests.kernel.bench import ROLES, Bench, Met
from tests.kernel.odd_server import served

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
SHORT = chat(4, 3.0, usage=(3, 4))


@BOTH
def test_client_that_closes_its_half_after_the_request(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.new("half-close", SHORT)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    raw = socket.socket(fileno=os.dup(conn.sock.fileno()))
    raw.shutdown(socket.SHUT_WR)
    raw.close()
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, tls, conn.flight, pid=os.getpid()))


@BOTH
def test_ipv6(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.model("six")
    with served(bench, tls=tls, data=SHORT.data, family=socket.AF_INET6) as (port, _):
        sock = socket.create_connection(("::1", port))
        conn = context_for(bench.lab.cert).wrap_socket(sock, server_hostname="localhost") if tls else sock
        conn.sendall(b"".join(request_bytes(model)))
        got = b""
        while len(got) < len(SHORT.data):
            got += conn.recv(65_536)
        conn.close()
    for role in ROLES:
        (line,) = bench.exporter.expect(model, role)
        assert (line["outcome"], line["content_events"], line["tokens"][0]["output"]) == ("ok", 4, 4)


def test_unix_socket_is_a_blind_spot_and_no_more(bench: Bench) -> None:
    model = bench.lab.model("unix")
    one, two = socket.socketpair()
    one.sendall(b"".join(request_bytes(model)))
    two.recv(65_536)
    two.sendall(SHORT.data)
    one.recv(65_536)
    one.close()
    two.close()
    bench.meet(SHORT, tls=False)
    assert not [line for role in ROLES for line in bench.exporter.lines(model, role)]


def test_empty_receive_is_no_end(bench: Bench) -> None:
    """recv() of no bytes returns 0 and says nothing about the peer."""
    long = chat(30, 10.0)
    model = bench.lab.new("empty-recv", long)
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    conn.read(long.marks[3].at)
    conn.sock.recv(0)
    conn.close()
    bench.check(Met(model, long, False, conn.flight, leaves=True, pid=os.getpid()), roles=("client",))  # noqa: FBT003


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumed_session(bench: Bench, version: ssl.TLSVersion) -> None:
    context = context_for(bench.lab.cert)
    context.maximum_version = version
    session = None
    for _ in range(2):
        model = bench.lab.new("resumed", SHORT)
        sock = socket.create_connection(("127.0.0.1", bench.lab.server.tls))
        with context.wrap_socket(sock, server_hostname="localhost", session=session) as conn:
            conn.sendall(b"".join(request_bytes(model)))
            got = b""
            while len(got) < len(SHORT.data):
                got += conn.recv(65_536)
            session = conn.session
        bench.check(Met(model, SHORT, True, None, pid=os.getpid()))  # noqa: FBT003 - TLS


def test_connection_handed_to_another_process(bench: Bench) -> None:
    """SCM_RIGHTS: one process asks, the other reads the answer."""
    model = bench.lab.new("handed", SHORT)
    conn = bench.connect(tls=False)
    conn.sock.setblocking(True)  # noqa: FBT003 - a time limit makes the shared description non-blocking
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reader = (
        "import socket,sys; s=socket.socket(fileno=int(sys.argv[1])); _,fds,_,_=socket.recv_fds(s,9,1)\n"
        "c=socket.socket(fileno=fds[0]); n=0\n"
        "while n<int(sys.argv[2]): n+=len(c.recv(65536))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(theirs.fileno()), str(len(SHORT.data))], pass_fds=(theirs.fileno(),)
    ) as child:
        conn.send(*request_bytes(model))
        socket.send_fds(mine, [b"x"], [conn.sock.fileno()])
        conn.close()
        assert child.wait(PATIENCE_S) == 0
    mine.close()
    theirs.close()
    bench.check(Met(model, SHORT, False, None))  # noqa: FBT003 - plaintext


@BOTH
def test_proxy_in_one_thread_counts_once_per_role_and_side(bench: Bench, *, tls: bool) -> None:
    """Client and server of the same exchange in one thread: both of its exchanges are told, each with its own end."""
    long = chat(40, 5.0)
    cut = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)
    planned = cut_after(long, 12, After.FIN, cut)
    model = bench.lab.new("proxied", planned)
    listener = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        down, _ = listener.accept()
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(bench.lab.cert, str(bench.lab.folder / "key.pem"))
            down = context.wrap_socket(down, server_side=True)
        request = down.recv(65_536)
        up = Raw(bench.lab.server.port(tls=tls), bench.lab.cert if tls else None)
        up.send(request)
        while data := up.sock.recv(65_536):
            down.sendall(data)
        up.close()
        down.close()

    thread = threading.Thread(target=proxy)
    thread.start()
    conn = Raw(listener.getsockname()[1], bench.lab.cert if tls else None)
    conn.send(b"".join(request_bytes(model)))
    conn.read(len(planned.data) + 1)
    conn.close()
    thread.join()
    listener.close()
    for role in ROLES:
        lines = bench.exporter.expect(model, role, 2)
        told = [(line["stream_outcome"], line["closed_by"], line["content_events"]) for line in lines]
        assert told == [("truncated", "server", len(planned.marks))] * 2, role


@BOTH
def test_200_connections_at_once(bench: Bench, *, tls: bool) -> None:
    whole = chat(20, 8.0, usage=(2, 20))
    models = [bench.lab.new("crowd", whole) for _ in range(200)]
    asyncio.run(_crowd(bench, models, len(whole.data), tls=tls))
    # 400 threads' own stamps on a busy machine prove nothing.
    bench.check(*(Met(model, whole, tls, None, pid=os.getpid()) for model in models), skip=(*TIMES, "duration_s"))


async def _crowd(bench: Bench, models: Sequence[str], size: int, *, tls: bool) -> None:
    context = context_for(bench.lab.cert) if tls else None

    async def one(model: str) -> None:
        port = bench.lab.server.port(tls=tls)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost" if tls else None
        )
        writer.write(b"".join(request_bytes(model)))
        await reader.readexactly(size)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    await asyncio.gather(*(one(model) for model in models))
