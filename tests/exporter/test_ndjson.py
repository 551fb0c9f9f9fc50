"""JSON lines cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.ndjson import MAX_LINE_BYTES, NdjsonLines

STREAM = '{"a":"\u2028é"}\r\n\n {"b":1} \n{"c"'.encode()
LINES = ['{"a":"\u2028é"}'.encode(), b'{"b":1}']


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_lines_do_not_depend_on_read_sizes(cut):
    lines = NdjsonLines()
    assert lines.feed(STREAM[:cut]) + lines.feed(STREAM[cut:]) == LINES
    assert lines.rest() == b'{"c"'


def test_a_line_over_the_bound_is_dropped_and_counted():
    lines = NdjsonLines()
    for _ in range(3):
        assert lines.feed(b"x" * (MAX_LINE_BYTES // 2)) == []
    assert lines.feed(b"\n{}\n") == [b"{}"]
    assert lines.dropped_lines == 1


@given(st.lists(st.binary(max_size=20)))
def test_foreign_bytes_never_raise_and_splits_agree(parts):
    whole, pieces = NdjsonLines(), NdjsonLines()
    assert whole.feed(b"".join(parts)) == [line for part in parts for line in pieces.feed(part)]
