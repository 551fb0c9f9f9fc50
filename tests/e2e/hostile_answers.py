"""Answers and requests that mean no good by an observer: `python -m tests.e2e.hostile_answers KIND COUNT CERT KEY`.

Server and client are threads of one process, so both roles are seen; every other exchange goes over TLS. COUNT of them
take place, each on a connection of its own; then one JSON line says how many. COUNT 0: until standard input closes.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import ssl
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, repeat

PATIENCE_S = 20.0
READ_BYTES = 1 << 20
PIECE = 1 << 16
OK = b"HTTP/1.1 200 OK\r\n"
JSON, SSE, NDJSON = (
    b"content-type: %b\r\n" % kind for kind in (b"application/json", b"text/event-stream", b"application/x-ndjson")
)
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
CHAT = b'{"id":"c","model":"served","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}'
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
MIB = 1 << 20
BOMB_BLOCK = 16 * MIB
BOMB_BLOCKS = 640  # 10 GiB


def bomb(wbits: int = 31) -> Iterator[bytes]:
    """Yield a body of some 10 MB that inflates to 10 GiB: after a full flush the same block may follow again."""
    packer = zlib.compressobj(9, wbits=wbits)
    yield packer.compress(b" " * BOMB_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, wbits=-15)
    yield from repeat(raw.compress(b" " * BOMB_BLOCK) + raw.flush(zlib.Z_FULL_FLUSH), BOMB_BLOCKS - 1)


def _chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield b"%x\r\n" % len(part) + part + b"\r\n"
    yield b"0\r\n\r\n"


def _sized(kind: bytes, body: bytes) -> Iterator[bytes]:
    yield OK + kind + b"content-length: %d\r\n\r\n" % len(body) + body


def _bomb(kind: bytes, coding: bytes, wbits: int) -> Iterator[bytes]:
    yield OK + kind + b"content-encoding: " + coding + b"\r\n" + CHUNKED
    yield from _chunks(bomb(wbits))


def _endless(*lines: bytes, total: int = 20 * MIB) -> Iterator[bytes]:
    start, part = lines
    yield start
    yield from repeat(part * (PIECE // len(part)), total // PIECE)


def _sizes(*sizes: bytes) -> Iterator[bytes]:
    for size in sizes:
        yield OK + SSE + CHUNKED + size + b"\r\n" + EVENT * 3


def _first(answers: Iterator[bytes]) -> Callable[[], Iterator[bytes]]:
    """One of several whole answers each time, in turn."""
    listed = list(answers)
    turn = count()
    return lambda: iter((listed[next(turn) % len(listed)],))


SIZES = (
    *(b"ffffffffffffffff", b"fffffffffffffffff", b"7fffffffffffffff", b"8000000000000000", b"10000000000000000"),
    *(b"-5", b"-1", b"0x10", b" 5", b"+5", b"5 ", b"", b";", b"5;" + b"e" * 100_000, b"0" * 100_000 + b"5", b"g"),
)
LENGTHS = (b"-1", b"99999999999999999999", b"18446744073709551616", b"0x10", b"1, 2", b"5\r\ncontent-length: 6", b"")

ANSWERS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "bomb": lambda: _bomb(JSON, b"gzip", 31),
    "bomb-stream": lambda: _bomb(SSE, b"gzip", 31),
    "bomb-deflate": lambda: _bomb(JSON, b"deflate", 15),
    "endless-head": lambda: _endless(OK, b"x-a: b\r\n"),
    "endless-header": lambda: _endless(OK + b"x-a: ", b"a"),
    "endless-status": lambda: _endless(b"HTTP/1.1 200 ", b"O"),
    "endless-interim": lambda: _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunk-sizes": _first(_sizes(*SIZES)),
    "lengths": _first(iter([OK + JSON + b"content-length: " + each + b"\r\n\r\n" + CHAT for each in LENGTHS])),
    "endless-event": lambda: _endless(OK + SSE + b"connection: close\r\n\r\ndata: ", b"a"),
    "endless-line": lambda: _endless(OK + NDJSON + b"connection: close\r\n\r\n", b"a"),
    "endless-events": lambda: _endless(OK + SSE + b"connection: close\r\n\r\n", EVENT),
    "blank-lines": lambda: _endless(OK + SSE + b"connection: close\r\n\r\n", b"\n"),
    "deep-json": lambda: _sized(JSON, b'{"a":' * 300_000),
    "wide-json": lambda: _sized(JSON, b"{" + b'"a":1,' * 300_000 + b'"b":1}'),
    "deep-event": lambda: _sized(SSE, b"data: " + b"[" * 500_000 + b"\n\n"),
    "no-text": lambda: _sized(SSE, random.Random(0).randbytes(200_000)),  # the same garbage every time
    "good": lambda: _sized(JSON, CHAT),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as bytes."""

    path: bytes = b"/v1/chat/completions"
    host: bytes = b"localhost"
    model: bytes = b"hostile"
    headers: bytes = b""

    def data(self) -> bytes:
        """Head and body."""
        body = b'{"model":"' + self.model + b'","messages":[],"stream":true}'
        head = b"POST %b HTTP/1.1\r\nhost: %b\r\n%b" % (self.path, self.host, self.headers)
        return head + b"content-length: %d\r\n\r\n" % len(body) + body


