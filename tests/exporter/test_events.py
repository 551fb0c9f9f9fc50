"""The Python side of bpf/events.h: layouts and numbers agree with the C, and records read back."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from llmslo_exporter import actions, automaton, events
from llmslo_exporter.automaton import PACKED_BYTES, ROWS, TABLES, WIRES
from llmslo_exporter.errors import DecodeError
from llmslo_exporter.summary import Closer, End, FinishReason, Piece, Role, Transport

BPF = Path(__file__).resolve().parents[2] / "bpf"
HEADER = (BPF / "events.h").read_text()
DEFINE = re.compile(r"^#define (\w+) (0x[0-9a-f]+|\d+)\b", re.MULTILINE)
DEFINES = {name: int(value, 0) for name, value in DEFINE.findall(HEADER)}


def test_layouts_are_those_of_the_c(tmp_path: Path) -> None:
    claims = {
        "sizeof(struct exchange)": events.EXCHANGE.size,
        "__builtin_offsetof(struct record, hot)": events.HOT_AT,
        "__builtin_offsetof(struct record, response_tail)": events.TEXTS_AT,
        "__builtin_offsetof(struct record, cursor)": events.RECORD_BYTES,
        "__builtin_offsetof(struct exchange, end)": events.END_AT,
        "__builtin_offsetof(struct piece, data)": events.PIECE.size,
        "__builtin_offsetof(struct small_piece, data)": events.PIECE.size,
        "sizeof(struct process_record)": events.PROCESS.size,
        "sizeof(struct tls_failed)": events.TLS_FAILED.size,
        "sizeof(struct automaton)": PACKED_BYTES,
        "COUNTERS": len(events.COUNTERS),
        "ABSENCE_MEANT": events.ABSENCE_MEANT,
        "ABSENCE_DONE": events.ABSENCE_DONE,
    }
    asserts = "\n".join(f'_Static_assert({claim} == {size}, "{claim}");' for claim, size in claims.items())
    source = tmp_path / "layout.c"
    source.write_text(f'#include "portable.h"\n#include "events.h"\n{asserts}\n')
    subprocess.run(
        ["clang", "-fsyntax-only", "-target", "bpf", "-D__TARGET_ARCH_x86", f"-I{BPF}", str(source)],
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A_USED", actions.USED),
        ("A_DIGIT", actions.DIGIT),
        ("A_END", actions.HEAD_END),
        ("A_BAD", actions.BAD),
        ("A_LLM", actions.LLM),
        ("A_CHUNKED", actions.CHUNKED),
        ("A_SSE", actions.SSE),
        ("A_NDJSON", actions.NDJSON),
        ("A_ENCODED", actions.ENCODED),
        ("A_INTERIM", actions.INTERIM),
        ("A_SWITCH", actions.SWITCH),
        ("A_BODYLESS", actions.BODYLESS),
        ("A_LENGTH", actions.LENGTH),
        ("E_OUTPUT", actions.OUTPUT),
        ("E_REASONING", actions.REASONING),
        ("E_LINE", actions.LINE),
        ("E_EVENT", actions.EVENT),
        ("E_ERROR", actions.ERROR),
        ("E_TERMINAL", actions.TERMINAL),
        ("E_FINISH", actions.FINISH),
        ("E_INDEX", actions.INDEX),
        ("E_QUIET", actions.QUIET),
        ("E_NUMBER_SHIFT", actions.NUMBER_SHIFT),
        ("ACTION_SHIFT", automaton.ACTION_SHIFT),
        ("ROWS", ROWS),
        ("TABLES", TABLES),
        ("WIRES", WIRES),
        ("CELLS", ROWS * automaton.COLUMNS),
        ("RESPONSE_TAIL", events.RESPONSE_TAIL),
        ("REQUEST_HEAD", events.REQUEST_HEAD),
        ("RESPONSE_HEAD", events.RESPONSE_HEAD),
        ("REQUEST_TAIL", events.REQUEST_TAIL),
        ("REQUEST_BODY", events.REQUEST_BODY),
        ("RESPONSE_BODY", events.RESPONSE_BODY),
        ("X_ENCODED", events.X_ENCODED),
        ("X_COMPLETE", events.X_COMPLETE),
        ("X_SCAN_LOST", events.X_SCAN_LOST),
        ("X_PIECES_LOST", events.X_PIECES_LOST),
        ("X_MID", events.X_MID),
    ],
)
def test_numbers_are_those_of_the_c(name: str, value: int) -> None:
    assert DEFINES[name] == value


@pytest.mark.parametrize(("enum", "prefix"), [(End, "END"), (Closer, "CLOSER")])
def test_enums_are_those_of_the_c(enum: type[End | Closer], prefix: str) -> None:
    found = {name: int(value) for name, value in re.findall(rf"\b{prefix}_(\w+) = (\d+)", HEADER)}
    assert found == {member.name: member.value for member in enum}


def _record(**texts: tuple[int, bytes]) -> bytes:
    """A record as the kernel would send it; a text is its length so far and its buffer."""
    key = (0x7F0000001000, 4242)
    times = (1_000_000_000, 1_010_000_000, 1_050_000_000, 0, 1_250_000_000, 100_000_000, 1_300_000_000)
    finishes = 1 << (8 * FinishReason.LENGTH)
    seen = actions.TERMINAL | actions.FINISH
    message = (0, 0, 0, 0, 3, 0, 0)
    answer = (0, 0, 0, actions.SSE, 3, 1, 0)
    hot = events.EXCHANGE.pack(
        *(*key, *times, 900, 100, 0, finishes, 0, 0, 5, 5, 0b1, seen, 4242, 6, 2, 0, 0, events.X_COMPLETE, 1, 0, 0, 0),
        *message,
        *answer,
    )
    names = ("request_head", "request_body", "request_tail", "response_head", "response_body", "response_tail")
    lengths = [texts.get(name, (0, b""))[0] for name in names]
    rest = events.RECORD_REST.pack(
        7, 3_000_000, *lengths, 2, struct.pack(">H", 443), bytes((127, 0, 0, 1)), b"curl", b"api.example.com"
    )
    order = ("response_tail", "request_head", "response_head", "request_tail", "request_body", "response_body")
    buffers = (texts.get(name, (0, b""))[1].ljust(size, b"\0") for name, size in zip(order, events.TEXTS, strict=True))
    return events.RECORD_HEAD.pack(events.RECORD_EXCHANGE, 0) + hot + rest + b"".join(buffers)


def test_record_reads_back() -> None:
    piece = Piece(1.0, b"x")
    summary = events.decode_record(_record(request_head=(4, b"POST"), response_body=(2, b"{}")), (piece,))
    assert (summary.role, summary.transport, summary.pid, summary.comm) == (Role.CLIENT, Transport.TLS, 4242, "curl")
    assert (summary.sni, summary.peer, summary.handshake_s) == ("api.example.com", "127.0.0.1:443", 0.003)
    assert summary.start_s == 1.0
    assert summary.first_token_s == pytest.approx(1.05)
    assert summary.first_output_s is None
    assert summary.max_gap_s == pytest.approx(0.1)
    assert (summary.content_events, summary.choices_seen, summary.stream) == (5, 1, True)
    assert summary.finishes == (0, 1, 0, 0, 0, 0, 0, 0)
    assert (summary.end, summary.terminal_seen, summary.response_complete) == (End.TERMINAL, True, True)
    assert (summary.request_head, summary.response_body, summary.pieces) == (b"POST", b"{}", (piece,))


@pytest.mark.parametrize("through", [0, 1, 2047, 2048, 2049, 3000, 4096, 5001])
def test_circular_tail_is_unrolled(through: int) -> None:
    said = bytes(range(1, 251)) * 21
    ring = bytearray(events.RESPONSE_TAIL)
    for at in range(through):
        ring[at % len(ring)] = said[at]
    summary = events.decode_record(_record(response_tail=(through, bytes(ring))), ())
    assert summary.response_tail == said[max(0, through - len(ring)) : through]


def test_pieces_given_up_are_lost() -> None:
    assert events.decode_record(_record(), None).pieces_lost


def test_short_record_is_an_error_that_names_both_sizes() -> None:
    with pytest.raises(DecodeError, match=rf"10 bytes.*{events.RECORD_BYTES}"):
        events.decode_record(b"\0" * 10, ())


def test_who_was_seen_closing_before_stays() -> None:
    raw = _record()[events.HOT_AT : events.HOT_AT + events.EXCHANGE.size]
    ended = events.with_end(raw, End.EXITED, Closer.THIS)
    assert events.with_end(ended, End.CLOSED, Closer.PEER)[events.END_AT : events.END_AT + 2] == bytes((4, 1))
