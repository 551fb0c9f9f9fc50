"""Bytes cut and merged in every way: counts and instants must not depend on how they were read or written."""

from __future__ import annotations

import os
import select
import socket
import time
from dataclasses import replace

import pytest

from tests.e2e.answers import (
    DONE,
    Answer,
    Framing,
    Kind,
    Truth,
    Write,
    answer,
    chat,
    event,
    one_write,
    resplit,
)
from tests.e2e.clients import Raw, request_bytes
from tests.kernel.bench import Bench, Met

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
TINY = answer(
    [
        event('{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'),
        event('{"choices":[{"index":0,"delta":{"reasoning_content":"é"}}]}', Kind.REASONING),
        event('{"choices":[{"index":0,"delta":{"content":"hi"}}]}', Kind.OUTPUT),
        event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'),
        event('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}'),
        DONE,
    ],
    Truth(tokens=({"source": "usage", "input": 3, "output": 2},)),
)


def _sweep(bench: Bench, answers: list[Answer], *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    met = [bench.ask(conn, planned, tls=tls, label="sweep") for planned in answers]
    conn.close()
    bench.check(*met)


@BOTH
def test_stream_split_at_every_offset(bench: Bench, *, tls: bool) -> None:
    _sweep(bench, [resplit(TINY, (at,), pause_ms=1.0) for at in range(1, len(TINY.data))], tls=tls)


@BOTH
def test_stream_sent_byte_by_byte(bench: Bench, *, tls: bool) -> None:
    _sweep(bench, [resplit(TINY, range(len(TINY.data)), pause_ms=0.3)], tls=tls)


@BOTH
@pytest.mark.parametrize("size", [2, 3, 5, 7, 8, 16, 64])
def test_stream_sent_in_pieces_of_one_size(bench: Bench, size: int, *, tls: bool) -> None:
    _sweep(bench, [resplit(TINY, range(start, len(TINY.data), size), 0.3) for start in range(1, 3)], tls=tls)


@BOTH
def test_chunk_boundary_at_every_offset_of_the_events(bench: Bench, *, tls: bool) -> None:
    parts = [
        event('{"choices":[{"index":0,"delta":{"content":"hi"}}]}', Kind.OUTPUT),
        event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'),
        DONE,
    ]
    size = sum(len(part.data) for part in parts)
    answers = [answer(parts, Truth(tokens=None), Framing(chunk_cuts=(at,))) for at in range(1, size)]
    _sweep(bench, [one_write(planned) for planned in answers], tls=tls)


@BOTH
@pytest.mark.parametrize("size", [1, 2, 3, 9, 17])
def test_chunks_of_a_few_bytes(bench: Bench, size: int, *, tls: bool) -> None:
    whole = chat(5, usage=(3, 5), framing=Framing(chunk_bytes=size))
    _sweep(bench, [whole, one_write(whole)], tls=tls)


@BOTH
def test_event_over_several_reads_counts_where_it_is_complete(bench: Bench, *, tls: bool) -> None:
    whole = chat(1, usage=(2, 1))
    at = whole.marks[0].at
    _sweep(bench, [resplit(whole, (at - 30, at - 12), pause_ms=120.0)], tls=tls)


@BOTH
@pytest.mark.parametrize("back", [1, 2, 3])
def test_event_is_complete_with_its_blank_line(bench: Bench, back: int, *, tls: bool) -> None:
    whole = chat(1, usage=(2, 1))
    at = whole.marks[0].at
    exact = replace(whole, writes=(Write(whole.data[: at - back]), Write(whole.data[at - back :], 150.0)))
    _sweep(bench, [exact], tls=tls)


@BOTH
@pytest.mark.parametrize("size", [1, 7, 100])
def test_client_that_reads_a_few_bytes_at_a_time(bench: Bench, size: int, *, tls: bool) -> None:
    whole = chat(10, usage=(3, 10))
    bench.meet(whole, tls=tls, read=lambda raw, want: raw.read(want, size))


def _read_late(raw: Raw, want: int) -> bytes:
    time.sleep(0.2)
    return raw.read(want, 262_144)


@BOTH
def test_slow_reader_meets_many_events_in_one_256_kib_read(bench: Bench, *, tls: bool) -> None:
    whole = chat(1500, usage=(3, 1500))
    conn = bench.connect(tls=tls, rcvbuf=4 << 20)
    met = bench.ask(conn, whole, tls=tls, read=_read_late)
    conn.close()
    bench.check(met)


def test_one_recv_of_256_kib_holds_the_whole_stream(bench: Bench) -> None:
    whole = one_write(chat(900, usage=(3, 900)))
    conn = bench.connect(tls=False, rcvbuf=4 << 20)

    def read(raw: Raw, want: int) -> bytes:
        while len(raw.sock.recv(262_144, socket.MSG_PEEK)) < min(want, 200_000):
            select.select([], [], [], 0.02)
        return raw.read(want, 262_144)

    met = bench.ask(conn, whole, tls=False, read=read)
    conn.close()
    bench.check(met, skip=("first_byte_s", "first_token_s", "first_output_s", "last_token_s", "duration_s"))


@pytest.mark.parametrize(("size", "count"), [(64, 3), (1000, 16), (16_384, 16)])
def test_readv_over_several_buffers(bench: Bench, size: int, count: int) -> None:
    whole = chat(300, usage=(3, 300))
    conn = bench.connect(tls=False, rcvbuf=1 << 20)
    met = bench.ask(conn, whole, tls=False, read=lambda raw, want: raw.read(want, size, 5.0, count))
    conn.close()
    bench.check(met)


def test_peeked_bytes_are_not_counted_twice(bench: Bench) -> None:
    whole = chat(10, 5.0, usage=(3, 10))

    def read(raw: Raw, want: int) -> bytes:
        found = b""
        while len(found) < want:
            raw.sock.recv(65_536, socket.MSG_PEEK)
            found += raw.read(1, 65_536)
        return found

    conn = bench.connect(tls=False)
    met = bench.ask(conn, whole, tls=False, read=read)
    conn.close()
    bench.check(met)


@BOTH
def test_reads_that_find_nothing_are_no_reads(bench: Bench, *, tls: bool) -> None:
    whole = chat(12, 8.0, usage=(3, 12), first_ms=50.0)
    bench.meet(whole, tls=tls, read=lambda raw, want: raw.read_unready(want))


@BOTH
def test_client_that_stops_at_done_and_asks_again(bench: Bench, *, tls: bool) -> None:
    whole = chat(6, 2.0, usage=(3, 6))
    conn = bench.connect(tls=tls)
    met = []
    left = 0
    for _ in range(5):
        model = bench.lab.new("stops-at-done", whole)
        conn.send(b"".join(request_bytes(model)))
        # The terminal chunk of the answer before stands in front of this one's head.
        conn.sock.recv(left) if left else b""
        conn.read(len(whole.data) - 5, len(whole.data) - 5)
        left = 5
        met.append(Met(model, whole, tls, conn.flight, pid=os.getpid()))
        bench.exporter.expect(model, "client")  # while the connection is still open
    conn.close()
    bench.check(*met)


def test_answer_sent_from_several_buffers(bench: Bench) -> None:
    whole = chat(8, usage=(3, 8))
    pieces = [whole.data[at : at + 37] for at in range(0, len(whole.data), 37)]
    model = bench.lab.new("sendmsg", whole)
    bench.lab.publish_steps(model, [["v", [piece.decode("latin-1") for piece in pieces]], ["keep"]])
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    assert conn.read(len(whole.data)) == whole.data
    conn.close()
    bench.check(Met(model, whole, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


@BOTH
def test_200_kb_write_to_a_slow_reader(bench: Bench, *, tls: bool) -> None:
    whole = one_write(chat(1200, usage=(3, 1200)))
    bench.meet(whole, tls=tls, read=lambda raw, want: raw.read(want, 5000, pause_ms=1.0))
