"""Decode the kernel's records: the Python side of bpf/events.h. Nanoseconds become seconds here and nowhere else."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from llmslo_exporter.actions import ERROR, NDJSON, SSE, TERMINAL
from llmslo_exporter.errors import DecodeError
from llmslo_exporter.summary import Closer, End, Piece, Role, Summary, Transport

NS = 1e-9
KEY = struct.Struct("<QQ")
_MESSAGE = "QQIIBB2xI"
EXCHANGE = struct.Struct(f"<12QQ6I4I6B2x{_MESSAGE}{_MESSAGE}")
RECORD_HEAD = struct.Struct("<II")
RECORD_REST = struct.Struct("<QQ6IH2s16s4x16s64s")
PIECE = struct.Struct("<II4Q")
PROCESS = struct.Struct("<IIQ")
TLS_FAILED = struct.Struct("<II64s")

RESPONSE_TAIL, REQUEST_HEAD, RESPONSE_HEAD = 2048, 2048, 2048
REQUEST_TAIL, REQUEST_BODY, RESPONSE_BODY = 1024, 1024, 1024
TEXTS = (RESPONSE_TAIL, REQUEST_HEAD, RESPONSE_HEAD, REQUEST_TAIL, REQUEST_BODY, RESPONSE_BODY)
HOT_AT = RECORD_HEAD.size
REST_AT = HOT_AT + EXCHANGE.size
TEXTS_AT = REST_AT + RECORD_REST.size
RECORD_BYTES = TEXTS_AT + sum(TEXTS)

RECORD_EXCHANGE, RECORD_PIECE, RECORD_PROCESS, RECORD_EXIT, RECORD_TLS_FAILED = 1, 2, 3, 4, 5
RECORD_TLS_NAMED = 6  # of the same form as RECORD_TLS_FAILED
ABSENCE_MEANT, ABSENCE_DONE = 1, 2  # of a process that is left out: are its probes gone?
X_ENCODED, X_COMPLETE, X_SCAN_LOST, X_PIECES_LOST, X_MID = 1, 8, 16, 32, 64
AF_INET, AF_INET6 = 2, 10
MAX_KEPT_CHOICES = 15

# Slots of the counters map, as `enum loss` numbers them.
LOSSES = (
    *("ring_full", "exchanges_full", "no_memory", "calls_full", "copy_failed", "not_scanned", "unreadable"),
    *("body_bound", "framing"),
)
SEEN = ("mid_stream", "h2", "websocket", "eventstream")
COUNTERS = LOSSES + SEEN

Identity: TypeAlias = tuple[int, int, int]  # pointer, owner, start in ns: one exchange


@dataclass(frozen=True, slots=True)
class Process:
    """A process began or ended."""

    pid: int
    is_exit: bool


@dataclass(frozen=True, slots=True)
class TlsFailed:
    """A handshake that never succeeded, with the host it was for."""

    pid: int
    sni: str


@dataclass(frozen=True, slots=True)
class Shipped:
    """A run of a body that user space must see whole."""

    identity: Identity
    piece: Piece


@dataclass(frozen=True, slots=True)
class Hot:
    """The hot state of an exchange, as it stands in the kernel's table or in its record."""

    identity: Identity
    start_ns: int
    first_byte_ns: int
    first_token_ns: int
    first_output_ns: int
    last_token_ns: int
    max_gap_ns: int
    last_ns: int
    bytes_in: int
    bytes_out: int
    finishes: int
    sock: int
    tgid: int
    reads: int
    writes: int
    content_events: int
    choices: int
    seen: int
    role: Role
    flags: int
    end: int
    closer: int
    answer_flags: int
    shipped: int

    @property
    def is_streaming(self) -> bool:
        """Whether content came; of a compressed stream, which cannot be read yet, whether its body did."""
        is_packed = self.flags & X_ENCODED and self.answer_flags & (SSE | NDJSON)
        return bool(self.first_token_ns or (is_packed and self.shipped))

    @property
    def is_tls(self) -> bool:
        """Whether the key is an SSL of a process, not a socket."""
        return self.identity[1] != 0


def decode_hot(raw: bytes | memoryview) -> Hot:
    """Decode `struct exchange`. Raises DecodeError when the size does not fit."""
    if len(raw) < EXCHANGE.size:
        msg = f"an exchange is {len(raw)} bytes, the layout needs {EXCHANGE.size}: exporter and bpf/events.h disagree"
        raise DecodeError(msg)
    fields = EXCHANGE.unpack_from(raw)
    ptr, owner, start = fields[:3]
    *instants, bytes_in, bytes_out, sock = fields[2:12]
    finishes, _row, _open, content, _output, choices, seen = fields[12:19]
    tgid, reads, writes, shipped, role, flags, end, closer, _dead = fields[19:28]
    first_byte, first_token, first_output, last_token, gap, last = instants[1:]
    return Hot(
        identity=(ptr, owner, start),
        start_ns=start,
        first_byte_ns=first_byte,
        first_token_ns=first_token,
        first_output_ns=first_output,
        last_token_ns=last_token,
        max_gap_ns=gap,
        last_ns=last,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        finishes=finishes,
        sock=sock,
        tgid=tgid,
        reads=reads,
        writes=writes,
        content_events=content,
        choices=choices,
        seen=seen,
        role=Role.SERVER if role else Role.CLIENT,
        flags=flags,
        end=end,
        closer=closer,
        answer_flags=fields[-4],
        shipped=shipped,
    )


