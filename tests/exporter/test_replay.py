"""A compressed stream measured in user space as the kernel measures the others."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import actions, automaton
from llmslo_exporter.dialects import WIRES
from llmslo_exporter.dialects.dialect import Facts
from llmslo_exporter.dialects.openai import OPENAI
from llmslo_exporter.http1 import parse_response_head
from llmslo_exporter.inflate import MAX_INFLATED_BYTES
from llmslo_exporter.replay import Replay, replay
from llmslo_exporter.sse import MAX_EVENT_BYTES
from llmslo_exporter.summary import FinishReason, Piece
from tests.exporter import kernel_model

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "openai").glob("*.sse"))
TABLE = automaton.compile_wires(WIRES)
WBITS = {"gzip": 31, "zlib": 15, "raw": -15}
NOTHING = Replay(Facts(), None, None, None, None, 0, None, opened=True, overflowed=False, readable=True)


def head(coding="gzip", kind="text/event-stream"):
    fields = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: {coding}\r\n\r\n"
    found = parse_response_head(fields.encode())
    assert found is not None
    return found


def packed(*parts, kind="gzip"):
    """Return each of `parts` compressed and flushed, and what the stream's end adds."""
    if kind == "br":
        coder = brotli.Compressor()
        return [*(coder.process(part) + coder.flush() for part in parts), coder.finish()]
    if kind == "zstd":
        frames = zstd.ZstdCompressor()
        return [*(frames.compress(part, zstd.ZstdCompressor.FLUSH_BLOCK) for part in parts), frames.flush()]
    packer = zlib.compressobj(wbits=WBITS[kind])
    return [*(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts), packer.flush()]


def at(*pieces):
    """Return pieces from pairs of an instant and bytes."""
    return [Piece(instant, data) for instant, data in pieces]


def say(**delta):
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()


ROLE, THINK, SAY = say(content=""), say(reasoning="hm"), say(content="x")
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("kind", [*WBITS, "br", "zstd"])
def test_instants_are_those_of_the_pieces_that_complete_events(kind):
    parts = packed(ROLE, THINK, SAY + SAY, SAY[:20], SAY[20:], STOP, DONE, kind=kind)
    run = replay(OPENAI, head("deflate" if kind in {"zlib", "raw"} else kind), at(*enumerate(parts)))
    assert (run.first_token_s, run.first_output_s, run.last_token_s, run.max_gap_s) == (1, 2, 4, 2)
    assert (run.content_events, run.terminal_s, run.readable) == (4, 6, True)
    assert run.facts.finishes == {0: FinishReason.STOP}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_replay_counts_what_the_kernel_counts(path):
    data = path.read_bytes()
    tally = kernel_model.Tally(TABLE.start_stream)
    kernel_model.read_stream(TABLE, tally, data, actions.EVENT)
    run = replay(OPENAI, head(), at((1.0, gzip.compress(data))))
    assert run.content_events == tally.content
    assert (run.first_output_s is not None) == (tally.output > 0)
    assert (run.facts.error is not None) == bool(tally.seen & actions.ERROR)
    assert run.facts.terminal == bool(tally.seen & actions.TERMINAL)


@given(st.lists(st.integers(0, 400), max_size=6).map(sorted))
def test_what_is_measured_does_not_depend_on_read_sizes(cuts):
    data = gzip.compress(ROLE + THINK + SAY + STOP + DONE, mtime=0)
    cuts = [min(cut, len(data)) for cut in cuts]
    parts = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    run = replay(OPENAI, head(), at(*((0.5, part) for part in parts)))
    assert run == replay(OPENAI, head(), at((0.5, data)))
    assert run.content_events == 2


def test_one_content_event_has_no_gap():
    run = replay(OPENAI, head("identity"), at((1.0, ROLE), (2.0, SAY), (9.0, STOP)))
    assert (run.first_token_s, run.last_token_s, run.max_gap_s, run.terminal_s) == (2.0, 2.0, None, None)


def test_the_largest_gap_is_kept():
    run = replay(OPENAI, head("identity"), at((1.0, SAY), (2.0, SAY), (5.0, SAY), (6.0, SAY)))
    assert run.max_gap_s == 3.0


def test_nothing_counts_behind_the_terminal_event():
    run = replay(OPENAI, head("identity"), at((1.0, SAY + DONE), (2.0, SAY)))
    assert (run.content_events, run.last_token_s, run.terminal_s) == (1, 1.0, 1.0)


def test_an_error_event_is_no_content():
    error = b'data: {"error":{"code":500},"choices":[{"delta":{"content":"x"}}]}\n\n'
    run = replay(OPENAI, head("identity"), at((1.0, error)))
    assert (run.content_events, run.facts.error is None) == (0, False)


def test_the_last_event_counts_without_its_blank_line():
    run = replay(OPENAI, head("identity"), at((1.0, SAY), (2.0, SAY.rstrip())))
    assert (run.content_events, run.last_token_s) == (2, 2.0)


def test_lines_of_ndjson_are_events():
    lines = b'{"choices":[{"delta":{"content":"a"}}]}\n{"choices":[{"delta":{"content":"b"}}]}'
    run = replay(OPENAI, head(kind="application/x-ndjson"), at((1.0, gzip.compress(lines))))
    assert run.content_events == 2


def test_a_head_cut_before_its_coding_is_made_up_for():
    found = parse_response_head(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Long: ")
    assert found is not None
    run = replay(OPENAI, found, at((1.0, gzip.compress(SAY))))
    assert (run.content_events, run.readable) == (1, True)


def test_no_pieces_are_nothing():
    assert replay(OPENAI, head(), []) == NOTHING


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("compress", SAY),
        ("gzip, gzip", gzip.compress(SAY)),
        ("gzip", b"\x1f\x8b\x08broken"),
        ("gzip", gzip.compress(SAY)[30:]),
        ("gzip", gzip.compress(bytes(MAX_INFLATED_BYTES + 1))),
        ("gzip", gzip.compress(b"data: " + b"x" * (MAX_EVENT_BYTES + 1) + b"\n\n")),
    ],
)
def test_what_could_not_be_read_whole_is_said(coding, data):
    run = replay(OPENAI, head(coding), at((1.0, data)))
    assert (run.content_events, run.readable) == (0, False)


@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from(["gzip", "deflate", "identity", "br"]))
def test_foreign_bytes_never_raise(parts, coding):
    run = replay(OPENAI, head(coding), at(*enumerate(parts)))
    assert run.max_gap_s is None or run.content_events > 1
