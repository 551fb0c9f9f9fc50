"""The OpenAI-compatible family as its servers write it; fixtures/openai holds the bytes."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.dialects import find
from llmslo_exporter.dialects.dialect import ErrorFacts, Facts
from llmslo_exporter.dialects.openai import OPENAI, OPENAI_WIRE
from llmslo_exporter.dialects.predicate import content_of
from llmslo_exporter.excerpt import excerpt_facts
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.sse import Event, SseEvents
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Content

FIXTURES = Path(__file__).parent / "fixtures" / "openai"
STOP, LENGTH, TOOLS = FinishReason.STOP, FinishReason.LENGTH, FinishReason.TOOL_CALLS
NO, THINK, SAY = Content.NONE, Content.REASONING, Content.OUTPUT


def usage(*, into, out, read=None, write=None, reasoning=None):
    return Tokens(TokenSource.USAGE, into, out, read, write, reasoning)


# name, what each event holds, model, finish reasons, usage
STREAMS = [
    ("chat_with_usage", [NO, SAY, SAY, SAY, NO, NO, NO], "gpt-4o-mini-2024-07-18", {0: STOP},
     usage(into=12, out=3, read=4, reasoning=1)),
    ("two_choices", [NO, SAY, NO, SAY, NO, NO, NO], "gpt-4o-mini-2024-07-18", {0: STOP, 1: LENGTH}, None),
    ("azure", [NO, NO, SAY, NO, NO], "gpt-4o", {0: STOP}, None),
    ("tool_call", [SAY, SAY, SAY, NO, NO], "gpt-4o-mini-2024-07-18", {0: TOOLS}, None),
    ("vllm_finish_with_content", [NO, SAY, SAY, NO], "qwen", {0: LENGTH}, usage(into=9, out=2)),
    ("llama_cpp", [NO, SAY, SAY, NO, NO], "gemma", {0: STOP}, None),
    ("groq", [NO, SAY, NO, NO], "llama-3.1-8b-instant", {0: STOP}, usage(into=18, out=73)),
    ("deepseek_reasoning", [NO, THINK, THINK, SAY, NO, NO], "deepseek-reasoner", {0: STOP},
     usage(into=20, out=30, read=16, reasoning=25)),
    ("mistral_thinking", [NO, THINK, SAY, NO, NO], "magistral", {0: LENGTH}, usage(into=5, out=4)),
    ("openrouter_comments", [NO, THINK, SAY, NO, NO, NO], "deepseek/deepseek-r1", {0: STOP}, usage(into=3, out=2)),
    ("tgi_no_space", [SAY, NO, NO], "tgi", {0: STOP}, None),
    ("completions", [SAY, SAY, NO], "gpt-3.5-turbo-instruct", {0: STOP}, None),
]  # fmt: skip


def stream(name):
    return (FIXTURES / f"{name}.sse").read_bytes()


def facts_of(data):
    events = SseEvents()
    return [OPENAI.event(event) for event in events.feed(data)]


@pytest.mark.parametrize(("name", "content", "model", "finishes", "tokens"), STREAMS)
def test_streams_say_what_was_sent(name, content, model, finishes, tokens):
    events = facts_of(stream(name))
    assert [event.content for event in events] == content
    together = reduce(Facts.then, events)
    assert (together.model, together.finishes, together.usage) == (model, finishes, tokens)
    assert together.terminal
    assert together.error is None
    assert together.choices == frozenset(finishes)


@pytest.mark.parametrize(("name", "model", "tokens"), [(row[0], row[2], row[4]) for row in STREAMS])
def test_the_first_and_last_bytes_tell_model_and_usage(name, model, tokens):
    data = stream(name)
    for size in range(700, 2049, 3):
        facts = excerpt_facts(OPENAI, "text/event-stream", data[:1024], data[-size:])
        assert (facts.model, facts.usage, facts.terminal, facts.error) == (model, tokens, True, None)


def test_usage_is_found_in_a_tail_that_begins_inside_its_event():
    data = stream("chat_with_usage")
    for start in range(len(data) - len("data: [DONE]\n\n")):
        facts = excerpt_facts(OPENAI, "text/event-stream", b"", data[start:])
        assert facts.usage in {None, usage(into=12, out=3, read=4, reasoning=1)}
        # a quote at the very cut may be an escaped one, so the key it opens is not believed
        assert (facts.usage is not None) == (start < data.index(b'"usage":{'))


def test_timings_are_found_and_include_the_cache():
    data = stream("llama_cpp")
    for start in range(data.index(b'"timings"')):
        facts = excerpt_facts(OPENAI, "text/event-stream", b"", data[start:])
        assert facts.timings == Tokens(TokenSource.TIMINGS, input=12, output=2, cache_read=5)


def test_the_model_is_found_in_a_first_event_that_is_cut():
    data = b'data: {"id":"","model":"m","prompt_filter_results":[{"x":"' + b"y" * 2000
    assert excerpt_facts(OPENAI, "text/event-stream", data[:1024], data[-2048:]).model == "m"


@pytest.mark.parametrize(
    ("name", "error", "terminal"),
    [
        ("vllm_error_then_done", ErrorFacts("InternalServerError", "500"), True),
        ("tgi_error", ErrorFacts("", ""), True),
        ("openrouter_error", ErrorFacts("", "429"), False),
        ("llama_cpp_old_error", ErrorFacts("server_error", "500"), True),
        ("llama_cpp_error", ErrorFacts("exceed_context_size_error", "400"), False),
    ],
)
def test_in_stream_errors_are_seen_at_any_cut(name, error, terminal):
    data = stream(name)
    for cut in range(len(data)):
        events = SseEvents()
        found = [OPENAI.event(event) for part in (data[:cut], data[cut:]) for event in events.feed(part)]
        together = reduce(Facts.then, found)
        assert (together.error, together.terminal) == (error, terminal)
        assert [event.content for event in found if event.error] == [NO]


def test_an_event_named_error_is_an_error_with_or_without_a_wrapping():
    assert OPENAI.event(Event(b"error", b'{"message":"x","type":"server_error"}')).error == ErrorFacts("server_error")
    assert OPENAI.event(Event(b"error", b'{"error":{"code":"x"}}')).error == ErrorFacts("", "x")
    assert OPENAI.event(Event(b"error", b"plain text")).error == ErrorFacts()


def test_the_end_of_a_long_error_tells_its_class_only_if_it_was_an_error():
    tail = b'...quoted","type":"rate_limit_error","param":null,"code":null}}\n\ndata: [DONE]\n\n'
    facts = excerpt_facts(OPENAI, "text/event-stream", b"", tail)
    assert facts.error is None
    assert facts.likely_error == ErrorFacts("rate_limit_error")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ((FIXTURES / "error_401.json").read_bytes(), ErrorFacts("invalid_request_error", "invalid_api_key")),
        ((FIXTURES / "error_quota.json").read_bytes(), ErrorFacts("insufficient_quota", "credit_balance_exhausted")),
        ((FIXTURES / "error_vllm_404.json").read_bytes(), ErrorFacts("NotFoundError", "404")),
        ((FIXTURES / "error_tgi_429.json").read_bytes(), ErrorFacts("overloaded")),
        (b'{"error":"just text"}', ErrorFacts()),
        (b'{"error":{"code":null,"status":"UNAVAILABLE"}}', ErrorFacts("", "UNAVAILABLE")),
        (b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]', ErrorFacts("", "429")),
        (b'{"choices":[{"error":{"code":502},"finish_reason":"error"}]}', ErrorFacts("", "502")),
        (b'{"error":null,"choices":[]}', None),
        (b'{"detail":"Not Found"}', None),
        (b"<html>Bad gateway</html>", None),
        (b"", None),
    ],
)
def test_error_bodies_of_every_shape(body, error):
    assert OPENAI.answer(body).error == error


def test_a_whole_answer_gives_usage_model_and_finish_reasons():
    facts = OPENAI.answer((FIXTURES / "chat.json").read_bytes())
    assert facts.usage == usage(into=12, out=3, read=4, reasoning=1)
    assert (facts.model, facts.finishes) == ("gpt-4o-mini-2024-07-18", {0: STOP})


def test_a_cut_answer_gives_what_its_parts_hold():
    body = (FIXTURES / "chat.json").read_bytes()
    facts = OPENAI.cut_answer(body[:200], body[-400:])
    assert facts.usage == usage(into=12, out=3, read=4, reasoning=1)
    assert facts.model == "gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        # xAI: reasoning stands beside the completion, the total says so
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22,
          "completion_tokens_details": {"reasoning_tokens": 7}}, usage(into=10, out=12, reasoning=7)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
          "completion_tokens_details": {"reasoning_tokens": 5}}, usage(into=10, out=5, reasoning=5)),
        ({"prompt_tokens": 8, "total_tokens": 8}, usage(into=8, out=None)),
        ({"prompt_tokens": 8, "completion_tokens": 1, "prompt_tokens_details": {"cache_write_tokens": 6}},
         usage(into=8, out=1, write=6)),
        ({"prompt_tokens": 8, "completion_tokens": 1, "prompt_tokens_details": None}, usage(into=8, out=1)),
        ({"prompt_tokens": "8", "completion_tokens": True}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_usage_shapes(value, tokens):
    assert OPENAI.answer(json.dumps({"usage": value}).encode()).usage == tokens


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/openai/deployments/d/chat/completions?api-version=2024", "chat"),
        ("/chat/completions", "chat"),
        ("/api/v1/chat/completions", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/fim/completions", "text_completion"),
        ("/v1/completions-archive", None),
        ("/v1/chat/completions/chatcmpl-1", None),
        ("/v1/embeddings", "embeddings"),
        ("/v1/moderations", None),
        ("/x?next=/v1/chat/completions", None),
    ],
)
def test_paths_tell_the_operation(path, operation):
    dialect = find(path)
    assert (dialect.operation(path.partition("?")[0]) if dialect else None) == operation


def test_azures_path_holds_the_model():
    assert OPENAI.path_model("/openai/deployments/my%20gpt/chat/completions") == "my gpt"
    assert OPENAI.path_model("/v1/chat/completions") is None


PROMPT = 'tell me of "model":"fool","stream":false,"n":9 and {"model":"fool"} ' * 3000
MESSAGES = [{"role": "user", "content": PROMPT}]
ORDERS = [
    {"model": "gpt", "stream": True, "n": 2, "messages": MESSAGES},
    {"messages": MESSAGES, "model": "gpt", "n": 2, "stream": True},
    {"model": "gpt", "messages": MESSAGES, "n": 2, "stream": True, "tools": [{"function": {"name": "model"}}]},
    {"stream": True, "messages": MESSAGES, "model": "gpt", "n": 2},
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_both_key_orders_around_a_long_prompt(order, separators, ascii_only):
    body = json.dumps(order, separators=separators, ensure_ascii=ascii_only).encode()
    assert len(body) > 200_000
    facts = OPENAI.request("/v1/chat/completions", body[:1024], body[-1024:])
    assert (facts.model, facts.stream, facts.choices, facts.foreign) == ("gpt", True, 2, False)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2", None, 10**9])
def test_a_number_of_choices_that_is_none_counts_as_one(n):
    body = json.dumps({"model": "m", "n": n}).encode()
    assert OPENAI.request("/v1/chat/completions", body, body).choices == 1


@pytest.mark.parametrize(
    ("path", "body", "foreign"),
    [
        ("/v1/completions", b'{"prompt": "x', False),
        ("/v1/completions", b'{"order": 7}', True),
        ("/v1/completions", b"", False),
        ("/v1/chat/completions", b"a=b&c=d", True),
        ("/v1/chat/completions", b' {"x":1}', False),
    ],
)
def test_bodies_of_other_apis_are_foreign(path, body, foreign):
    assert OPENAI.request(path, body, body).foreign is foreign


@pytest.mark.parametrize(
    ("event", "content"),
    [
        ({"delta": {"role": "assistant"}}, NO),
        ({"delta": {"content": None, "refusal": ""}}, NO),
        ({"delta": {"refusal": "I"}}, SAY),
        ({"delta": {"reasoning": "x"}}, THINK),
        ({"delta": {"reasoning": "x", "content": "y"}}, SAY),
        ({"delta": {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}}, THINK),
        ({"delta": {"audio": {"id": "a", "transcript": "", "data": ""}}}, NO),
        ({"delta": {"audio": {"id": "a", "data": "UklGR"}}}, SAY),
        ({"delta": {"function_call": {"name": "f"}}}, SAY),
        ({"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": ""}}]}}, NO),
        ({"delta": {"tool_calls": [{"index": 0, "custom": {"input": "x"}}]}}, SAY),
        ({"delta": {"name": "x", "arguments": "y", "data": "z"}}, NO),
        ({"delta": {"annotations": [{"url_citation": {"content": "x"}}]}}, NO),
        ({"logprobs": {"content": [{"token": "a", "text": "x"}]}, "delta": {"content": ""}}, NO),
        ({"delta": {"content": 5, "text": [], "reasoning": {}}}, NO),
    ],
)
def test_the_content_predicate(event, content):
    assert content_of(OPENAI_WIRE, {"choices": [event]}) is content


def test_the_content_predicate_takes_any_depth():
    event = {"content": "deep"}
    for _ in range(100_000):
        event = {"a": [event]}
    assert content_of(OPENAI_WIRE, event) is SAY
    while event != {"content": "deep"}:  # unnested by hand: the interpreter frees it recursively
        (event,) = event["a"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "usage", "error", "x_groq", "timings", "index", "delta", "content", "code", "n"]
            ),
            inner,
        )
    ),
)


@given(JSON, st.sampled_from([b"", b"error"]))
def test_any_json_is_read_without_raising(value, name):
    data = json.dumps(value).encode()
    OPENAI.event(Event(name, data, (b"error: " + data,)))
    OPENAI.answer(data)
    OPENAI.cut_answer(data[: len(data) // 2], data[len(data) // 2 :])
    OPENAI.request("/completions", data, data)


@given(st.binary(), st.binary())
def test_foreign_bytes_never_raise(head, tail):
    OPENAI.request("/completions", head, tail)
    OPENAI.answer(head)
    excerpt_facts(OPENAI, "text/event-stream", head, tail)
    excerpt_facts(OPENAI, "application/x-ndjson", b'{"model":"' + head, tail + b"}\n")
