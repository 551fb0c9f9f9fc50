"""The first and the last bytes of a stream, cut anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import actions, automaton
from llmslo_exporter.dialects import WIRES
from llmslo_exporter.dialects.dialect import Facts
from llmslo_exporter.dialects.openai import OPENAI
from llmslo_exporter.excerpt import Events, excerpt_facts
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.ndjson import MAX_LINE_BYTES
from llmslo_exporter.sse import MAX_EVENT_BYTES, Event
from tests.exporter import kernel_model

FIXTURES = Path(__file__).parent / "fixtures" / "openai"
CHAT = (FIXTURES / "chat_with_usage.sse").read_bytes()
MODEL = "gpt-4o-mini-2024-07-18"
USAGE = Tokens(TokenSource.USAGE, input=12, output=3, cache_read=4, reasoning=1)
SSE, NDJSON = "text/event-stream; charset=utf-8", "application/x-ndjson"
TABLE = automaton.compile_wires(WIRES)


@pytest.mark.parametrize(
    "kind",
    [
        *("text/event-stream", "application/x-ndjson", "application/NDJSON", "application/stream+json"),
        *("application/jsonl", "application/jsonlines", "application/json", "application/json-seq", ""),
    ],
)
def test_the_kernel_and_the_parsers_take_the_same_types_for_ndjson(kind):
    message = kernel_model.Message(TABLE.start_response)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode()
    kernel_model.read_head(TABLE, message, head, kernel_model.DECIMAL)
    by_line = Events(kind).feed(b'{"a":1}\n') != []
    assert by_line == bool(message.flags & actions.NDJSON)


def test_events_are_those_of_the_content_type():
    assert Events(SSE).feed(b"data: 1\n\ndata: 2\n") == [Event(b"", b"1")]
    assert Events(NDJSON).feed(b'{"a":1}\n\n{"b":2}\r\n{') == [Event(b"", b'{"a":1}'), Event(b"", b'{"b":2}')]


@pytest.mark.parametrize(
    ("kind", "data", "rest"),
    [
        (SSE, b"data: 1\n\ndata: 2", Event(b"", b"2")),
        (SSE, b"data: 1\n\n", None),
        (NDJSON, b'{"a":1}\n{"b', Event(b"", b'{"b')),
        (NDJSON, b'{"a":1}\n', None),
    ],
)
def test_the_event_under_way_is_what_is_left(kind, data, rest):
    events = Events(kind)
    events.feed(data)
    assert events.rest() == rest


@pytest.mark.parametrize(
    ("kind", "data"),
    [(SSE, b"data: " + bytes(MAX_EVENT_BYTES) + b"\n\n"), (NDJSON, bytes(MAX_LINE_BYTES + 1) + b"\n")],
)
def test_events_over_the_bound_are_counted(kind, data):
    events = Events(kind)
    assert events.feed(data) == []
    assert events.dropped == 1


@pytest.mark.parametrize("size", range(CHAT.index(b'"choices"'), len(CHAT), 7))
def test_the_model_comes_from_the_beginning_wherever_it_is_cut(size):
    assert excerpt_facts(OPENAI, SSE, CHAT[:size], b"").model == MODEL


@pytest.mark.parametrize("start", range(0, CHAT.index(b'"usage":{'), 7))
def test_usage_comes_from_the_end_wherever_it_begins(start):
    facts = excerpt_facts(OPENAI, SSE, CHAT[:100], CHAT[start:])
    assert (facts.usage, facts.terminal, facts.error) == (USAGE, True, None)


def test_the_last_event_counts_without_its_blank_line():
    facts = excerpt_facts(OPENAI, SSE, b"", CHAT[: CHAT.index(b"\n\ndata: [DONE]")])
    assert (facts.usage, facts.terminal) == (USAGE, False)


def test_lines_of_ndjson_are_read_like_events():
    lines = CHAT.replace(b"data: ", b"").replace(b"[DONE]\n", b"").replace(b"\n\n", b"\n")
    facts = excerpt_facts(OPENAI, NDJSON, lines[:300], lines[-500:])
    assert (facts.model, facts.usage) == (MODEL, USAGE)


def test_an_error_within_the_tail_is_one_and_an_errors_end_may_be_one():
    error = b'data: {"error":{"message":"CANARY","type":"overloaded_error","code":null}}\n\n'
    facts = excerpt_facts(OPENAI, SSE, CHAT[:300], error)
    assert facts.error is not None
    assert facts.error.type == "overloaded_error"
    facts = excerpt_facts(OPENAI, SSE, CHAT[:300], error[error.index(b"NARY") :])
    assert facts.error is None
    assert facts.likely_error is not None
    assert facts.likely_error.type == "overloaded_error"


def test_what_the_model_said_is_not_taken_for_what_the_server_says():
    said = rb'data: {"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":9},\"error\":{\"type\":\"x\"}"}}]}'
    for start in range(len(said)):
        facts = excerpt_facts(OPENAI, SSE, b"", said[start:] + b"\n\n")
        assert (facts.usage, facts.error) == (None, None)


def test_nothing_captured_says_nothing():
    assert excerpt_facts(OPENAI, SSE, b"", b"") == Facts()


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from([SSE, NDJSON, ""]))
def test_foreign_bytes_never_raise(head, tail, kind):
    excerpt_facts(OPENAI, kind, head, tail)
