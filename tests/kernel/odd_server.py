"""A server in a thread of the test: for answers the byte servers cannot give."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

from tests.e2e.clients import PATIENCE_S
from tests.kernel.bench import Bench


@contextlib.contextmanager
def served(
    bench: Bench,
    *,
    tls: bool,
    data: bytes,
    body: bytes | None = None,
    family: socket.AddressFamily = socket.AF_INET,
    cut: bool = False,
) -> Iterator[tuple[int, threading.Thread]]:
    """A server in this process for one connection: it reads a request (with `body` only its head), answers, ends."""
    listener = socket.create_server(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0), family=family)

    def serve() -> None:
        conn, _ = listener.accept()
        with contextlib.suppress(OSError):
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(bench.lab.cert, str(bench.lab.folder / "key.pem"))
                conn = context.wrap_socket(conn, server_side=True)
            got = b""
            while b"\r\n\r\n" not in got:
                got += conn.recv(65_536)
            while body is None and not got.endswith(b"}"):
                got += conn.recv(65_536)
            conn.sendall(data)
            if cut:
                time.sleep(0.2)
        conn.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], thread
    finally:
        thread.join(PATIENCE_S)
        listener.close()
