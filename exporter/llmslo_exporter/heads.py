"""States that read heads and chunk sizes of HTTP/1.1 (RFC 9112), as far as the kernel must follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmslo_exporter.actions import (
    BAD,
    BODYLESS,
    CHUNKED,
    DIGIT,
    ENCODED,
    HEAD_END,
    INTERIM,
    LENGTH,
    LLM,
    NDJSON,
    SSE,
    SWITCH,
    USED,
)
from llmslo_exporter.states import DIGITS, NEWLINE, RETURN, WHITE, Builder, move
from llmslo_exporter.wire import Wire

HEX = DIGITS + b"abcdefABCDEF"
FOREIGN = SSE | NDJSON  # both: Amazon's event stream, which is counted and not read
STREAM_TYPES = {
    b"text/event-stream": SSE,
    b"ndjson": NDJSON,
    b"stream+json": NDJSON,
    b"jsonl": NDJSON,
    b"amazon.eventstream": FOREIGN,
}
CODINGS = (b"gzip", b"deflate", b"br", b"zstd", b"compress")


@dataclass(frozen=True, slots=True)
class Starts:
    """Where reading begins: request, response, chunk size, the next one; and the states behind each wire's paths."""

    rows: tuple[int, int, int, int]
    paths: tuple[int, ...]


def build_heads(b: Builder, wires: Sequence[Wire]) -> Starts:
    """Add the states of both kinds of head and of chunk sizes. A state whose name ends in `!` ends them."""
    first = len(b.states)
    lines = _header_lines(b)
    behind = tuple(b.state(f"path-of:{wire.name}") for wire in wires)
    for number in behind:
        b.on(number, [NEWLINE], lines)
    paths = {path: number for wire, number in zip(wires, behind, strict=True) for path in wire.paths}
    sockets = {path: number for wire, number in zip(wires, behind, strict=True) for path in wire.sockets}
    starts = Starts((_request(b, paths, sockets), _response(b), *_chunks(b)), behind)
    for state in b.states[first:]:
        if not state.name.endswith("!"):
            state.moves = [cell | move(0, USED) for cell in state.moves]
    return starts


def _header_lines(b: Builder) -> int:
    """States from the start of a header line to the end of the head."""
    start, rest, end, bad = b.state("line"), b.state("rest"), b.state("head-end!"), b.state("bad!")
    b.on(rest, [NEWLINE], start)
    last = b.state("line-cr")
    b.otherwise(last, bad, BAD)
    b.on(last, [NEWLINE], end, HEAD_END)
    stop = {NEWLINE: start}
    length, digits = b.state("length"), b.state("length-digits")
    for source in (length, digits):
        b.like(source, rest)
    b.on(length, WHITE, length)
    b.on(length, DIGITS, digits, DIGIT | LENGTH)
    b.on(digits, DIGITS, digits, DIGIT)
    values = {
        b"content-length": length,
        b"transfer-encoding": b.search("coding", {b"chunked": CHUNKED}, stop, fold=True)[b""],
        b"content-type": b.search("type", STREAM_TYPES, stop, fold=True)[b""],
        b"content-encoding": b.search("encoding", dict.fromkeys(CODINGS, ENCODED), stop, fold=True)[b""],
    }
    names = b.spell("name", start, values, rest, fold=True)
    for name, value in values.items():
        b.on(names[name], b":", value)
    b.on(start, [RETURN], last)
    b.on(start, [NEWLINE], end, HEAD_END)
    return start


def _request(b: Builder, paths: Mapping[str, int], sockets: Mapping[str, int]) -> int:
    """States of a request line: `POST` and an ending of `paths`, or `GET` and one of `sockets`."""
    start, after_g, bad = b.state("request"), b.state("request-g"), b.state("bad!")
    b.literal("post", b"POST ", start, _path(b, "path", paths), (bad, BAD))
    b.literal("get", b"ET ", after_g, _path(b, "socket", sockets), (bad, BAD))
    b.on(start, b"G", after_g)
    return start


def _path(b: Builder, name: str, paths: Mapping[str, int]) -> int:
    """States of a path that ends in one of `paths`, whose state reads what follows."""
    bad = b.state("bad!")
    endings = {ending.encode(): state for path, state in paths.items() for ending in (path, f"{path}/")}
    stop = {NEWLINE: bad, ord(" "): bad, ord("?"): bad}
    found = b.search(name, dict.fromkeys(endings, 0), stop, fold=False)
    for prefix, number in found.items():
        b.on(number, [NEWLINE, *b" ?"], bad, BAD)
        # The path must end there: /v1/completions-archive is none of ours. Of two endings the longer one is meant.
        ending = max((one for one in endings if prefix.endswith(one)), key=len, default=None)
        if ending is not None:
            b.on(number, b" ?", endings[ending], LLM)
    return found[b""]


def _response(b: Builder) -> int:
    """States of a status line: HTTP/1.x, the class of the status, then the headers."""
    start, bad, rest = b.state("response"), b.state("bad!"), b.state("rest")
    version, blank, status = b.state("version"), b.state("version-end"), b.state("status")
    b.literal("http", b"HTTP/1.", start, version, (bad, BAD))
    b.on(start, b"0\r\n", start)  # what a client left unread of the answer before
    for source in (version, blank, status):
        b.otherwise(source, bad, BAD)
    b.on(version, b"01", blank)
    b.on(blank, b" ", status)
    b.on(status, DIGITS, rest)
    for code, action in ((b"101", SWITCH), (b"204", BODYLESS), (b"304", BODYLESS)):
        first, second = b.state(f"status:{code[:1]!r}"), b.state(f"status:{code[:2]!r}")
        b.like(first, rest)
        b.like(second, rest)
        b.on(status, code[:1], first, INTERIM if code == b"101" else 0)
        b.on(first, code[1:2], second)
        b.on(second, code[2:], rest, action)
    return start


def _chunks(b: Builder) -> tuple[int, int]:
    """States of a chunk-size line (RFC 9112, 7.1), first and after a chunk."""
    size, digits, after = b.state("chunk"), b.state("chunk-digits"), b.state("chunk-after")
    extension, end, bad = b.state("chunk-extension"), b.state("chunk-end!"), b.state("bad!")
    b.otherwise(size, bad, BAD)
    b.on(size, HEX, digits, DIGIT)
    b.otherwise(digits, bad, BAD)
    b.on(digits, HEX, digits, DIGIT)
    b.on(digits, b" \t;\r", extension)
    for source in (digits, extension):
        b.on(source, [NEWLINE], end, HEAD_END)
    b.otherwise(after, bad, BAD)
    b.on(after, [RETURN], after)
    b.on(after, [NEWLINE], size)
    return size, after
