"""TLS in haste and no LLM call: `python -m tests.e2e.busy_tls CERT KEY ROUNDS_PER_S`, until its input ends.

Both ends are in this process; a round is two writes and two reads. `started` runs it as a program of its own name,
since whoever has the executable of an LLM client is never left out for its haste.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROUNDS_PER_S = 500
STOP_S = 10.0
_DATA = b"x" * 64
_BATCH_S = 0.05


@contextmanager
def started(folder: Path, cert: str, key: str) -> Iterator[int]:
    """Run it for the length of a block; yields its pid."""
    program = folder / "busy-tls"
    shutil.copy(os.path.realpath(sys.executable), program)
    environment = os.environ | {
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(program), "-m", "tests.e2e.busy_tls", cert, key, str(ROUNDS_PER_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, cwd=folder) as process:
        try:
            yield process.pid
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(STOP_S)


def _ends(cert: str, key: str) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    here, there = socket.socketpair()
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(context.wrap_socket, there, server_side=True)
        client = ssl.create_default_context(cafile=cert).wrap_socket(here, server_hostname="localhost")
        return client, server.result()


def _until_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _main(cert: str, key: str, rounds_per_s: int) -> None:
    client, server = _ends(cert, key)
    ended = threading.Event()
    threading.Thread(target=_until_the_end, args=(ended,), daemon=True).start()
    due_s = time.monotonic()
    while not ended.wait(max(0.0, due_s - time.monotonic())):
        due_s = max(due_s + _BATCH_S, time.monotonic() - 1.0)
        for _ in range(int(rounds_per_s * _BATCH_S)):
            for one, other in ((client, server), (server, client)):
                one.sendall(_DATA)
                other.recv(len(_DATA))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
