"""What a trace file is, told by its first bytes, and its content in pieces that one reader understands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum

from llmslo_rulegen.traces.document import Brackets, DocumentError, Runs


class Format(Enum):
    """What a piece is a JSON array of, or a protobuf message."""

    OTLP = "OTLP JSON"
    JAEGER = "Jaeger JSON"
    FLAT = "list of spans"
    OTLP_PROTO = "OTLP protobuf"


SNIFFED_BYTES = 4 << 20  # the first line of a file of requests is found in it
RUN_BYTES = 2 << 20  # of one element of an array: what is longer is divided
MAX_LINE_BYTES = 64 << 20
MAX_MESSAGE_BYTES = 256 << 20
_OTLP_NAMES = ("resourceSpans", "batches")
_JAEGER_NAMES = ("data",)
_KEYS = (
    (Format.OTLP, re.compile(rb'"(?:resourceSpans|batches|scopeSpans|instrumentationLibrarySpans)"\s*:')),
    (Format.JAEGER, re.compile(rb'"(?:operationName|processID|processes)"\s*:')),
    (Format.FLAT, re.compile(rb'"(?:startTimeUnixNano|endTimeUnixNano)"\s*:')),
)
_MESSAGE = 0x0A  # tag of field 1, a message: TracesData.resource_spans
_LENGTH = 4


class UnknownFormatError(ValueError):
    """The first bytes are of no format that is read."""


def sniff(begin: bytes) -> Format:
    """Return the format of a file that begins so; raises UnknownFormatError."""
    text = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        for found, key in _KEYS:
            if key.search(text):
                return found
        msg = "it is JSON, but none of OTLP (resourceSpans), Tempo (batches), Jaeger (data) or a list of spans"
        raise UnknownFormatError(msg)
    is_framed = begin[_LENGTH : _LENGTH + 1] == bytes((_MESSAGE,)) and begin[:1] == b"\0"
    if begin[:1] == bytes((_MESSAGE,)) or is_framed:
        return Format.OTLP_PROTO
    msg = f"it begins with {begin[:8]!r}: neither JSON nor OTLP protobuf (gzip of both is read)"
    raise UnknownFormatError(msg)


def pieces(blocks: Iterable[bytes], found: Format) -> Iterator[bytes]:
    """Yield JSON arrays, or protobuf messages, from a file's blocks; raises DocumentError.

    The first block is as long as what `sniff` was given, or the whole file.
    """
    walk = iter(blocks)
    begin = next(walk, b"").removeprefix(b"\xef\xbb\xbf")
    rest = _again(begin, walk)
    if found is Format.OTLP_PROTO:
        return _messages(rest)
    if found is Format.OTLP and _has_lines(begin):
        return _lines(rest)
    return _runs(rest, _JAEGER_NAMES if found is Format.JAEGER else _OTLP_NAMES)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _has_lines(begin: bytes) -> bool:
    """Tell whether the first line is a document by itself."""
    line, end, _ = begin.partition(b"\n")
    brackets = Brackets()
    brackets.feed(line)
    return bool(end) and bool(line.strip()) and brackets.depth == 0 and line.lstrip()[:1] == b"{"


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        done, end, held_on = (held + block).rpartition(b"\n")
        held = held_on
        if len(held) > MAX_LINE_BYTES:
            msg = f"a line is longer than {MAX_LINE_BYTES} bytes"
            raise DocumentError(msg)
        if end:
            yield from _array(done)
    yield from _array(held)


def _array(lines: bytes) -> Iterator[bytes]:
    found = [line for line in lines.split(b"\n") if line.strip()]
    if found:
        yield b"[" + b",".join(found) + b"]"


def _runs(blocks: Iterator[bytes], names: tuple[str, ...]) -> Iterator[bytes]:
    runs = Runs(names, RUN_BYTES)
    for block in blocks:
        yield from runs.feed(block)
    runs.end()


def _messages(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        held += block
        if held[:1] == bytes((_MESSAGE,)):  # one message without a length: it ends with the file
            if len(held) > MAX_MESSAGE_BYTES:
                msg = f"one protobuf message is longer than {MAX_MESSAGE_BYTES} bytes"
                raise DocumentError(msg)
            continue
        while len(held) >= _LENGTH:
            size = int.from_bytes(held[:_LENGTH], "big")
            if size > MAX_MESSAGE_BYTES:
                msg = f"a protobuf message says it has {size} bytes, more than {MAX_MESSAGE_BYTES}"
                raise DocumentError(msg)
            if len(held) < _LENGTH + size:
                break
            yield held[_LENGTH : _LENGTH + size]
            held = held[_LENGTH + size :]
    if held[:1] == bytes((_MESSAGE,)):
        yield held
    elif held:
        msg = "it ends in the middle of a protobuf message"
        raise DocumentError(msg)
