"""Clients of the byte server: what one is asked to do, what it found, and a raw one that takes its own stamps."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.e2e.taps import Flight

PATH = "/v1/chat/completions"
# Above every pause of a script, below every limit of a test.
PATIENCE_S = 30.0
READ_BYTES = 65_536
KEY = "sk-test-key"
SYNC = ("raw", "http.client", "httpx", "openai", "requests")
ASYNC = ("raw-async", "httpx-async", "openai-async") + (("aiohttp",) if importlib.util.find_spec("aiohttp") else ())
PROGRAMS = ("curl", "node")


@dataclass(frozen=True, slots=True)
class Job:
    """One request of one client. `total` is the size of the whole response, known from the script."""

    model: str
    client: str
    port: int
    tls: bool
    cert: str
    total: int
    stream: bool = True
    stop_bytes: int | None = None  # raw: leave once so many bytes are read
    stop_items: int | None = None  # libraries: leave after so many lines or chunks
    keep: bool = True  # the connection may serve the lane's next job
    patience_s: float = PATIENCE_S
    retries: int = 0
    model_first: bool = True
    prompt: str = "hi"
    end: str = "return"  # return | kill | exit: how a `--one` process ends
    read_bytes: int = READ_BYTES
    path: str = PATH

    def body(self) -> dict[str, Any]:
        """The request's JSON, with the model before or after the prompt."""
        rest = {"messages": [{"role": "user", "content": self.prompt}], "stream": self.stream}
        return {"model": self.model, **rest} if self.model_first else {**rest, "model": self.model}

    def base(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a client says of its job: flights (attempts) in order, and the error it met."""

    model: str
    client: str
    pid: int
    flights: list[Flight] = field(default_factory=list)
    error: str | None = None


def context_for(cert: str) -> ssl.SSLContext:
    """A verifying context that trusts the test's certificate."""
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["http/1.1"])
    return context


def request_bytes(
    model: str,
    *,
    stream: bool = True,
    prompt: str = "hi",
    model_first: bool = True,
    headers: Sequence[str] = (),
    path: str = PATH,
    body: bytes | None = None,
) -> tuple[bytes, bytes]:
    """Head and body of a request as the raw client writes it."""
    if body is None:
        job = Job(model, "raw", 0, tls=False, cert="", total=0, stream=stream, prompt=prompt, model_first=model_first)
        body = json.dumps(job.body()).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {KEY}",
        "content-type: application/json",
        *headers,
        f"content-length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


class Raw:
    """A client of sockets alone: every byte and every stamp is its own."""

    def __init__(self, port: int, cert: str | None, rcvbuf: int | None = None) -> None:
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if cert:
            self.sock = context_for(cert).wrap_socket(self.sock, server_hostname="localhost")
        self.flight = Flight(0.0)

    def send(self, *pieces: bytes, pause_ms: float = 0.0) -> None:
        """Start a request: each piece is one send."""
        self.flight = Flight(time.monotonic())
        self.more(*pieces, pause_ms=pause_ms)

    def more(self, *pieces: bytes, pause_ms: float = 0.0) -> None:
        """Go on with the request."""
        for piece in pieces:
            self.sock.sendall(piece)
            if pause_ms:
                time.sleep(pause_ms / 1000)

    def send_vector(self, *buffers: bytes) -> None:
        """Start a request in one sendmsg of several buffers (plaintext)."""
        self.flight = Flight(time.monotonic())
        self.sock.sendmsg(buffers)

    def read(self, want: int, size: int = READ_BYTES, pause_ms: float = 0.0, gather: int = 0) -> bytes:
        """Receive until `want` bytes of the response came or the other side ended.

        `gather`: readv over so many buffers of `size` bytes (plaintext).
        """
        found = bytearray()
        while len(found) < want:
            data = self._gather(size, gather) if gather else self.sock.recv(size)
            self.flight.reads.append((time.monotonic(), len(data)))
            if not data:
                break
            found += data
            if pause_ms:
                time.sleep(pause_ms / 1000)
        return bytes(found)

    def _gather(self, size: int, count: int) -> bytes:
        select.select([self.sock], [], [], PATIENCE_S)
        buffers = [bytearray(size) for _ in range(count)]
        got = os.readv(self.sock.fileno(), buffers)
        return b"".join(buffers)[:got]

    def read_unready(self, want: int) -> bytes:
        """Receive on a non-blocking TLS socket, asking also when nothing is there (WANT_READ)."""
        self.sock.settimeout(0)
        found = bytearray()
        until_s = time.monotonic() + PATIENCE_S
        while len(found) < want and time.monotonic() < until_s:
            try:
                data = self.sock.recv(READ_BYTES)
            except (ssl.SSLWantReadError, BlockingIOError):
                time.sleep(0.001)
                continue
            self.flight.reads.append((time.monotonic(), len(data)))
            if not data:
                break
            found += data
        self.sock.settimeout(PATIENCE_S)
        return bytes(found)

    def close(self) -> None:
        """Close the connection without a TLS goodbye."""
        self.sock.close()


