"""What the kernel says of one exchange, and what the parsers make of it: the frozen values in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Role(Enum):
    """Which side of the exchange the traced process is."""

    CLIENT = "client"
    SERVER = "server"


class Transport(Enum):
    """Where the bytes were read."""

    TLS = "tls"
    PLAIN = "plain"


class End(IntEnum):
    """Why the kernel closed the books on an exchange; the numbers are `enum end_cause` of bpf/events.h."""

    TERMINAL = 1  # the family's terminal event, for OpenAI `[DONE]`
    BODY = 2  # HTTP framing: last chunk, or Content-Length satisfied
    NEXT = 3  # the next request began on the connection
    CLOSED = 4  # SSL_shutdown, SSL_free, close(2), or the socket died
    EXITED = 5  # the process ended
    SWEPT = 6  # silent for longer than the idle limit


class Closer(IntEnum):
    """Who ended the connection, as seen from the traced process; `enum closer` of bpf/events.h."""

    NONE = 0
    THIS = 1
    PEER = 2
    NETWORK = 3


class FinishReason(IntEnum):
    """The eight normalised finish reasons; the number is the kernel's counter index."""

    STOP = 0
    LENGTH = 1
    TOOL_CALLS = 2
    CONTENT_FILTER = 3
    REFUSAL = 4
    ERROR = 5
    CANCELLED = 6
    OTHER = 7


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of response body bytes from one read or write, the transfer coding removed; a long one comes in several."""

    at_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """One exchange as the kernel summed it up.

    Times are seconds of CLOCK_MONOTONIC. Texts are bounded copies: they hold prompts and keys, so they go to the
    parsers and nowhere else (`repr` hides them).
    """

    key: int
    role: Role
    transport: Transport
    pid: int
    cgroup: int
    comm: str
    sni: str  # empty: none seen
    peer: str  # "address:port", empty: unknown
    handshake_s: float | None  # duration; only on the first exchange of a TLS connection
    start_s: float
    first_byte_s: float | None
    first_token_s: float | None
    first_output_s: float | None
    last_token_s: float | None
    end_s: float
    max_gap_s: float | None  # None: fewer than two content events
    content_events: int
    reads: int
    writes: int
    bytes_in: int
    bytes_out: int
    choices_seen: int  # distinct choice indices 0-9 seen in the stream; 0: none seen
    finishes: tuple[int, int, int, int, int, int, int, int]  # per FinishReason
    stream: bool  # event-stream or NDJSON content type; read by the kernel's automaton unless encoded
    encoded: bool  # content-encoding other than identity: the automaton saw nothing
    error_seen: bool  # an in-stream error event
    terminal_seen: bool
    response_complete: bool  # last chunk, Content-Length satisfied, or closed by the sender of a body without a length
    scan_lost: bool  # bytes of this stream were not scanned: counts and instants may be short
    pieces_lost: bool  # pieces are missing (bound reached, ring full)
    end: End
    closer: Closer
    request_head: bytes  # request line and headers, cut at 2 KiB
    request_body: bytes  # first 1 KiB of the body, transfer coding removed
    request_tail: bytes  # last 1 KiB of the body (overlaps request_body when the body is short)
    response_head: bytes  # status line and headers of the final head, cut at 2 KiB
    response_body: bytes  # first 1 KiB of the body, transfer coding removed (streams)
    response_tail: bytes  # last 2 KiB of the body, transfer coding removed (streams)
    pieces: tuple[Piece, ...]  # non-stream and compressed bodies, transfer coding removed
    first_choice_seen: bool = True  # index 0 was among those seen

    def __repr__(self) -> str:
        return f"Summary(key={self.key}, role={self.role.value}, end={self.end.name}, events={self.content_events})"
