"""HTTP/1.1 heads and the chunked transfer coding, for an observer: what was captured may be cut, foreign or wrong.

Unlike a participant's parser this one refuses nothing. A head gives the header lines that are whole; a body that breaks
the framing stops giving bytes and says so. Nothing raises on any input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

# Heads are captured up to 2 KiB; servers themselves refuse more than 8-64 KiB (nginx 32 KiB, Node 16 KiB).
MAX_HEAD_BYTES = 64 * 1024
# A chunk-size line is a hex number and rare extensions; h11 gives up at 20 digits, nginx at 16.
MAX_CHUNK_LINE_BYTES = 1024
MAX_CHUNK_DIGITS = 16
# Trailers are a few lines; as much as a head is enough.
MAX_TRAILER_BYTES = MAX_HEAD_BYTES

_LINE_END = re.compile(r"\r?\n")
_STATUS_LINE = re.compile(r"HTTP/\d(?:\.\d)? +(\d{3})(?!\d)")
# The path counts only when the byte after it is there: a cut path could end like another one.
_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) +([^ ?\r\n]*)(\?[^ \r\n]*)?(?=[ ?\r\n])")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,%d})[ \t]*(?:;.*)?" % MAX_CHUNK_DIGITS, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in their order, names in lower case, values trimmed; text is Latin-1 so that every byte has one."""

    fields: tuple[tuple[str, str], ...] = ()

    def first(self, name: str) -> str | None:
        """Return the first value of a field given in lower case."""
        return next((value for field, value in self.fields if field == name), None)

    def joined(self, name: str) -> str:
        """Return all values of a list-valued field as one comma-separated, lower-case text (RFC 9110 5.3)."""
        return ", ".join(value for field, value in self.fields if field == name).lower()

    def has_prefix(self, prefix: str) -> bool:
        """Tell whether a field name begins with `prefix`."""
        return any(field.startswith(prefix) for field, _ in self.fields)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and the header lines that are whole; `whole` tells whether the head's end was seen."""

    method: str
    path: str  # without the query
    headers: Headers
    whole: bool


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status line and the header lines that are whole; `whole` tells whether the head's end was seen."""

    status: int
    headers: Headers
    whole: bool

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of RFC 9110 15.3

    @property
    def is_chunked(self) -> bool:
        """Tell whether the body has the chunked transfer coding."""
        return "chunked" in self.headers.joined("transfer-encoding")

    @property
    def content_length(self) -> int | None:
        """Return the body's length in bytes when it is declared and valid; None with the chunked coding."""
        return None if self.is_chunked else content_length(self.headers)

    @property
    def ends_at_close(self) -> bool:
        """Tell whether only the end of the connection ends the body (RFC 9112 6.3, last rule)."""
        return self.whole and not self.is_chunked and self.content_length is None


def content_length(headers: Headers) -> int | None:
    """Return the declared length in bytes; None: absent or no number."""
    text = headers.first("content-length") or ""
    # isascii: int() also takes other scripts' digits. 18 digits are more than any body.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004


def parse_request_head(data: bytes) -> RequestHead | None:
    """Return what a possibly cut request head says; None when its path is not there."""
    text = data[:MAX_HEAD_BYTES].lstrip(b"\r\n").decode("latin-1")
    match = _REQUEST_LINE.match(text)
    if match is None:
        return None
    headers, whole, _ = _headers(text)
    return RequestHead(match[1], match[2], headers, whole)


def parse_response_head(data: bytes) -> ResponseHead | None:
    """Return what a possibly cut response head says, passing over interim heads (1xx); None when it has no status."""
    text = data[:MAX_HEAD_BYTES].lstrip(b"\r\n").decode("latin-1")
    while match := _STATUS_LINE.match(text):
        head = ResponseHead(int(match[1]), *(parsed := _headers(text))[:2])
        text = parsed[2]
        if head.status // 100 != 1 or not text.startswith("HTTP/"):
            return head
    return None


def _headers(text: str) -> tuple[Headers, bool, str]:
    """Return the fields after the first line, whether the blank line was seen, and what stands behind it."""
    fields: list[tuple[str, str]] = []
    line_end = _LINE_END.search(text)
    while line_end is not None:
        start = line_end.end()
        line_end = _LINE_END.search(text, start)
        if line_end is None:
            break  # the last line is cut: half a value would be a wrong one
        line = text[start : line_end.start()]
        if not line:
            return Headers(tuple(fields)), True, text[line_end.end() :]
        if line[0] in " \t":  # obs-fold (RFC 9112 5.2)
            if fields:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.strip().lower(), value.strip()))
    return Headers(tuple(fields)), False, ""


class _Part(Enum):
    SIZE = 1
    DATA = 2
    DATA_END = 3
    TRAILER = 4
    DONE = 5
    BROKEN = 6


class Chunked:
    """Remove the chunked transfer coding from a body fed in any pieces (RFC 9112 7.1)."""

    def __init__(self) -> None:
        self._part = _Part.SIZE
        self._line = bytearray()
        self._left = 0
        self._trailer_bytes = 0

    @property
    def complete(self) -> bool:
        """Tell whether the last chunk and the end of the trailers were seen."""
        return self._part is _Part.DONE

    @property
    def broken(self) -> bool:
        """Tell whether the bytes stopped being chunks; nothing more will come out."""
        return self._part is _Part.BROKEN

    def feed(self, data: bytes) -> bytes:
        """Return the payload in `data`; bytes behind the end of the body are ignored."""
        out = bytearray()
        at = 0
        while at < len(data) and self._part not in {_Part.DONE, _Part.BROKEN}:
            if self._part is _Part.DATA:
                taken = data[at : at + self._left]
                out += taken
                at += len(taken)
                self._left -= len(taken)
                if not self._left:
                    self._part = _Part.DATA_END
            else:
                at = self._take_line(data, at)
        return bytes(out)

    def _take_line(self, data: bytes, at: int) -> int:
        """Collect a line that may be split between reads; return where it ends in `data`."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += data[at:stop]
        limit = MAX_TRAILER_BYTES - self._trailer_bytes if self._part is _Part.TRAILER else MAX_CHUNK_LINE_BYTES
        if len(self._line) > limit:
            self._part = _Part.BROKEN
        elif end >= 0:
            line = bytes(self._line).rstrip(b"\r\n")
            self._trailer_bytes += len(self._line) if self._part is _Part.TRAILER else 0
            self._line.clear()
            self._part = self._after(line)
        return stop

    def _after(self, line: bytes) -> _Part:
        if self._part is _Part.DATA_END:
            return _Part.BROKEN if line else _Part.SIZE
        if self._part is _Part.TRAILER:
            return _Part.TRAILER if line else _Part.DONE
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            return _Part.BROKEN
        self._left = int(match[1], 16)
        return _Part.DATA if self._left else _Part.TRAILER
