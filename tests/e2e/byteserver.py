"""An HTTP/1.1 server that sends scripted bytes, over TLS and plaintext, and notes when each left.

`python -m tests.e2e.byteserver --spool DIR --cert FILE --key FILE [--fork]`

The request's model (or its `x-script` header) names the script: `DIR/MODEL.json`, a list of attempts, each a list of
steps `[op, argument]` (see `_Peer.play`). What the server saw goes to `DIR/MODEL.ATTEMPT.seen`. It prints one JSON line
with its ports and ends when its standard input closes. With `--fork` every connection has a process of its own, which a
script may kill.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BACKLOG = 256
READ_BYTES = 262_144
# No test waits longer for a client; a client that hangs must not leave a thread behind.
HOLD_S = 60.0
RST_ON_CLOSE = struct.pack("ii", 1, 0)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
SCRIPT = re.compile(rb"\r\nx-script: *([\w.~-]+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
HEALTH = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"ok"}'
UNKNOWN = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class _Gone(Exception):  # noqa: N818 - no error: a script that ends its connection
    """The connection is over."""


@dataclass(slots=True)
class _Request:
    head: bytes
    body: bytes
    start_s: float

    def script(self) -> str:
        named = SCRIPT.search(self.head)
        if named:
            return named.group(1).decode()
        return str(json.loads(self.body)["model"])


@dataclass(slots=True)
class _Seen:
    """What the server can swear to, for the ground truth of its side."""

    start_s: float
    request_bytes: int
    writes: list[tuple[float, int]] = field(default_factory=list)
    failed: str | None = None

    def save(self, spool: Path, name: str, attempt: int) -> None:
        record = {"pid": os.getpid(), **asdict(self)}
        path = spool / f"{name}.{attempt}.seen"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(record))
        draft.replace(path)


class _Peer:
    """One connection: requests in, scripts out."""

    def __init__(self, conn: socket.socket, spool: Path, attempts: Counter[str]) -> None:
        self._conn = conn
        self._spool = spool
        self._attempts = attempts
        self._buffer = b""

    def serve(self) -> None:
        for request in self._requests():
            if request.head.startswith((b"GET ", b"HEAD ", b"DELETE ")):
                self._conn.sendall(HEALTH)
                continue
            self._answer(request)
            if CLOSE.search(request.head):
                return

    def _answer(self, request: _Request) -> None:
        name = request.script()
        attempt = self._attempts[name]
        self._attempts[name] += 1
        try:
            scripts: list[list[list[Any]]] = json.loads((self._spool / f"{name}.json").read_bytes())
        except FileNotFoundError:
            self._conn.sendall(UNKNOWN)
            return
        seen = _Seen(request.start_s, len(request.head) + 2 + len(request.body))
        last = scripts[min(attempt, len(scripts) - 1)]
        try:
            for op, *args in last[:-1]:
                self.play(seen, op, args)
        except OSError as gone:
            seen.failed = type(gone).__name__
        # Before the ending: it may be the end of this process.
        seen.save(self._spool, name, attempt)
        if seen.failed:
            raise _Gone
        self._finish(last[-1][0])

    def play(self, seen: _Seen, op: str, args: list[Any]) -> None:
        """Carry out one step: `w` bytes, `v` several buffers in one sendmsg, `sleep` ms, `gate` a file to wait for."""
        if op == "sleep":
            time.sleep(args[0] / 1000)
        elif op == "gate":
            self._wait_for(self._spool / args[0])
        elif op == "w":
            self._send(seen, args[0].encode("latin-1"))
        elif op == "v":
            self._send_vector(seen, [text.encode("latin-1") for text in args[0]])
        else:
            msg = f"unknown step {op!r}"
            raise ValueError(msg)

    @staticmethod
    def _wait_for(gate: Path) -> None:
        gate.with_name(f"{gate.name}.{threading.get_ident()}.at").touch()
        until_s = time.monotonic() + HOLD_S
        while not gate.exists() and time.monotonic() < until_s:
            time.sleep(0.005)

    def _send(self, seen: _Seen, data: bytes) -> None:
        while data:
            before_s = time.monotonic()
            sent = self._conn.send(data)
            seen.writes.append((before_s, sent))
            data = data[sent:]

    def _send_vector(self, seen: _Seen, buffers: list[bytes]) -> None:
        if isinstance(self._conn, ssl.SSLSocket):  # TLS has no sendmsg
            self._send(seen, b"".join(buffers))
            return
        before_s = time.monotonic()
        sent = self._conn.sendmsg(buffers)
        seen.writes.append((before_s, sent))
        self._send(seen, b"".join(buffers)[sent:])

    def _finish(self, how: str) -> None:
        if how == "keep":
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "exit":
            os._exit(0)
        if how == "rst":
            self._conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        if how == "notify" and isinstance(self._conn, ssl.SSLSocket):
            self._conn.settimeout(2)
            self._conn.unwrap()
        if how == "hold":
            self._conn.settimeout(HOLD_S)
            with contextlib.suppress(OSError):
                while self._conn.recv(READ_BYTES):
                    pass
        raise _Gone

    def _fill(self) -> bool:
        data = self._conn.recv(READ_BYTES)
        self._buffer += data
        return bool(data)

    def _requests(self) -> Iterator[_Request]:
        while True:
            start_s = 0.0
            while b"\r\n\r\n" not in self._buffer:
                if not self._fill():
                    return
                start_s = start_s or time.monotonic()
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            head += b"\r\n"
            if EXPECT.search(head):
                self._conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self._chunked() if CHUNKED.search(head) else self._sized(head)
            if body is None:
                return
            yield _Request(head, body, start_s or time.monotonic())

    def _sized(self, head: bytes) -> bytes | None:
        found = LENGTH.search(head)
        length = int(found.group(1)) if found else 0
        pieces, have = [self._buffer], len(self._buffer)
        while have < length:
            data = self._conn.recv(READ_BYTES)
            if not data:
                return None
            pieces.append(data)
            have += len(data)
        whole = b"".join(pieces)
        self._buffer = whole[length:]
        return whole[:length]

    def _chunked(self) -> bytes | None:
        body = b""
        while True:
            line = self._line()
            if line is None:
                return None
            size = int(line, 16)
            while len(self._buffer) < size + 2:
                if not self._fill():
                    return None
            body += self._buffer[:size]
            self._buffer = self._buffer[size + 2 :]
            if not size:
                return body

    def _line(self) -> bytes | None:
        while b"\r\n" not in self._buffer:
            if not self._fill():
                return None
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line


def _serve(conn: socket.socket, context: ssl.SSLContext | None, spool: Path, attempts: Counter[str]) -> None:
    try:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            conn = context.wrap_socket(conn, server_side=True)
        _Peer(conn, spool, attempts).serve()
    except (OSError, _Gone):
        pass  # the other side went away, or the script said so
    finally:
        conn.close()


def _fork(conn: socket.socket, listeners: list[socket.socket], context: ssl.SSLContext | None, spool: Path) -> None:
    if os.fork():
        conn.close()
        return
    for listener in listeners:
        listener.close()
    # The parent's standard input is its life line; a child lives as long as its connection.
    _serve(conn, context, spool, Counter())
    os._exit(0)


def _context(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--fork", action="store_true")
    args = parser.parse_args()
    context = _context(args.cert, args.key)
    # 40 threads that only wait: a short switch interval keeps the stamps honest.
    sys.setswitchinterval(0.0005)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    tls, plain = (socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) for _ in range(2))
    ports = {"tls": tls.getsockname()[1], "plain": plain.getsockname()[1], "pid": os.getpid()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    attempts: Counter[str] = Counter()
    listeners = [tls, plain]
    while True:
        ready, _, _ = select.select([*listeners, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        for listener in (tls, plain):
            if listener not in ready:
                continue
            conn, _ = listener.accept()
            chosen = context if listener is tls else None
            if args.fork:
                _fork(conn, listeners, chosen, args.spool)
            else:
                threading.Thread(target=_serve, args=(conn, chosen, args.spool, attempts), daemon=True).start()


if __name__ == "__main__":
    main()
