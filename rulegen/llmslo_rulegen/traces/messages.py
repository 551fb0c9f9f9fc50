"""Protobuf messages of OTLP in a file: one alone, or each with its length before it, as the collector writes them.

One message is divided into its ResourceSpans: several fields of the same number are the same as one message after the
other. The file exporter of the collector compresses messages one by one, with zstd, and then writes JSON so too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from llmslo_rulegen.traces.document import DocumentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ZSTD", "Message", "begins", "cut", "unwrapped", "zstd"]  # zstd: its place differs by Python

MAX_BYTES = 64 << 20  # of a message, or of one ResourceSpans
RUN_BYTES = 1 << 18  # shorter ones are read together
ZSTD = b"\x28\xb5\x2f\xfd"
_FIELD = 0x0A  # tag of field 1, a message: TracesData.resource_spans
_LENGTH = 4  # big endian
_MORE = 0x80  # of a varint
_MAX_VARINT = 5


@dataclass(frozen=True, slots=True)
class Message:
    """A TracesData of protobuf, or a request of JSON, that began `at` that byte of the file's content."""

    at: int
    data: bytes
    is_json: bool = False


def begins(begin: bytes) -> bool:
    """Tell whether a file that begins so holds messages."""
    return begin[:1] == bytes((_FIELD,)) or _is_framed(begin)


def _is_framed(begin: bytes) -> bool:
    inside = begin[_LENGTH : 2 * _LENGTH]
    is_known = inside[:1] in (bytes((_FIELD,)), b"{") or inside == ZSTD
    return is_known and int.from_bytes(begin[:_LENGTH], "big") <= MAX_BYTES


def cut(blocks: Iterator[bytes]) -> Iterator[Message]:
    """Yield the messages of a file that `begins` so; raises DocumentError."""
    held = bytearray()
    at = 0
    is_framed: bool | None = None
    for block in blocks:
        held += block
        if len(held) < 2 * _LENGTH:  # too short to tell
            continue
        is_framed = held[0] != _FIELD if is_framed is None else is_framed
        taken, found = (_framed if is_framed else _fields)(held, at)
        yield from found
        del held[:taken]
        at += taken
    if held:
        msg = "it ends in the middle of a protobuf message"
        raise DocumentError(msg, at + len(held))


def _framed(held: bytearray, at: int) -> tuple[int, list[Message]]:
    found: list[Message] = []
    taken = 0
    while len(held) - taken >= _LENGTH:
        size = int.from_bytes(held[taken : taken + _LENGTH], "big")
        if size > MAX_BYTES:
            msg = f"a message says it has {size} bytes, more than {MAX_BYTES}"
            raise DocumentError(msg, at + taken)
        end = taken + _LENGTH + size
        if len(held) < end:
            break
        found.append(_opened(bytes(held[taken + _LENGTH : end]), at + taken))
        taken = end
    return taken, found


def _opened(data: bytes, at: int) -> Message:
    if data.startswith(ZSTD):
        opened = zstd.ZstdDecompressor()
        try:
            data = opened.decompress(data, MAX_BYTES)
        except zstd.ZstdError as error:
            msg = f"a message is no zstd: {error}"
            raise DocumentError(msg, at) from error
        if not opened.eof:
            msg = f"a message of zstd is cut short, or longer than {MAX_BYTES} bytes"
            raise DocumentError(msg, at)
    return Message(at, data, is_json=data.lstrip()[:1] == b"{")


def _fields(held: bytearray, at: int) -> tuple[int, list[Message]]:
    found: list[Message] = []
    begin = taken = 0
    while (end := _field_end(held, taken, at)) is not None:
        if end - begin > RUN_BYTES and taken > begin:
            found.append(Message(at + begin, bytes(held[begin:taken])))
            begin = taken
        taken = end
    if taken > begin:
        found.append(Message(at + begin, bytes(held[begin:taken])))
    return taken, found


def _field_end(held: bytearray, begin: int, at: int) -> int | None:
    """Return where the field that begins there ends; None: not yet here."""
    if begin >= len(held):
        return None
    if held[begin] != _FIELD:
        msg = "it is no TracesData of OTLP"
        raise DocumentError(msg, at + begin)
    try:
        size, place = _varint(held, begin + 1)
    except IndexError:
        return None
    if size > MAX_BYTES:
        msg = f"a ResourceSpans says it has {size} bytes, more than {MAX_BYTES}"
        raise DocumentError(msg, at + begin)
    end = place + size
    return end if end <= len(held) else None


def _varint(held: bytearray, at: int) -> tuple[int, int]:
    """Return a number and where it ends; raises IndexError where it does not end."""
    size = 0
    for place in range(_MAX_VARINT):
        size |= (held[at + place] & ~_MORE) << 7 * place
        if not held[at + place] & _MORE:
            return size, at + place + 1
    return MAX_BYTES + 1, at  # longer than any length that is taken


def unwrapped(answer: bytes) -> bytes:
    """Return the Trace of Tempo's TraceByIDResponse, which is its first field; raises DocumentError."""
    held = bytearray(answer)
    if not held:
        return b""
    size, place = _varint(held, 1) if len(held) > _MAX_VARINT else (MAX_BYTES, 0)
    if held[0] != _FIELD or place + size > len(held):
        msg = "it is no answer of Tempo's /api/v2/traces"
        raise DocumentError(msg)
    return answer[place : place + size]
