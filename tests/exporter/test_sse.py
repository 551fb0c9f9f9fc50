"""Server-sent events cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.sse import MAX_EVENT_BYTES, Event, SseEvents

STREAM = (
    "\ufeffdata: first\n\n"  # a byte order mark
    ": OPENROUTER PROCESSING\n\n"
    "data:no space\n\n"
    "data:  two\r\ndata: lines\r\n\r\n"
    'event: ping\rid: 7\rretry: 3\rdata: {"a":"\u2028\u0085é"}\r\r'
    "event: lonely\n\n"
    "data\n\n"
    'error: {"code":500}\n\n'
    "data: [DONE]\n\n"
).encode()
EVENTS = [
    Event(b"", b"first"),
    Event(b"", b"no space"),
    Event(b"", b" two\nlines"),
    Event(b"ping", '{"a":"\u2028\u0085é"}'.encode()),
    Event(b"", b""),
    Event(b"", b"", (b'error: {"code":500}',)),
    Event(b"", b"[DONE]"),
]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_events_do_not_depend_on_read_sizes(cut):
    events = SseEvents()
    assert events.feed(STREAM[:cut]) + events.feed(STREAM[cut:]) == EVENTS
    assert events.rest() is None


def test_events_byte_by_byte():
    events = SseEvents()
    assert [event for at in range(len(STREAM)) for event in events.feed(STREAM[at : at + 1])] == EVENTS


def test_line_ends_split_between_reads_end_one_line():
    events = SseEvents()
    parts = [b"data: a\r", b"", b"\n", b"\r", b"\n", b"data: b\r", b"\r"]
    assert [event.data for part in parts for event in events.feed(part)] == [b"a", b"b"]


def test_the_event_under_way_can_be_asked_for():
    events = SseEvents()
    assert events.feed(b"data: {}\n\ndata: {\ndata: 1") == [Event(b"", b"{}")]
    assert events.rest() == Event(b"", b"{\n1")


@pytest.mark.parametrize("size", [1, 1000, MAX_EVENT_BYTES])
def test_an_event_over_the_bound_is_dropped_and_counted(size):
    data = b"data: " + b"x" * MAX_EVENT_BYTES + b"\ndata: more\n\ndata: next\n\n"
    events = SseEvents()
    step = max(size, 100)
    found = [event for at in range(0, len(data), step) for event in events.feed(data[at : at + step])]
    assert found == [Event(b"", b"next")]
    assert events.dropped_events == 1


def test_many_small_lines_of_one_event_are_bounded_too():
    events = SseEvents()
    assert events.feed(b"data: 12345678\n" * (MAX_EVENT_BYTES // 10) + b"\ndata: next\n\n") == [Event(b"", b"next")]
    assert events.dropped_events == 1


@given(st.lists(st.sampled_from([b"data: x", b"\r", b"\n", b"\r\n", b":", b"event: e", b"\xef\xbb\xbf", b"\xff"])))
def test_any_splits_of_any_lines_agree(parts):
    data = b"".join(parts)
    whole, pieces, single = SseEvents(), SseEvents(), SseEvents()
    expected = whole.feed(data)
    assert [event for part in parts for event in pieces.feed(part)] == expected
    assert [event for at in range(len(data)) for event in single.feed(data[at : at + 1])] == expected


@given(st.binary())
def test_foreign_bytes_never_raise(data):
    events = SseEvents()
    events.feed(data)
    events.rest()
