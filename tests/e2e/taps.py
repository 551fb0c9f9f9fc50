"""Stamps of a Python client's own sends and receives, whatever library it uses.

CPython's clients end in a handful of methods: `SSLSocket.send/read` (sync TLS), `SSLObject.write/read` (asyncio TLS)
and `socket.send*/recv*` (plaintext). `install` wraps them: a stamp just before each send, one just after each receive.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

MODEL = re.compile(rb'"model": ?"([^"]+)"')


@dataclass(slots=True)
class Flight:
    """One attempt on the wire as its client saw it: seconds of CLOCK_MONOTONIC, bytes per receive."""

    start_s: float
    reads: list[tuple[float, int]] = field(default_factory=list)
    named: bool = False


class Taps:
    """Collects flights by the model that their request names."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[Any, Flight] = WeakKeyDictionary()
        self._flights: dict[str, list[Flight]] = {}
        self._lock = threading.Lock()

    def sent(self, conn: Any, data: Any, before_s: float) -> None:
        """Note a send; one after a receive starts the next flight of the connection."""
        flight = self._open.get(conn)
        if flight is None or flight.reads:
            flight = Flight(before_s)
            self._open[conn] = flight
        if not flight.named and (found := MODEL.search(bytes(data))):
            flight.named = True
            with self._lock:
                self._flights.setdefault(found.group(1).decode(), []).append(flight)

    def received(self, conn: Any, size: int) -> None:
        """Note a receive that has just returned `size` bytes."""
        after_s = time.monotonic()
        flight = self._open.get(conn)
        if flight is not None and size > 0:
            flight.reads.append((after_s, size))

    def take(self, model: str) -> list[Flight]:
        """Return the flights whose request named `model`, and forget them."""
        with self._lock:
            return self._flights.pop(model, [])


def _wrap_send(cls: type, name: str, taps: Taps) -> None:
    original: Callable[..., Any] = getattr(cls, name)

    def send(self: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
        before_s = time.monotonic()
        result = original(self, data, *args, **kwargs)
        payload = b"".join(data) if name == "sendmsg" else data
        taps.sent(self, payload, before_s)
        return result

    setattr(cls, name, send)


def _wrap_receive(cls: type, name: str, taps: Taps) -> None:
    original: Callable[..., Any] = getattr(cls, name)

    def receive(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        taps.received(self, result if isinstance(result, int) else len(result))
        return result

    setattr(cls, name, receive)


def install() -> Taps:
    """Wrap this process's sockets for good and return what collects their stamps."""
    taps = Taps()
    _wrap_send(ssl.SSLSocket, "send", taps)
    _wrap_send(ssl.SSLObject, "write", taps)
    _wrap_receive(ssl.SSLSocket, "read", taps)
    _wrap_receive(ssl.SSLObject, "read", taps)
    for name in ("send", "sendall", "sendmsg"):
        _wrap_send(socket.socket, name, taps)
    for name in ("recv", "recv_into"):
        _wrap_receive(socket.socket, name, taps)
    return taps
