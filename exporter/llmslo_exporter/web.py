"""The HTTP side: /metrics, /healthz, /readyz and an index, to any number of peers of any kind.

One loop owns all connections and never waits for one of them. There is room for so many; when more come, those go that
behave least like a scrape, which says all of its request at once and takes its page as fast as it can: so it is
answered whoever else is there.
"""

from __future__ import annotations

import logging
import resource
import selectors
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Thread

from llmslo_exporter.errors import SetupError
from llmslo_exporter.options import Address
from llmslo_exporter.pages import METRICS_PATH, Answer, Pages, refusal
from llmslo_exporter.scrapes import Page, Scrapes
from llmslo_exporter.visit import Gone, Phase, Request, Visit

log = logging.getLogger(__name__)

# Prometheus replicas, a probe and a person are ten; the rest leaves a crowd time to say what it wants. At most so large
# a share of the descriptors that the process may have: the probes need theirs.
MAX_VISITS = 512
DESCRIPTORS_SHARE = 4
BACKLOG = 1024
ACCEPTS = 64  # in a turn of the loop
TICK_S = 0.25
# Of all pages that are being written to peers: three of 100 000 series.
MAX_HELD_BYTES = 64 * 1024 * 1024
# What the kernel keeps of an answer to a peer that does not read; its own limit is 4 MB each. A page of 10 000 series
# in gzip is 50 KB.
SEND_BUFFER_BYTES = 64 * 1024
# Nobody is called slow before: 100 000 series, not compressed, take 0.1 s on a network of 1 Gbit/s.
GRACE_S = 0.25
# Nor silent: between its connect and its first byte a scrape on a busy machine may have to wait for a processor.
SILENT_S = 0.1


