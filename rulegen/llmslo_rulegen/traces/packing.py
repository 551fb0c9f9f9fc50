"""What a trace file is, told by its first bytes, and its content in pieces that one reader understands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

from llmslo_rulegen.traces import messages
from llmslo_rulegen.traces.document import Brackets, DocumentError, Runs


class Format(Enum):
    """What a piece is a JSON array of, or a protobuf message."""

    OTLP = "OTLP JSON"
    JAEGER = "Jaeger JSON"
    FLAT = "list of spans"
    OTLP_PROTO = "OTLP protobuf"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Some of a file's spans, as one array or message of its format.

    `at` is where it begins in the file's content, unzipped; `line` its first line, 0 where lines mean nothing.
    """

    file: str
    format: Format
    data: bytes
    at: int = 0
    line: int = 0


SNIFFED_BYTES = 4 << 20  # the first line of a file of requests is found in it
PART_BYTES = 16 << 20  # of one element of an array: what is longer is divided
ELEMENT_BYTES = 64 << 20  # of one that cannot be divided: a span with pictures in it, a trace of Jaeger
_OTLP_NAMES = ("resourceSpans", "batches")
_NAMES = {Format.JAEGER: ("data",), Format.OTLP: _OTLP_NAMES, Format.FLAT: ()}
_NAMED = re.compile(rb'"(?:resourceSpans|batches|data)"\s*:')
_KEYS = (
    (Format.OTLP, re.compile(rb'"(?:resourceSpans|batches|scopeSpans|instrumentationLibrarySpans)"\s*:')),
    (Format.JAEGER, re.compile(rb'"(?:operationName|processID|processes)"\s*:')),
    (Format.FLAT, re.compile(rb'"(?:startTimeUnixNano|endTimeUnixNano)"\s*:')),
)
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_ASCII_AS_UTF16 = re.compile(rb"\A(?:[\[{]\0|\0[\[{])")


class UnknownFormatError(ValueError):
    """The first bytes are of no format that is read."""


def sniff(begin: bytes) -> Format:
    """Return the format of a file that begins so; raises UnknownFormatError."""
    text = begin.removeprefix(_BOM).lstrip()
    if text[:1] in (b"{", b"["):
        for found, key in _KEYS:
            if key.search(text):
                return found
        if b"\0" not in text[:2]:
            msg = "it is JSON, but none of OTLP (resourceSpans), Tempo (batches), Jaeger (data) or a list of spans"
            raise UnknownFormatError(msg)
    coding = next((name for bom, name in _OTHER_BOMS if begin.startswith(bom)), None)
    if coding or _ASCII_AS_UTF16.match(text):
        msg = f"it is {coding or 'UTF-16'}, JSON must be UTF-8: iconv -f {coding or 'UTF-16'} -t UTF-8 converts it"
        raise UnknownFormatError(msg)
    if messages.begins(begin):
        return Format.OTLP_PROTO
    msg = f"it begins with {begin[:8]!r}: neither JSON nor OTLP protobuf (gzip and zstd of both are read)"
    raise UnknownFormatError(msg)


def pieces(file: str, begin: bytes, blocks: Iterator[bytes], found: Format) -> Iterator[Piece]:
    """Yield a file's pieces from what was sniffed and the blocks after it; raises DocumentError."""
    rest = _again(begin.removeprefix(_BOM), blocks)
    if found is Format.OTLP_PROTO:
        return _messages(file, rest)
    if found is Format.OTLP and has_lines(begin.removeprefix(_BOM)):
        return lines(file, rest)
    return _runs(file, found, rest, _NAMES[found] if _NAMED.search(begin) else ())


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def has_lines(begin: bytes) -> bool:
    """Tell whether the first line that is not blank is a document by itself."""
    line, end, _ = begin.lstrip().partition(b"\n")
    brackets = Brackets()
    brackets.feed(line)
    return bool(end) and not brackets.is_open and line[:1] == b"{"


def lines(file: str, blocks: Iterator[bytes]) -> Iterator[Piece]:
    """Yield the pieces of a file that `has_lines`; raises DocumentError."""
    held: list[bytes] = []  # the parts of a line that is not over
    size, at, number = 0, 0, 1
    for block in blocks:
        done, end, rest = block.rpartition(b"\n")
        if end:
            whole = b"".join((*held, done, end))
            held, size = [], 0
            yield from _array(file, whole, at, number)
            at, number = at + len(whole), number + whole.count(b"\n")
        held.append(rest)
        size += len(rest)
        if size > PART_BYTES:  # a line that is a document of its own size
            for piece in _runs(file, Format.OTLP, _again(b"".join(held), blocks), _OTLP_NAMES):
                yield msgspec.structs.replace(piece, at=piece.at + at)
            return
    yield from _array(file, b"".join(held), at, number)


def _array(file: str, text: bytes, at: int, number: int) -> Iterator[Piece]:
    """Yield lines as an array in which each line is still one; blank ones stay as they are."""
    trimmed = text.rstrip()
    if not trimmed:
        return
    begin = trimmed.lstrip()
    blank = trimmed[: len(trimmed) - len(begin)]
    first, *others = begin.split(b"\n")
    joined = b"\n".join((first, *(line if not line or line.isspace() else b"," + line for line in others)))
    yield Piece(file, Format.OTLP, b"[" + joined + b"]", at + len(blank), number + blank.count(b"\n"))


def _runs(file: str, found: Format, blocks: Iterator[bytes], names: tuple[str, ...]) -> Iterator[Piece]:
    runs = Runs(names, PART_BYTES, ELEMENT_BYTES)
    for block in blocks:
        for run in runs.feed(block):
            yield Piece(file, found, run.data, run.at)
    runs.end()


def _messages(file: str, blocks: Iterator[bytes]) -> Iterator[Piece]:
    for message in messages.cut(blocks):
        if message.is_json:
            if sniff(message.data) is not Format.OTLP:
                msg = "a message in it is JSON, but no request of OTLP"
                raise DocumentError(msg, message.at)
            yield Piece(file, Format.OTLP, b"[" + message.data + b"]", message.at)
        else:
            yield Piece(file, Format.OTLP_PROTO, message.data, message.at)
