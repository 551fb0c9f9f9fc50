"""Processes that live for a moment, with copies of the TLS library, and the server they ask."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.lab import certificate

SIDE_BY_SIDE = 4
START_S, STOP_S = 10.0, 15.0
ANSWER = {
    "id": "churn",
    "object": "chat.completion",
    "model": "churn",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""


class ChurnError(Exception):
    """The trial could not be run; the text says why."""


class Copies:
    """The client program and its copies of the library, each an inode of its own."""

    def __init__(self, folder: Path, count: int) -> None:
        libraries = {name: _library(name) for name in ("libssl.so.3", "libcrypto.so.3")}
        self._program = folder / "churn_client"
        source = Path(__file__).with_name("churn_client.c")
        subprocess.run(["cc", "-O2", source, "-o", self._program, *libraries.values()], check=True, timeout=60)
        self.folders = [folder / f"copy{number}" for number in range(count)]
        for made in self.folders:
            made.mkdir()
            shutil.copy(libraries["libssl.so.3"], made / "libssl.so.3")

    def start(self, number: int, port: int) -> int:
        """Start one process with a copy and return its pid."""
        environment = {"LD_LIBRARY_PATH": str(self.folders[number])}
        return os.posix_spawn(self._program, [str(self._program), str(port), self.model(number)], environment)

    def model(self, number: int) -> str:
        """The model that processes with a copy ask for."""
        return f"copy-{number}"


def _library(name: str) -> Path:
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True, timeout=10).stdout
    found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", listed, re.MULTILINE)
    if found is None:
        msg = f"{name} is not installed, the trial copies it"
        raise ChurnError(msg)
    return Path(found[1])


def run_all(copies: Copies, port: int, order: Sequence[int], per_s: float | None = None) -> int:
    """Run a process for each number, some at a time, and return how many got their answer."""
    under_way: set[int] = set()
    answered, due_s = 0, time.monotonic()
    for number in order:
        if per_s:
            due_s += 1 / per_s
            time.sleep(max(0.0, due_s - time.monotonic()))
        if len(under_way) >= SIDE_BY_SIDE:
            answered += _reap(under_way)
        under_way.add(copies.start(number, port))
    while under_way:
        answered += _reap(under_way)
    return answered


def _reap(under_way: set[int]) -> int:
    pid, status = os.waitpid(next(iter(under_way)), 0)
    under_way.discard(pid)
    return int(os.waitstatus_to_exitcode(status) == 0)


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Yield the port of nginx, which answers everything with a chat completion over TLS."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        msg = "no nginx here: `make setup` installs it"
        raise ChurnError(msg)
    cert, key = certificate(folder)
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    settings = {"folder": folder, "user": user, "port": port, "cert": cert, "key": key, "answer": json.dumps(ANSWER)}
    (folder / "nginx.conf").write_text(NGINX.format(**settings))
    process = subprocess.Popen(
        [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(STOP_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    msg = f"nginx did not listen within {START_S:g} s"
    raise ChurnError(msg)
