"""Scripted answers: the bytes a server sends, and what is true of them, known before anything is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise
from typing import Any

HEAD = "HTTP/1.1 200 OK"
# A lower-case `date:` (as ASGI servers write it) must not be taken for an event's `data:` line.
STREAM_HEADERS = ("date: Thu, 01 Jan 1970 00:00:00 GMT", "content-type: text/event-stream; charset=utf-8")
JSON_HEADERS = ("content-type: application/json",)


class Kind(Enum):
    """What a part of a body means to the one who waits for tokens."""

    NONE = "none"
    REASONING = "reasoning"
    OUTPUT = "output"


class After(Enum):
    """What the server does once its script is written."""

    KEEP = "keep"
    FIN = "fin"
    NOTIFY = "notify"  # TLS says goodbye before the FIN
    RST = "rst"
    KILL = "kill"
    EXIT = "exit"
    HOLD = "hold"  # stay silent until the client goes


@dataclass(frozen=True, slots=True)
class Part:
    """A run of body bytes; content is complete when the last of them has arrived."""

    data: bytes
    kind: Kind = Kind.NONE
    before_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A content event is complete at this offset of the response, counted from its first byte."""

    at: int
    output: bool


@dataclass(frozen=True, slots=True)
class Write:
    """One send of the server, after a pause or once the file `gate` exists."""

    data: bytes
    before_ms: float = 0.0
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What an observer must say when the whole answer arrived."""

    status: int | None = 200
    outcome: str = "ok"
    stream: bool = True
    stream_outcome: str | None = "completed"
    closed_by: str = "none"
    finishes: tuple[str, ...] = ("stop",)
    tokens: tuple[Mapping[str, Any], ...] | None = ()  # None: counted chunks
    operation: str = "chat"


@dataclass(frozen=True, slots=True)
class Answer:
    """A script for the byte server with its ground truth."""

    writes: tuple[Write, ...]
    marks: tuple[Mark, ...]
    truth: Truth
    after: After = After.KEEP
    head_bytes: int = 0
    linger_ms: float = 0.0  # pause before `after`

    @property
    def data(self) -> bytes:
        """Every byte of the response."""
        return b"".join(write.data for write in self.writes)

    def steps(self) -> list[list[Any]]:
        """The script as JSON values for the byte server."""
        found: list[list[Any]] = []
        for write in self.writes:
            if write.gate:
                found.append(["gate", write.gate])
            if write.before_ms:
                found.append(["sleep", write.before_ms])
            found.append(["w", write.data.decode("latin-1")])
        if self.linger_ms:
            found.append(["sleep", self.linger_ms])
        return [*found, [self.after.value]]


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body is laid on the wire: one chunk per part, or every `chunk_bytes`, or cut at body offsets."""

    kind: str = "chunked"  # chunked | length | close
    chunk_bytes: int | None = None
    chunk_cuts: tuple[int, ...] | None = None
    head: str = HEAD
    headers: tuple[str, ...] = STREAM_HEADERS
    early_head_ms: float | None = None  # None: the head leaves with the first part
    terminal: tuple[bytes, ...] = (b"0\r\n\r\n",)
    terminal_pause_ms: float = 0.0


@dataclass(slots=True)
class _Wire:
    writes: list[Write] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    size: int = 0

    def put(self, data: bytes, before_ms: float = 0.0) -> None:
        self.writes.append(Write(data, before_ms))
        self.size += len(data)


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked transfer coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def head(framing: Framing, body_bytes: int) -> bytes:
    """The response head; the framing's own header comes first."""
    how = {
        "chunked": ("transfer-encoding: chunked",),
        "length": (f"content-length: {body_bytes}",),
        "close": ("connection: close",),
    }[framing.kind]
    return "\r\n".join((framing.head, *how, *framing.headers, "", "")).encode("latin-1")


