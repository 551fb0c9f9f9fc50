"""One connection to the exporter: a request in, an answer out, and the end; within limits of time and size."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus

import h11

from llmslo_exporter.negotiation import Format, choose, takes_gzip
from llmslo_exporter.pages import Answer, refusal

# A scrape's head is under 1 KB; a proxy's cookies and tokens make 4 KB.
MAX_HEAD_BYTES = 8 * 1024
READ_BYTES = 8 * 1024
# A scrape is due every 10 to 60 s and says all of its request at once.
READ_S = 10.0
WAIT_S = 30.0  # for a page: the daemon is stuck, or somebody asks for more pages than it can write
WRITE_S = 60.0
STALLED_S = 10.0
# Bytes that were not read when a connection closes make the kernel send a reset, which may overtake the answer.
LINGER_S = 1.0
METHODS = ("GET", "HEAD")
HEAD_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class Gone(Exception):  # noqa: N818 -- no error: peers leave
    """The connection is over."""


class Phase(Enum):
    """What a connection is doing."""

    READING = "reading"
    WAITING = "waiting"
    WRITING = "writing"
    LINGERING = "lingering"


LIMITS_S = {Phase.READING: READ_S, Phase.WAITING: WAIT_S, Phase.WRITING: WRITE_S, Phase.LINGERING: LINGER_S}


@dataclass(frozen=True, slots=True)
class Request:
    """What tells two pages apart. Of Accept it is only what came of it: there are as many spellings as one likes."""

    path: str
    query: str
    form: Format
    content_type: str
    is_gzip_taken: bool


class Visit:
    """A connected socket that does not block, and how far its one exchange is. `now_s` is a clock that only grows."""

    def __init__(self, sock: socket.socket, now_s: float) -> None:
        sock.setblocking(False)  # noqa: FBT003 -- as socket has it
        self.sock = sock
        self.phase = Phase.READING
        self.request: Request | None = None
        self.body = b""  # what is being written: several visits share one
        self._progress_s = self._since_s = now_s
        self._sent = 0
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._is_head = False
        self._pending: list[memoryview] = []

    def is_late(self, now_s: float) -> bool:
        """Tell whether its time is over."""
        is_stalled = self.phase is Phase.WRITING and now_s - self._progress_s > STALLED_S
        return is_stalled or now_s - self._since_s > LIMITS_S[self.phase]

    def age_s(self, now_s: float) -> float:
        """Return how long it has been in its phase."""
        return now_s - self._since_s

    def rate(self, now_s: float) -> float:
        """Return how fast its answer is taken, in bytes a second."""
        return self._sent / max(self.age_s(now_s), 1e-6)

    def read(self, now_s: float) -> Answer | None:
        """Take what has arrived: sets `request` when it is whole, or returns the refusal. Raises Gone at the end."""
        try:
            data = self.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise Gone from error
        if self.phase is Phase.LINGERING:
            if not data:
                raise Gone
            return None
        self._progress_s = now_s
        return self._parse(data)

    def _parse(self, data: bytes) -> Answer | None:
        try:
            self._parser.receive_data(data)
            event = self._parser.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            return refusal(
                status, "the request is not understood" if status is not HEAD_TOO_LARGE else "head too large"
            )
        if isinstance(event, h11.Request):
            return self._accept(event)
        if event is not h11.NEED_DATA:
            raise Gone
        return None

    def _accept(self, event: h11.Request) -> Answer | None:
        method = event.method.decode("ascii", "replace")
        if method not in METHODS:
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"allowed are {' and '.join(METHODS)}")
        self._is_head = method == "HEAD"
        path, _, query = event.target.decode("ascii", "replace").partition("?")
        if not path.startswith("/"):  # as to a proxy: http://host/metrics
            path = f"/{path.partition('://')[2].partition('/')[2]}"
        fields: dict[bytes, list[str]] = {}
        for name, value in event.headers:
            fields.setdefault(name, []).append(value.decode("latin-1"))
        self.request = Request(
            path,
            query,
            *choose(",".join(fields.get(b"accept", ()))),
            takes_gzip(",".join(fields.get(b"accept-encoding", ()))),
        )
        return None

    def wait(self, now_s: float) -> None:
        """Wait for the page that was asked for."""
        self._enter(Phase.WAITING, now_s)

    def answer(self, answer: Answer, coding: str, now_s: float) -> None:
        """Begin to write an answer, whose body is in `coding`; empty: as it is."""
        lines = [
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            "Server: llmslo-exporter",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {answer.content_type}",
            "Vary: Accept, Accept-Encoding",
            f"Content-Length: {len(answer.body)}",
            "Connection: close",
        ]
        lines += [f"Content-Encoding: {coding}"] if coding else []
        lines += [f"Allow: {', '.join(METHODS)}"] if answer.status is HTTPStatus.METHOD_NOT_ALLOWED else []
        self.body = b"" if self._is_head else answer.body
        self._pending = [memoryview("\r\n".join((*lines, "", "")).encode()), memoryview(self.body)]
        self._enter(Phase.WRITING, now_s)

    def write(self, now_s: float) -> None:
        """Write as much as the peer takes; after the last byte, wait for the peer's end. Raises Gone."""
        try:
            sent = self.sock.sendmsg(self._pending)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise Gone from error
        self._progress_s = now_s
        self._sent += sent
        while self._pending and sent >= len(self._pending[0]):
            sent -= len(self._pending.pop(0))
        if self._pending:
            self._pending[0] = self._pending[0][sent:]
            return
        self.body = b""
        self._enter(Phase.LINGERING, now_s)
        with suppress(OSError):  # the peer was faster
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection."""
        self._pending = []
        self.body = b""
        self.sock.close()

    def _enter(self, phase: Phase, now_s: float) -> None:
        self.phase = phase
        self._since_s = self._progress_s = now_s
