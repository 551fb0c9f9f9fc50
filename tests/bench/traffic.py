"""A stream server and its clients, each a program of its own.

`python -m tests.bench.traffic serve CERT KEY` prints its port. `... sync|asyncio PORT CERT` answers each line
`CHUNKS BYTES GAP_MS` of its input with what one exchange of so many chunks cost it. All end with their input.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import sys
import threading
import time
from typing import Any

READ_BYTES = 65_536
HOLD_S = 60.0  # no side waits longer for the other
ORDER = re.compile(rb"x-order: (\d+) (\d+) (\d+)")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
LAST = b"0\r\n\r\n"
STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}
EVENT: dict[str, Any] = {
    "id": "chatcmpl-",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "bench",
}


def chunk(size: int) -> bytes:
    """Return a token's chunk of `size` bytes on the wire, framing included."""
    choice = {"index": 0, "delta": {"content": " word"}, "finish_reason": None}
    return framed(_event(choice, size - len(framed(_event(choice, 0)))))


def _event(choice: dict[str, object], padding: int) -> bytes:
    text = json.dumps(EVENT | {"id": EVENT["id"] + "f" * padding, "choices": [choice]}, separators=(",", ":"))
    return b"data: " + text.encode() + b"\n\n"


def framed(data: bytes) -> bytes:
    """Return an HTTP chunk."""
    return b"%02x\r\n%b\r\n" % (len(data), data)


def request(chunks: int, size: int, gap_ms: int) -> bytes:
    """Return a chat request that orders a stream."""
    body = json.dumps({"model": "bench", "stream": True, "messages": [{"role": "user", "content": "Write."}]}).encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: localhost", f"x-order: {chunks} {size} {gap_ms}"]
    lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _send_stream(conn: ssl.SSLSocket, chunks: int, size: int, gap_ms: int) -> None:
    conn.sendall(HEAD)
    piece = chunk(size)
    due_s = time.monotonic()
    for _ in range(chunks):
        if gap_ms:
            due_s += gap_ms / 1000
            time.sleep(max(0.0, due_s - time.monotonic()))
        conn.sendall(piece)
    conn.sendall(framed(_event(STOP, 0) + DONE) + LAST)


def _serve_one(plain: socket.socket, context: ssl.SSLContext) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.settimeout(HOLD_S)
    with context.wrap_socket(plain, server_side=True) as conn:
        # A request is one write of the client, so it is one read here.
        while asked := ORDER.search(conn.recv(READ_BYTES)):
            _send_stream(conn, *map(int, asked.groups()))


def _serve(cert: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_serve_one, args=(plain, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    _answer(listener.getsockname()[1])
    sys.stdin.read()


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _context(cert: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cert)


def _spent(began: tuple[float, float], reads: int) -> dict[str, float]:
    return {"cpu_s": time.process_time() - began[0], "wall_s": time.monotonic() - began[1], "reads": reads}


def _orders() -> list[int] | None:
    line = sys.stdin.readline()
    return [int(word) for word in line.split()] or None


def _ask(port: int, cert: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), HOLD_S) as plain,
        _context(cert).wrap_socket(plain, server_hostname="localhost") as conn,
    ):
        _answer("connected")
        while orders := _orders():
            began = time.process_time(), time.monotonic()
            conn.sendall(request(*orders))
            reads, tail = 0, b""
            while not tail.endswith(LAST):
                data = conn.recv(READ_BYTES)
                if not data:
                    return
                reads += 1
                tail = (tail + data)[-len(LAST) :]
            _answer(_spent(began, reads))


async def _ask_async(port: int, cert: str) -> None:
    reader, writer = await asyncio.open_connection("localhost", port, ssl=_context(cert), family=socket.AF_INET)
    _answer("connected")
    while orders := await asyncio.to_thread(_orders):
        began = time.process_time(), time.monotonic()
        writer.write(request(*orders))
        reads, tail = 0, b""
        while not tail.endswith(LAST):
            data = await reader.read(READ_BYTES)
            if not data:
                return
            reads += 1
            tail = (tail + data)[-len(LAST) :]
        _answer(_spent(began, reads))
    writer.close()


def main() -> None:
    """Play one part until the input ends."""
    part, *arguments = sys.argv[1:]
    if part == "serve":
        _serve(*arguments)
    elif part == "sync":
        _ask(int(arguments[0]), arguments[1])
    else:
        asyncio.run(_ask_async(int(arguments[0]), arguments[1]))


if __name__ == "__main__":
    main()
