"""One LLM call as its span told it."""

from __future__ import annotations

from enum import Enum

import msgspec


class Skipped(Enum):
    """Why a span gave no call; each is counted and shown."""

    NOT_LLM = "not an LLM call"
    NO_END = "never ended, or ends before it starts"
    NO_TIME = "start or end is no time"
    MALFORMED = "does not have the shape of its format"
    ENCLOSING = "encloses a call of the same service, which counts"
    OUTSIDE = "outside the time that was asked for"


# A msgspec struct, not a dataclass: a million are made a run, and a frozen dataclass costs five times as much.
class Call(msgspec.Struct, frozen=True, gc=False):
    """One call; instants in nanoseconds since the epoch, durations in seconds.

    `source` is the catalog's name of the measuring point. `error` is "" for success, else one of the outcomes of the
    exporter. `ttft_s` is None where the span does not know it, and always for a call that was no stream.
    """

    source: str
    service: str
    operation: str
    provider: str
    model: str
    stream: bool
    start_ns: int
    duration_s: float
    error: str = ""
    ttft_s: float | None = None
    tpot_s: float | None = None  # seconds per output token after the first
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish: str = ""  # the provider's own word, of the first choice
