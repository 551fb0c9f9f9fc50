"""When a request's first byte left an httpx-shaped client, by the library's own trace hook."""

from __future__ import annotations

import time
from typing import Any

FIRST_SEND = "http11.send_request_headers.started"
KEY = "first_send"


class FirstSend:
    """The clock at a request's first send: after DNS, connect and TLS, as the exporter counts."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def trace(self, event: str, _info: dict[str, Any]) -> None:
        if event == FIRST_SEND:
            self.at_s = time.perf_counter()

    async def atrace(self, event: str, info: dict[str, Any]) -> None:
        self.trace(event, info)


def stamp(request: Any) -> None:  # noqa: ANN401 - httpx and its successor have a Request each
    """Event hook for a synchronous client."""
    first = FirstSend()
    request.extensions = {**request.extensions, "trace": first.trace, KEY: first}


async def astamp(request: Any) -> None:  # noqa: ANN401 - as above
    """Event hook for an asynchronous client."""
    first = FirstSend()
    request.extensions = {**request.extensions, "trace": first.atrace, KEY: first}


def since_first_send_s(response: Any) -> float:  # noqa: ANN401 - as above
    """Return the seconds since the request of `response` began to leave."""
    first: FirstSend = response.request.extensions[KEY]
    return time.perf_counter() - first.at_s
