"""A receiver of Alertmanager's notifications on loopback: what a pager or a ticket system would get."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Notification:
    """One call: the receiver it was for, `firing` or `resolved` as a whole, and the labels of its alerts by status."""

    receiver: str
    status: str
    firing: tuple[Mapping[str, str], ...]
    resolved: tuple[Mapping[str, str], ...]
    at_s: float  # time.monotonic()


@dataclass(slots=True)
class Webhook:
    """Every notification so far, in order."""

    port: int
    heard: list[Notification] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def url(self, receiver: str) -> str:
        """Where Alertmanager posts what is for `receiver`."""
        return f"http://127.0.0.1:{self.port}/{receiver}"

    def add(self, notification: Notification) -> None:
        """Take one more and wake who waits."""
        with self._news:
            self.heard.append(notification)
            self._news.notify_all()

    def wait(self, wanted: Callable[[Notification], bool], limit_s: float) -> Notification | None:
        """Return the first notification, heard already or yet to come, that is `wanted`; None after `limit_s`."""

        def found() -> Notification | None:
            return next((each for each in self.heard if wanted(each)), None)

        with self._news:
            return self._news.wait_for(found, limit_s)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve one on a free port of loopback until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            there.add(_notification(self.path.removeprefix("/"), document))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' name
            """Say nothing: the demo prints what counts."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        there = Webhook(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join(STOP_S)


def _notification(receiver: str, document: Mapping[str, Any]) -> Notification:
    def labels(status: str) -> tuple[Mapping[str, str], ...]:
        return tuple(alert["labels"] for alert in document["alerts"] if alert["status"] == status)

    return Notification(receiver, document["status"], labels("firing"), labels("resolved"), time.monotonic())