def positive(flight: Flight) -> Flight:
    return replace(flight, reads=[read for read in flight.reads if read[1]])


NODE = """
const [, url, stop] = process.argv;
const body = require('fs').readFileSync(0, 'utf8');
const mod = require(url.startsWith('https') ? 'https' : 'http');
const req = mod.request(url, {method: 'POST', rejectUnauthorized: false, servername: 'localhost',
  headers: {'content-type': 'application/json', 'content-length': Buffer.byteLength(body)}}, res => {
  let n = 0;
  res.on('data', () => { if (Number(stop) && ++n >= Number(stop)) req.destroy(); });
  res.on('error', () => process.exit(0));
  res.on('close', () => process.exit(0));
});
req.on('error', () => process.exit(0));
req.end(body);
"""


def command(job: Job) -> list[str]:
    """The command line of a client that is a program of its own."""
    url = job.base() + job.path
    if job.client == "node":
        return ["node", "-e", NODE, url, str(job.stop_items or 0)]
    limits = ["--max-time", f"{job.patience_s:g}"]
    headers = ["-H", "content-type: application/json", "-H", f"authorization: Bearer {KEY}"]
    return ["curl", "-sN", *limits, "--http1.1", "--cacert", job.cert, *headers, "-o", "/dev/null", "-d", "@-", url]


def run_program(job: Job) -> Result:
    """Run curl or node for one job; such a client takes no stamps."""
    with subprocess.Popen(
        command(job), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            child.communicate(json.dumps(job.body()), timeout=PATIENCE_S * 2)
        except subprocess.TimeoutExpired:
            child.kill()
        return Result(
            job.model, job.client, child.pid, [], None if child.returncode == 0 else f"exit {child.returncode}"
        )


def run_lane(job: Job) -> Result:
    """Run a library's client for one job in a process of its own."""
    flags = ["--async"] if job.client in ASYNC else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.lanes", *flags],
        input=json.dumps(asdict(job)) + "\n",
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S * 2,
        check=True,
    )
    return result_from(done.stdout)


def run_process(job: Job) -> Result:
    """Run a raw client in a process of its own that ends as the job says (`end`)."""
    line = json.dumps(asdict(job))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.lanes", "--one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            out, _ = child.communicate(line, timeout=PATIENCE_S * 2)
        except subprocess.TimeoutExpired:
            child.kill()
            return Result(job.model, job.client, child.pid, [], "timeout")
    return result_from(out)


def result_from(line: str) -> Result:
    """Read a result line."""
    raw = json.loads(line)
    raw["flights"] = [
        Flight(flight["start_s"], [(at_s, size) for at_s, size in flight["reads"]]) for flight in raw["flights"]
    ]
    return Result(**raw)