def _cut_chunks(parts: Sequence[Part], framing: Framing, wire: _Wire) -> None:
    """Cut the body whatever the events; a mark is where the event's last byte lies."""
    body = b"".join(part.data for part in parts)
    ends: list[tuple[int, Kind]] = []
    at = 0
    for part in parts:
        at += len(part.data)
        if part.kind is not Kind.NONE:
            ends.append((at, part.kind))
    inner = framing.chunk_cuts if framing.chunk_cuts is not None else range(0, len(body), framing.chunk_bytes or 1)
    points = sorted({0, len(body), *(cut for cut in inner if 0 < cut < len(body))})
    for start, stop in pairwise(points):
        prefix = len(b"%x\r\n" % (stop - start))
        while ends and ends[0][0] <= stop:
            end, kind = ends.pop(0)
            wire.marks.append(Mark(wire.size + prefix + end - start, kind is Kind.OUTPUT))
        wire.put(chunk(body[start:stop]))


def _part_writes(parts: Sequence[Part], framing: Framing, wire: _Wire) -> None:
    for part in parts:
        prefix = len(b"%x\r\n" % len(part.data)) if framing.kind == "chunked" else 0
        if part.kind is not Kind.NONE:
            wire.marks.append(Mark(wire.size + prefix + len(part.data), part.kind is Kind.OUTPUT))
        wire.put(chunk(part.data) if framing.kind == "chunked" else part.data, part.before_ms)


def answer(parts: Iterable[Part], truth: Truth, framing: Framing | None = None, after: After | None = None) -> Answer:
    """Lay `parts` on the wire: one write per chunk, the head alone when it is early."""
    framing = framing or Framing()
    listed = [part for part in parts if part.data]
    wire = _Wire()
    first = head(framing, sum(len(part.data) for part in listed))
    wire.put(first, framing.early_head_ms or 0.0)
    if framing.chunk_bytes is not None or framing.chunk_cuts is not None:
        _cut_chunks(listed, framing, wire)
    else:
        _part_writes(listed, framing, wire)
    writes = wire.writes
    if framing.early_head_ms is None and len(writes) > 1 and not writes[1].before_ms:
        writes[:2] = [Write(writes[0].data + writes[1].data)]
    if framing.kind == "chunked":
        for number, piece in enumerate(framing.terminal):
            writes.append(Write(piece, framing.terminal_pause_ms if number else 0.0))
    ending = after or (After.NOTIFY if framing.kind == "close" else After.KEEP)
    return Answer(tuple(writes), tuple(wire.marks), truth, ending, len(first))


def cut_after(whole: Answer, writes: int, after: After, truth: Truth, linger_ms: float = 20.0) -> Answer:
    """The same answer, ended by `after` once `writes` of its writes have left."""
    kept = whole.writes[:writes]
    size = sum(len(write.data) for write in kept)
    marks = tuple(mark for mark in whole.marks if mark.at <= size)
    return replace(whole, writes=kept, marks=marks, after=after, truth=truth, linger_ms=linger_ms)


def resplit(whole: Answer, offsets: Iterable[int], pause_ms: float = 0.0) -> Answer:
    """The same bytes written in pieces cut at `offsets` of the response; other pauses are dropped."""
    data = whole.data
    points = sorted({0, len(data), *(at for at in offsets if 0 < at < len(data))})
    pieces = [data[start:end] for start, end in pairwise(points)]
    writes = tuple(Write(piece, pause_ms if number else 0.0) for number, piece in enumerate(pieces))
    return replace(whole, writes=writes)


def one_write(whole: Answer) -> Answer:
    """The same bytes in a single write."""
    return resplit(whole, ())


def event(text: str, kind: Kind = Kind.NONE, before_ms: float = 0.0) -> Part:
    """An SSE event of one `data:` line."""
    return Part(f"data: {text}\n\n".encode(), kind, before_ms)


