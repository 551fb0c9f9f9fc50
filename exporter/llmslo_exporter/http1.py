"""HTTP/1.1 heads, for an observer: what was captured may be cut, foreign or wrong.

Unlike a participant's parser this one refuses nothing: a head gives the header lines that are whole, and nothing raises
on any input. Bodies come without their framing, which the kernel follows (the automaton's chunk rows, bpf/exchange.h).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Heads are captured up to 2 KiB; servers themselves refuse more than 8-64 KiB (nginx 32 KiB, Node 16 KiB).
MAX_HEAD_BYTES = 64 * 1024

# Fields whose values are keys to something: nobody here reads them, so they end where they are met.
_SECRET = re.compile(r"auth|api-?key|-key$|cookie|secret|password|credential|security-token|signature|jwt")
_LINE_END = re.compile(r"\r?\n")
_STATUS_LINE = re.compile(r"HTTP/\d(?:\.\d)? +(\d{3})(?!\d)")
# The path counts only when the byte after it is there: a cut path could end like another one.
_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) +([^ ?\r\n]*)(\?[^ \r\n]*)?(?=[ ?\r\n])")


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in their order, names in lower case, values trimmed; text is Latin-1 so that every byte has one.

    Fields that carry a secret are there without their value.
    """

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
    def ends_at_close(self) -> bool:
        """Tell whether only the end of the connection ends the body (RFC 9112 6.3, last rule)."""
        is_chunked = "chunked" in self.headers.joined("transfer-encoding")
        return self.whole and not is_chunked and content_length(self.headers) is None


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
                fields[-1] = _field(fields[-1][0], f"{fields[-1][1]} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if colon:
            fields.append(_field(name.strip().lower(), value.strip()))
    return Headers(tuple(fields)), False, ""


def _field(name: str, value: str) -> tuple[str, str]:
    return name, "" if _SECRET.search(name) else value