END_AT = 146  # of `end` in struct exchange; `closer` follows


def with_end(raw: bytes, end: End, closer: Closer) -> bytes:
    """Return `struct exchange` as it would be sent had it ended so; who was seen closing before stays."""
    return raw[:END_AT] + bytes((end, raw[END_AT + 1] or closer)) + raw[END_AT + 2 :]


def decode_record(raw: bytes, pieces: tuple[Piece, ...] | None) -> Summary:
    """Decode `struct record` with the pieces that came before it; None: they were given up.

    Raises DecodeError when the layout does not fit.
    """
    if len(raw) < RECORD_BYTES:
        msg = f"a record is {len(raw)} bytes, the layout needs {RECORD_BYTES}: exporter and bpf/events.h disagree"
        raise DecodeError(msg)
    hot = decode_hot(memoryview(raw)[HOT_AT:])
    cgroup, shake, *lengths, family, port, peer, comm, sni = RECORD_REST.unpack_from(raw, REST_AT)
    texts = _texts(raw, lengths)
    return Summary(
        key=hash(hot.identity),
        role=hot.role,
        transport=Transport.TLS if hot.is_tls else Transport.PLAIN,
        pid=hot.tgid,
        cgroup=cgroup,
        comm=_text(comm),
        sni=_text(sni),
        peer=_peer(family, peer, port),
        handshake_s=shake * NS if shake else None,
        start_s=hot.start_ns * NS,
        first_byte_s=_instant(hot.first_byte_ns),
        first_token_s=_instant(hot.first_token_ns),
        first_output_s=_instant(hot.first_output_ns),
        last_token_s=_instant(hot.last_token_ns),
        end_s=hot.last_ns * NS,
        max_gap_s=hot.max_gap_ns * NS if hot.content_events > 1 else None,
        content_events=hot.content_events,
        reads=hot.reads,
        writes=hot.writes,
        bytes_in=hot.bytes_in,
        bytes_out=hot.bytes_out,
        choices_seen=hot.choices.bit_count(),
        first_choice_seen=bool(hot.choices & 1),
        finishes=_finishes(hot.finishes),
        stream=bool(hot.answer_flags & (SSE | NDJSON)),
        encoded=bool(hot.flags & X_ENCODED),
        error_seen=bool(hot.seen & ERROR),
        terminal_seen=bool(hot.seen & TERMINAL),
        response_complete=bool(hot.flags & X_COMPLETE),
        scan_lost=bool(hot.flags & X_SCAN_LOST),
        pieces_lost=bool(hot.flags & X_PIECES_LOST) or pieces is None,
        end=End(hot.end),
        closer=Closer(hot.closer),
        pieces=pieces or (),
        **texts,
    )


def decode_shipped(raw: bytes) -> Shipped:
    """Decode `struct piece`."""
    _kind, length, ptr, owner, start, at = PIECE.unpack_from(raw)
    return Shipped((ptr, owner, start), Piece(at * NS, raw[PIECE.size : PIECE.size + length]))


def decode_process(raw: bytes) -> Process:
    """Decode `struct process_record`."""
    kind, tgid, _at = PROCESS.unpack_from(raw)
    return Process(tgid, is_exit=kind == RECORD_EXIT)


def decode_tls_failed(raw: bytes) -> TlsFailed:
    """Decode `struct tls_failed`."""
    _kind, tgid, sni = TLS_FAILED.unpack_from(raw)
    return TlsFailed(tgid, _text(sni))


def _texts(raw: bytes, lengths: list[int]) -> dict[str, bytes]:
    request_head, request_body, request_tail, response_head, response_body, response_tail = lengths
    at = TEXTS_AT
    parts = []
    for size in TEXTS:
        parts.append(raw[at : at + size])
        at += size
    return {
        "response_tail": _unrolled(parts[0], response_tail),
        "request_head": parts[1][:request_head],
        # What a client left unread of the answer before may share a block with the head.
        "response_head": parts[2][:response_head].lstrip(b"0\r\n"),
        "request_tail": _unrolled(parts[3], request_tail),
        "request_body": parts[4][:request_body],
        "response_body": parts[5][:response_body],
    }


def _unrolled(ring: bytes, length: int) -> bytes:
    """Return the bytes of a circular buffer through which `length` bytes went, oldest first."""
    if length <= len(ring):
        return ring[:length]
    cut = length % len(ring)
    return ring[cut:] + ring[:cut]


def _finishes(packed: int) -> tuple[int, int, int, int, int, int, int, int]:
    one, two, three, four, five, six, seven, eight = packed.to_bytes(8, "little")
    return one, two, three, four, five, six, seven, eight


def _instant(at_ns: int) -> float | None:
    return at_ns * NS if at_ns else None


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")


def _peer(family: int, address: bytes, port: bytes) -> str:
    number = int.from_bytes(port, "big")
    if family == AF_INET:
        return f"{IPv4Address(address[:4])}:{number}"
    if family == AF_INET6:
        return f"[{IPv6Address(address)}]:{number}"
    return ""
