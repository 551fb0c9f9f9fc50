"""Clients that mean no good by a web server: `python -m tests.e2e.hostile_clients PORT KIND COUNT`.

COUNT of one kind come again and again until standard input closes; then one JSON line says how often.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMALL_BUFFER = 2_048
READ_BYTES = 65_536
AGAIN_S = 0.05  # a client that was turned away comes again after so long
DRIP_S = 0.2
FIRST_S = 20.0
HUGE_BYTES = 4 * 1024 * 1024
RESERVE = 64  # descriptors beside those of the clients

Part = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One of a crowd that asks properly, all at once."""
    writer.write(GET)
    while await reader.read(READ_BYTES):
        pass


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def _slow_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask, and take the page byte by byte."""
    writer.write(GET)
    while await reader.read(1):  # noqa: ASYNC110 - it is the socket that is waited for
        await asyncio.sleep(DRIP_S)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, pause_s: float) -> None:
    """Write the same again and again until the other side ends it."""
    end = asyncio.ensure_future(reader.read())
    try:
        while not end.done():
            writer.write(data)
            await writer.drain()
            await asyncio.wait({end}, timeout=pause_s)
    finally:
        end.cancel()


async def _slow_writer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Slowloris: a head that never ends, a header now and then."""
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
    await _drip(reader, writer, b"X-a: b\r\n", DRIP_S)


async def _huge_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-a: " + b"a" * HUGE_BYTES + b"\r\n\r\n")
    await writer.drain()
    await reader.read()


async def _many_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500_000 + b"\r\n")
    await writer.drain()
    await reader.read()


async def _endless_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /")
    await _drip(reader, writer, b"a" * READ_BYTES, 0.0)


async def _pipeline(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GET * 500)
    await reader.read()


async def _leave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for a page of one's own kind and go before it is written."""
    writer.write(GET.replace(b"/metrics", b"/metrics?name[]=x%d" % id(writer)))
    await writer.drain()


KINDS: Mapping[str, Part] = {
    "crowd": _ask,
    "silent": _silent,
    "slow-readers": _slow_reader,
    "slow-writers": _slow_writer,
    "huge-head": _huge_head,
    "many-headers": _many_headers,
    "endless-line": _endless_line,
    "pipeline": _pipeline,
    "leavers": _leave,
}


async def _come(port: int, part: Part, counts: dict[str, int]) -> None:
    while True:
        sock = socket.socket()
        sock.setblocking(False)  # noqa: FBT003 - as socket has it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=SMALL_BUFFER)
            counts["connected"] += 1
            try:
                await part(reader, writer)
            finally:
                writer.close()
        except OSError:
            counts["refused"] += 1
            sock.close()
        counts["ended"] += 1
        await asyncio.sleep(AGAIN_S)


async def _main(port: int, kind: str, count: int) -> None:
    counts = {"connected": 0, "ended": 0, "refused": 0}
    tasks = [asyncio.create_task(_come(port, KINDS[kind], counts)) for _ in range(count)]
    await asyncio.to_thread(sys.stdin.read)
    for _ in range(int(FIRST_S / AGAIN_S)):  # a busy machine may not have let one of them in so far
        if counts["connected"]:
            break
        await asyncio.sleep(AGAIN_S)
    print(json.dumps({**counts, "at once": len(tasks)}), flush=True)
    os._exit(0)  # a thousand open connections need no farewell


if __name__ == "__main__":
    number = int(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + RESERVE, most), most))
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], number))