class WebServer:
    """Serves `pages` on threads of its own, from construction to `close`. Raises SetupError if it cannot listen."""

    def __init__(self, address: Address, pages: Pages) -> None:
        try:
            self._listener = _listen(address)
        except OSError as error:
            msg = f"cannot listen on {address}: {error.strerror or error}; choose another --web.listen-address"
            raise SetupError(msg) from error
        self._pages = pages
        self._visits: dict[socket.socket, Visit] = {}  # oldest first
        self._room = min(MAX_VISITS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // DESCRIPTORS_SHARE)
        self._written: SimpleQueue[Page] = SimpleQueue()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)  # noqa: FBT003 -- as socket has it
        self._wake_out.setblocking(False)  # noqa: FBT003
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._stopping = False
        self._paused_s: float | None = None  # since when nobody is let in
        self._scrapes = Scrapes(pages, self._deliver)
        self._thread = Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on, also when 0 was asked for."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop listening, end the threads and all connections."""
        self._stopping = True
        self._wake()
        self._thread.join()
        self._scrapes.close()
        for visit in tuple(self._visits.values()):
            self._end(visit)
        self._selector.close()
        for sock in (self._listener, self._wake_in, self._wake_out):
            sock.close()

    def _deliver(self, page: Page) -> None:
        self._written.put(page)
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it wakes anyhow
            self._wake_in.send(b"\0")

    def _serve(self) -> None:
        while not self._stopping:
            ready = self._selector.select(TICK_S)
            now_s = time.monotonic()
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept(now_s)
                elif key.fileobj is self._wake_out:
                    self._hand_out(now_s)
                elif key.data is not None and key.fileobj in self._visits:
                    self._go_on(key.data, now_s)
            for visit in [visit for visit in self._visits.values() if visit.is_late(now_s)]:
                self._give_up(visit, now_s)
            if self._paused_s is not None and (len(self._visits) < self._room or now_s > self._paused_s + TICK_S):
                self._paused_s = None
                self._selector.register(self._listener, selectors.EVENT_READ)

    def _give_up(self, visit: Visit, now_s: float) -> None:
        if visit.phase is not Phase.WAITING or visit.request is None:
            self._end(visit)
            return
        self._scrapes.forget(visit.request, visit)
        self._hand(visit, Page((visit,), refusal(HTTPStatus.SERVICE_UNAVAILABLE, "no page in time"), ""), now_s)

    def _pause(self, now_s: float) -> None:
        """Leave the others in the backlog for a moment, which costs nothing."""
        self._paused_s = now_s
        self._selector.unregister(self._listener)

    def _accept(self, now_s: float) -> None:
        for _ in range(ACCEPTS):
            if len(self._visits) >= self._room and not self._make_room(now_s):
                self._pause(now_s)
                return
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("cannot accept", extra={"reason": str(error)})
                self._pause(now_s)
                return
            visit = self._visits[sock] = Visit(sock, now_s)
            self._selector.register(sock, selectors.EVENT_READ, visit)
            self._go_on(visit, now_s)

    def _make_room(self, now_s: float) -> bool:
        """End the visit that is least likely a scrape; return False where each of them may be one."""
        idle = (visit for visit in self._visits.values() if _is_idle(visit, now_s))
        slow = (
            visit for visit in self._visits.values() if visit.phase is Phase.WRITING and visit.age_s(now_s) > GRACE_S
        )
        victim = next(idle, None) or min(slow, key=lambda visit: visit.rate(now_s), default=None)
        if victim is None:
            return False
        self._end(victim)
        return True

    def _go_on(self, visit: Visit, now_s: float) -> None:
        try:
            if visit.phase is Phase.WRITING:
                self._write(visit, now_s)
                return
            refused = visit.read(now_s)
            if refused is not None:
                self._answer(visit, refused, now_s)
            elif visit.phase is Phase.READING and visit.request is not None:
                log.debug("http request")  # not its line: what a stranger sends does not belong in our log
                self._begin(visit, visit.request, now_s)
        except Gone:
            self._end(visit)
        except Exception:  # a bug that one request brings out must not end the service for the others
            log.exception("request failed")
            self._end(visit)

    def _begin(self, visit: Visit, request: Request, now_s: float) -> None:
        if request.path == METRICS_PATH:
            visit.wait(now_s)
            self._selector.unregister(visit.sock)
            self._scrapes.ask(request, visit)
        else:
            self._answer(visit, self._pages.answer(request.path), now_s)

    def _answer(self, visit: Visit, answer: Answer, now_s: float, coding: str = "") -> None:
        visit.answer(answer, coding, now_s)
        self._write(visit, now_s)

    def _write(self, visit: Visit, now_s: float) -> None:
        visit.write(now_s)
        events = selectors.EVENT_WRITE if visit.phase is Phase.WRITING else selectors.EVENT_READ
        try:
            self._selector.modify(visit.sock, events, visit)
        except KeyError:  # it was waiting for its page
            self._selector.register(visit.sock, events, visit)

    def _hand_out(self, now_s: float) -> None:
        with suppress(OSError):
            self._wake_out.recv(4096)
        with suppress(Empty):
            while True:
                page = self._written.get_nowait()
                for visit in page.visits:
                    if visit.phase is Phase.WAITING and visit.sock in self._visits:
                        self._hand(visit, page, now_s)
                self._shed(now_s)

    def _hand(self, visit: Visit, page: Page, now_s: float) -> None:
        try:
            self._answer(visit, page.answer, now_s, page.coding)
        except Gone:
            self._end(visit)

    def _shed(self, now_s: float) -> None:
        """End those that take their pages slowest until the rest fit into memory."""
        writing = [visit for visit in self._visits.values() if visit.body]
        writing.sort(key=lambda visit: (visit.age_s(now_s) <= GRACE_S, visit.rate(now_s)))
        held = {id(visit.body): len(visit.body) for visit in writing}
        for visit in writing:
            if sum(held.values()) <= MAX_HELD_BYTES or len(held) == 1:
                return
            which = id(visit.body)
            self._end(visit)
            if not any(id(other.body) == which for other in self._visits.values()):
                del held[which]

    def _end(self, visit: Visit) -> None:
        with suppress(KeyError, ValueError):  # it was waiting for its page, or its socket is closed
            self._selector.unregister(visit.sock)
        self._visits.pop(visit.sock, None)
        visit.close()


def _is_idle(visit: Visit, now_s: float) -> bool:
    is_silent = visit.phase is Phase.READING and visit.age_s(now_s) > SILENT_S
    return is_silent or visit.phase is Phase.LINGERING


def _listen(address: Address) -> socket.socket:
    family, where = _resolve(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family is socket.AF_INET6 and where == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # its connections inherit it
        listener.bind((where, address.port))
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 -- as socket has it
    except OSError:
        listener.close()
        raise
    return listener


def _resolve(address: Address) -> tuple[socket.AddressFamily, str]:
    if not address.host:
        return (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")  # noqa: S104
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    return family, str(where[0])
