"""The HTTP side: /metrics, /healthz, /readyz and an index, on few threads and with time limits."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from llmslo_exporter.errors import SetupError
from llmslo_exporter.exposition import Exposition, compress
from llmslo_exporter.families import asked
from llmslo_exporter.options import Address

log = logging.getLogger(__name__)

# Prometheus replicas, a probe and a person: more at once is not ours to serve.
MAX_REQUESTS = 16
# Of one read or write, and of a whole request: a scrape is due every 10 to 60 s.
SOCKET_S = 10.0
REQUEST_S = 30.0
TEXT = "text/plain; charset=utf-8"
INDEX = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>llmslo exporter</title></head>
<body><h1>llmslo exporter</h1>
<ul><li><a href="/metrics">/metrics</a></li><li><a href="/healthz">/healthz</a></li>
<li><a href="/readyz">/readyz</a></li></ul></body></html>
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: HTTPStatus
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pages:
    """What the server says; `ready` is true when the probes are attached."""

    exposition: Exposition
    ready: Callable[[], bool]

    def answer(self, path: str, query: str, accept: str) -> Answer:
        """Return the page of `path`; `query` chooses families."""
        match path:
            case "/metrics":
                return self._metrics(query, accept)
            case "/healthz":
                return Answer(HTTPStatus.OK, TEXT, b"ok\n")
            case "/readyz":
                if self.ready():
                    return Answer(HTTPStatus.OK, TEXT, b"ready\n")
                return Answer(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, b"not ready: no probes attached\n")
            case "/":
                return Answer(HTTPStatus.OK, "text/html; charset=utf-8", INDEX)
            case _:
                return Answer(HTTPStatus.NOT_FOUND, TEXT, b"not found\n")

    def _metrics(self, query: str, accept: str) -> Answer:
        try:
            names = asked(query)
        except ValueError:
            return Answer(HTTPStatus.BAD_REQUEST, TEXT, b"too many parameters\n")
        body, content_type = self.exposition.render(accept, names)
        return Answer(HTTPStatus.OK, content_type, body)


class WebServer:
    """Serves `pages` on a thread of its own, from construction to `close`. Raises SetupError if it cannot listen."""

    def __init__(self, address: Address, pages: Pages) -> None:
        try:
            self._server = _Server(address, pages)
        except OSError as error:
            msg = f"cannot listen on {address}: {error.strerror or error}; choose another --web.listen-address"
            raise SetupError(msg) from error
        self._thread = Thread(target=self._server.serve_forever, name="web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on, also when 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening and end the thread; requests under way end by their time limits."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: Address, pages: Pages) -> None:
        self.pages = pages
        self._slots = BoundedSemaphore(MAX_REQUESTS)
        self._deadlines: dict[socket.socket, float] = {}
        self._lock = Lock()
        self.address_family, where = _resolve(address)
        super().__init__((where, address.port), _Handler)

    def server_bind(self) -> None:
        if self.address_family is socket.AF_INET6 and self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's: it looks up the host's name in the DNS, which may take seconds.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as socketserver has it
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._lock:
            self._deadlines[request] = time.monotonic() + REQUEST_S
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._free(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free(request)

    def service_actions(self) -> None:
        # Every half second: a peer that sends a byte now and then must not hold a thread for ever.
        now = time.monotonic()
        with self._lock:
            late = [request for request, deadline in self._deadlines.items() if deadline < now]
            for request in late:
                del self._deadlines[request]
                with suppress(OSError):  # the peer or the thread was faster
                    request.shutdown(socket.SHUT_RDWR)

    def _free(self, request: socket.socket) -> None:
        with self._lock:
            self._deadlines.pop(request, None)
        self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("client went away", extra={"reason": type(error).__name__})
        else:
            log.error("request failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOCKET_S
    server_version = "llmslo-exporter"
    sys_version = ""

    def do_GET(self) -> None:
        self._send(body=True)

    def do_HEAD(self) -> None:
        self._send(body=False)

    def _send(self, *, body: bool) -> None:
        path, _, query = self.path.partition("?")
        try:
            answer = self.server.pages.answer(path, query, self.headers.get("Accept", ""))
        except Exception:
            log.exception("request failed")
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, b"internal error, see the log\n")
        self._write(answer, body=body)

    def _write(self, answer: Answer, *, body: bool) -> None:
        content = answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Vary", "Accept, Accept-Encoding")
        if takes_gzip(self.headers.get("Accept-Encoding", "")):
            content = compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 -- as http.server names it
        # Not the line itself: whatever a stranger sends does not belong in our log.
        log.debug("http request", extra={"client": self.client_address[0]})


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether the header allows gzip: named, or by `*`, and not with q=0 (RFC 9110 12.5.3)."""
    allowed: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        name, _, rest = item.partition(";")
        key, _, quality = rest.partition("=")
        allowed[name.strip()] = not (key.strip() == "q" and quality.strip().strip("0") in {"", "."})
    return allowed.get("gzip", allowed.get("*", False))


def _resolve(address: Address) -> tuple[socket.AddressFamily, str]:
    if not address.host:
        return (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")  # noqa: S104
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    return family, str(where[0])
