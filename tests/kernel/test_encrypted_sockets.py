"""Sockets that carry TLS are not looked into; what the same connection, socket or address carries else still is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.answers import chat
from tests.e2e.clients import PATIENCE_S, Raw, request_bytes
from tests.kernel.bench import ROLES, Bench

pytestmark = pytest.mark.timeout(120)
ANSWER = chat(5, 1.0, usage=(2, 5))
HEADER = 5
RECORD = b"\x17\x03\x03" + struct.pack(">H", 40) + bytes(40)
HANDSHAKE, MANY = 12, 60  # records: more than bpf/socket.h wants to be sure
CONNECTIONS = 23


def _serve(conn: socket.socket) -> None:
    """Read records as OpenSSL does, then requests, and answer these."""
    with conn, contextlib.suppress(OSError):
        while first := conn.recv(HEADER):
            if first.startswith(RECORD[:3]):
                conn.recv(len(RECORD) - HEADER, socket.MSG_WAITALL)
                continue
            got = first
            while not got.endswith(b"}"):
                got += conn.recv(65_536)
            conn.sendall(ANSWER.data)


@pytest.fixture
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                threading.Thread(target=_serve, args=(conn,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(PATIENCE_S)


def _send_records(conn: Raw, count: int) -> None:
    for _ in range(count):
        conn.sock.sendall(RECORD)


def _ask(bench: Bench, conn: Raw) -> None:
    model = bench.lab.model("encrypted")
    conn.send(b"".join(request_bytes(model)))
    assert conn.read(len(ANSWER.data)) == ANSWER.data
    for role in ROLES:
        assert bench.exporter.expect(model, role)


def test_a_plain_request_behind_a_handshake_is_seen(bench: Bench, port: int) -> None:
    """With TLS in the kernel a connection begins like this, and its calls carry what is meant."""
    with contextlib.closing(Raw(port, None)) as conn:
        _send_records(conn, HANDSHAKE)
        _ask(bench, conn)


def test_an_address_that_named_an_encrypted_connection_names_the_next_one_anew(bench: Bench, port: int) -> None:
    """The kernel gives the place of a closed socket to the next one."""
    for _ in range(CONNECTIONS):
        with contextlib.closing(Raw(port, None)) as before:
            _send_records(before, MANY)
        with contextlib.closing(Raw(port, None)) as after:
            _ask(bench, after)


def test_a_socket_that_is_connected_again_is_looked_into_again(bench: Bench, port: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    nowhere = struct.pack("<H14x", socket.AF_UNSPEC)
    with contextlib.closing(Raw(port, None)) as conn:
        _send_records(conn, MANY)
        assert libc.connect(conn.sock.fileno(), nowhere, len(nowhere)) == 0, os.strerror(ctypes.get_errno())
        conn.sock.connect(("127.0.0.1", port))
        _ask(bench, conn)