def chat_event(
    delta: Mapping[str, Any],
    kind: Kind = Kind.NONE,
    *,
    finish: str | None = None,
    index: int = 0,
    before_ms: float = 0.0,
    extra: Mapping[str, Any] | None = None,
) -> Part:
    """An OpenAI chat chunk with one choice."""
    choice = {"index": index, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
    return event(json.dumps(_chat_chunk([choice], extra)), kind, before_ms)


def _chat_chunk(choices: list[Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served"}
    return {**base, "choices": choices, **(extra or {})}


def usage_event(prompt: int, completion: int, extra: Mapping[str, Any] | None = None) -> Part:
    """The last chunk under `include_usage`: no choices, only counts."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(json.dumps(_chat_chunk([], {"usage": {**usage, **(extra or {})}})))


ROLE = chat_event({"role": "assistant", "content": ""})
STOP = chat_event({}, finish="stop")
DONE = event("[DONE]")


def words(count: int, pause_ms: float = 0.0, key: str = "content", kind: Kind = Kind.OUTPUT) -> list[Part]:
    """`count` content chunks with a pause before each."""
    return [chat_event({key: f" word{number}"}, kind, before_ms=pause_ms) for number in range(count)]


def chunks_only(count: int) -> tuple[dict[str, Any], ...]:
    """The tokens an observer may claim when no usage came."""
    return ({"source": "chunks", "output": count},) if count else ()


def usage_tokens(prompt: int, completion: int, **more: int) -> tuple[dict[str, Any], ...]:
    """The tokens of a usage object."""
    return ({"source": "usage", "input": prompt, "output": completion, **more},)


def chat(
    count: int,
    pause_ms: float = 0.0,
    *,
    usage: tuple[int, int] | None = None,
    done: bool = True,
    framing: Framing | None = None,
    first_ms: float = 0.0,
) -> Answer:
    """A whole chat stream: role, `count` words, finish, usage when given, `[DONE]`."""
    parts = [ROLE, *words(count, pause_ms), STOP]
    if first_ms:
        parts[1] = replace(parts[1], before_ms=first_ms)
    if usage:
        parts.append(usage_event(*usage))
    if done:
        parts.append(DONE)
    tokens = usage_tokens(*usage) if usage else None
    return answer(parts, Truth(tokens=tokens), framing)


def json_answer(
    body: Any,
    truth: Truth,
    *,
    status: str = "200 OK",
    compress: bool = False,
    headers: Sequence[str] = JSON_HEADERS,
    chunk_bytes: int | None = None,
    before_ms: float = 0.0,
) -> Answer:
    """A body in one piece, JSON unless it is bytes already, gzip when asked."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = tuple(headers)
    if compress:
        data = gzip.compress(data)
        lines = (*lines, "content-encoding: gzip")
    kind = "length" if chunk_bytes is None else "chunked"
    framing = Framing(kind=kind, chunk_bytes=chunk_bytes, head=f"HTTP/1.1 {status}", headers=lines)
    whole = answer([Part(data)], truth, framing)
    return replace(whole, writes=(replace(whole.writes[0], before_ms=before_ms), *whole.writes[1:]))


def completion(usage: tuple[int, int], text: str = "an answer", finish: str = "stop") -> dict[str, Any]:
    """The JSON of a chat completion that is no stream."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [choice],
        "usage": counts,
    }


def plain_truth(usage: tuple[int, int], finish: str = "stop") -> Truth:
    """What is true of a whole JSON completion."""
    return Truth(stream=False, stream_outcome=None, finishes=(finish,), tokens=usage_tokens(*usage))


def error_truth(status: int, outcome: str) -> Truth:
    """What is true of an error answer."""
    return Truth(status=status, outcome=outcome, stream=False, stream_outcome=None, finishes=(), tokens=())


def silence(after: After, wait_ms: float) -> Answer:
    """No byte at all, then `after`."""
    truth = Truth(
        status=None,
        outcome="connection_error",
        stream=False,
        stream_outcome=None,
        finishes=(),
        tokens=(),
    )
    return Answer((), (), truth, after, 0, wait_ms)
