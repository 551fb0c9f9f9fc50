"""What the exporter answers to a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from llmslo_exporter.exposition import Exposition

METRICS_PATH = "/metrics"
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

    def answer(self, path: str) -> Answer:
        """Return the page of `path`, of any but METRICS_PATH."""
        match path:
            case "/healthz":
                return Answer(HTTPStatus.OK, TEXT, b"ok\n")
            case "/readyz":
                if self.ready():
                    return Answer(HTTPStatus.OK, TEXT, b"ready\n")
                return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "not ready: no probes attached")
            case "/":
                return Answer(HTTPStatus.OK, "text/html; charset=utf-8", INDEX)
            case _:
                return refusal(HTTPStatus.NOT_FOUND, "not found")


def refusal(status: HTTPStatus, why: str) -> Answer:
    """Return an answer of one line."""
    return Answer(status, TEXT, f"{why}\n".encode())