def _odd(number: int) -> Asked:
    """Names that are no label values."""
    models = (
        *(b"m" * 10_000, b"two\\nlines", b"nul\\u0000", b"\\ud800", b"\xff\xfe\x80", b"\x01\x02", b"\\u202egnp"),
        *(b'q\\"uote', b"back\\\\slash", b"", b" ", b'{a=\\"b\\"}', "ünï☃".encode(), b"a" * 129),
    )
    hosts = (b"\xff\xfe", b"h" * 1_500, b'a"b', b"a\tb", b"", b"[::1", b"a:b:c")
    return Asked(model=models[number % len(models)], host=hosts[number % len(hosts)])


NAMES: Mapping[str, Callable[[int], Asked]] = {
    "models": lambda number: Asked(model=b"model-%d" % number),
    "hosts": lambda number: Asked(host=b"host-%d.example.com" % number, model=b"one"),
    "paths": lambda number: Asked(path=b"/tenant-%d/v1/chat/completions" % number, model=b"one"),
    "azure-paths": lambda number: Asked(path=b"/openai/deployments/d-%d/chat/completions" % number, model=b""),
    "odd-names": _odd,
}


class Scene:
    """A server that answers every request with the same kind of bytes, over plaintext and TLS, and its client."""

    def __init__(self, kind: str, cert: str, key: str) -> None:
        self._kind = kind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._trust = ssl.create_default_context(cafile=cert)
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for place, listener in enumerate(self._listeners):
            threading.Thread(target=self._serve, args=(listener, bool(place)), daemon=True).start()

    def _serve(self, listener: socket.socket, tls: bool) -> None:  # noqa: FBT001 - which listener it is
        while True:
            conn, _ = listener.accept()
            conn.settimeout(PATIENCE_S)
            with contextlib.suppress(OSError):
                conn = self._context.wrap_socket(conn, server_side=True) if tls else conn
                self._answer(conn)
            conn.close()

    def _answer(self, conn: socket.socket) -> None:
        if self._kind in ANSWERS:
            conn.recv(READ_BYTES)
            for part in ANSWERS[self._kind]():
                conn.sendall(part)
            return
        good = next(ANSWERS["good"]())
        buffer = b""
        while data := conn.recv(READ_BYTES):
            buffer += data
            while b"}" in buffer and b"\r\n\r\n" in buffer:
                buffer = buffer.partition(b'"stream":true}')[2]
                conn.sendall(good)

    def connect(self, *, tls: bool) -> socket.socket:
        """Return a client's connection."""
        conn = socket.create_connection(self._listeners[tls].getsockname(), PATIENCE_S)
        return self._trust.wrap_socket(conn, server_hostname="localhost") if tls else conn

    def meet(self, *, tls: bool) -> None:
        """One exchange with a hostile answer, read to its end or to an error."""
        with contextlib.suppress(OSError), self.connect(tls=tls) as conn:
            conn.sendall(Asked().data())
            while conn.recv(READ_BYTES):
                pass

    def name(self, conn: socket.socket, number: int) -> None:
        """One exchange with a name of its own, on a connection that stays."""
        conn.sendall(NAMES[self._kind](number).data())
        want = len(next(ANSWERS["good"]()))
        while want > 0:
            want -= len(conn.recv(want)) or want


def main() -> None:
    """Play until it is enough."""
    kind, number, cert, key = sys.argv[1:]
    scene = Scene(kind, cert, key)
    done = 0
    conns = [scene.connect(tls=tls) for tls in (False, True)] if kind in NAMES else []
    for done in count():
        over = done == int(number) if int(number) else bool(select.select([sys.stdin], [], [], 0)[0])
        if over and done:
            break
        if conns:
            scene.name(conns[done % 2], done)
        else:
            scene.meet(tls=bool(done % 2))
    for conn in conns:
        conn.close()
    print(json.dumps({"exchanges": done}))


if __name__ == "__main__":
    main()
