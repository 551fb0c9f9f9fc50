"""One finished exchange in the words of the metrics contract: numbers and closed lists only, no text of a user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from llmslo_exporter.summary import FinishReason, Role


class Outcome(Enum):
    """How an exchange ended, in the contract's closed list."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    AUTH = "auth"
    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    CONTENT_FILTER = "content_filter"
    STREAM_INTERRUPTED = "stream_interrupted"
    CONNECTION_ERROR = "connection_error"
    CLIENT_CANCELLED = "client_cancelled"
    OTHER = "_other"


class StreamOutcome(Enum):
    """How a stream with a 2xx head ended."""

    COMPLETED = "completed"
    ERROR_EVENT = "error_event"
    TRUNCATED = "truncated"
    CLIENT_CANCELLED = "client_cancelled"


class ClosedBy(Enum):
    """Who ended the connection under a stream that did not complete."""

    NONE = "none"
    SERVER = "server"
    CLIENT = "client"
    NETWORK = "network"


class Fault(Enum):
    """What of an exchange could not be read."""

    HEAD = "head"  # the answer began with no status line
    ENCODING = "encoding"  # a content coding that is unknown here, or not what the bytes are in
    SIZE = "size"  # a body that opens to more than is read
    JSON = "json"  # a whole successful answer that is no JSON
    EVENT = "event"  # an event of a stream that is neither JSON nor a terminal


class TokenSource(Enum):
    """Where a token count comes from."""

    USAGE = "usage"
    TIMINGS = "timings"
    CHUNKS = "chunks"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one exchange; None: the bytes did not say. Input includes cache, output includes reasoning."""

    source: TokenSource
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt on the wire. Durations are seconds from the first request byte (t0) unless said otherwise."""

    role: Role
    provider: str
    model: str | None  # the request's model; None: not found in the bytes
    operation: str
    stream: bool
    retry: bool
    status: int | None  # of the final head; None: no head arrived
    outcome: Outcome
    stream_outcome: StreamOutcome | None  # None: no stream with a 2xx head
    closed_by: ClosedBy
    duration_s: float
    first_byte_s: float | None
    first_token_s: float | None
    first_output_s: float | None
    last_token_s: float | None
    max_gap_s: float | None
    content_events: int
    ttft_unknown: bool  # a stream whose first token could not be told
    tokens: tuple[Tokens, ...]  # one per source; empty: none
    finishes: tuple[FinishReason, ...]  # one per choice
    handshake_s: float | None
    encoding: str | None  # of a compressed stream
    faults: frozenset[Fault] = frozenset()
    ratelimits: tuple[tuple[str, float], ...] = ()  # kind (catalog.RATELIMIT_KINDS), what is left of 1
