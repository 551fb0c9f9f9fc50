"""Every dialect's fixtures: what a stream says, to the parsers and to the kernel, however it is cut."""

from __future__ import annotations

import json
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import actions
from llmslo_exporter.dialects import DIALECTS, find
from llmslo_exporter.dialects.dialect import ErrorFacts, Facts
from llmslo_exporter.dialects.predicate import signs_of
from llmslo_exporter.excerpt import excerpt_facts
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from tests.exporter.wires import (
    ENDS,
    FIXTURES,
    STREAMS,
    TYPES,
    dialect_of,
    kernel_counts,
    name_of,
    parsed,
    parser_counts,
    request_path,
    table,
)

STOP, LENGTH, TOOLS, FILTER = (
    FinishReason.STOP,
    FinishReason.LENGTH,
    FinishReason.TOOL_CALLS,
    FinishReason.CONTENT_FILTER,
)
REFUSAL, FAILED = FinishReason.REFUSAL, FinishReason.ERROR


def usage(into, out, read=None, write=None, reasoning=None):
    return Tokens(TokenSource.USAGE, into, out, read, write, reasoning)


# name: what its content events hold (o output, r reasoning), finish reasons, usage, error, whether its last event came
SAID = {
    "anthropic/text": ("oo", {0: STOP}, usage(52, 216, 0, 0), None, True),
    "anthropic/thinking": ("rro", {0: LENGTH}, usage(100, 30, 40, 8), None, True),
    "anthropic/tool_use": ("oo", {0: TOOLS}, usage(52, 41, 0, 0), None, True),
    "anthropic/overloaded": ("o", {}, usage(52, None, 0, 0), ErrorFacts("overloaded_error"), False),
    "anthropic/padded": ("o", {0: REFUSAL}, usage(52, 3, 0, 0), None, True),
    "responses/text": ("oo", {0: STOP}, usage(25, 40, 8, None, 16), None, True),
    "responses/reasoning": ("rro", {0: LENGTH}, usage(25, 40, 8, None, 16), None, True),
    "responses/function_call": ("oo", {0: STOP}, usage(25, 40, 8, None, 16), None, True),
    "responses/failed": ("o", {}, None, ErrorFacts("", "rate_limit_exceeded"), True),
    "responses/error": ("", {}, None, ErrorFacts("", "server_error"), False),
    "ollama/chat": ("oo", {0: STOP}, usage(17, 63), None, True),
    "ollama/thinking": ("rro", {0: LENGTH}, usage(17, 63), None, True),
    "ollama/tool": ("o", {0: STOP}, usage(17, 63), None, True),
    "ollama/generate": ("oo", {0: STOP}, usage(17, 63), None, True),
    "ollama/older": ("o", {}, usage(17, 63), None, True),
    "ollama/error": ("o", {}, None, ErrorFacts(), False),
    "gemini/text": ("ooo", {0: STOP}, usage(8, 2056, None, None, 1702), None, False),
    "gemini/thoughts": ("rro", {0: LENGTH}, usage(8, 2056, None, None, 1702), None, False),
    "gemini/function_call": ("o", {0: STOP}, usage(8, 2056, 4, None, 1702), None, False),
    "gemini/grounded": ("o", {0: FILTER}, usage(8, 2056, None, None, 1702), None, False),
    "gemini/blocked": ("", {}, usage(8, None), ErrorFacts("content_filter"), False),
    "gemini/error": ("o", {}, None, ErrorFacts("UNAVAILABLE", "503"), False),
    "cohere/v2_chat": ("oo", {0: STOP}, usage(7, 109), None, True),
    "cohere/v2_tools": ("ooo", {0: TOOLS}, usage(7, 109), None, True),
    "cohere/v2_thinking": ("ro", {0: LENGTH}, usage(7, 109), None, True),
    "cohere/v2_error": ("o", {0: FAILED}, None, ErrorFacts(), True),
    "cohere/v1_chat": ("oo", {0: STOP}, usage(7, 109), None, True),
    "cohere/v1_tools": ("oo", {0: LENGTH}, usage(7, 109), None, True),
    "writer/chat": ("oo", {0: STOP}, usage(9, 4), None, False),
    "writer/completions": ("oo", {}, None, None, False),
    "generate/tgi": ("oo", {0: STOP}, usage(11, 3), None, True),
    "generate/tgi_keep_alive": ("oo", {0: STOP}, usage(11, 3), None, True),
    "generate/tgi_length": ("oo", {0: LENGTH}, usage(None, 2), None, True),
    "generate/tgi_error": ("o", {}, None, ErrorFacts("generation"), False),
    "generate/triton": ("oo", {}, None, None, False),
    "llama_cpp/completion": ("oo", {0: STOP}, None, None, True),
    "llama_cpp/limit": ("o", {0: LENGTH}, usage(12, 2), None, True),
    "llama_cpp/older": ("o", {0: LENGTH}, usage(12, 2), None, True),
    "llama_cpp/error": ("o", {}, None, ErrorFacts("server_error", "500"), False),
    "watsonx/generation": ("oo", {0: STOP}, usage(8, 5), None, True),
    "watsonx/last_with_text": ("oo", {0: LENGTH}, usage(8, 2), None, True),
    "watsonx/error": ("o", {}, usage(8, 1), ErrorFacts("token_quota_reached"), False),
}
MINE = [path for path in STREAMS if not name_of(path).startswith("openai/")]


def test_every_stream_is_in_the_table():
    assert {name_of(path) for path in MINE} == set(SAID)


@pytest.mark.parametrize("path", MINE, ids=name_of)
def test_streams_say_what_was_sent(path):
    content, finishes, tokens, error, terminal = SAID[name_of(path)]
    events = parsed(dialect_of(path), TYPES[path.suffix], path.read_bytes())
    assert "".join(".ro"[event.content] for event in events).replace(".", "") == content
    together = reduce(Facts.then, events)
    assert (together.finishes, together.usage, together.error, together.terminal) == (finishes, tokens, error, terminal)


@pytest.mark.parametrize("path", STREAMS, ids=name_of)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_kernel_counts_what_the_parsers_read_at_every_split(path, line_end):
    data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end)
    want = parser_counts(parsed(dialect_of(path), TYPES[path.suffix], data))
    start = table().stream_of(request_path(path))
    step = max(1, len(data) // 120)
    for cut in range(0, len(data), step):
        assert kernel_counts(start, data[:cut], data[cut:], ends=ENDS[path.suffix]) == want


@pytest.mark.parametrize("path", [path for path in MINE if path.stat().st_size < 4000], ids=name_of)
def test_the_parsers_read_the_same_at_every_split(path):
    data = path.read_bytes()
    kind = TYPES[path.suffix]
    want = parsed(dialect_of(path), kind, data)
    for cut in range(len(data)):
        assert parsed(dialect_of(path), kind, data[:cut], data[cut:]) == want


@pytest.mark.parametrize("path", MINE, ids=name_of)
def test_the_first_and_last_bytes_tell_usage_and_error(path):
    data = path.read_bytes()
    _, _, tokens, error, _ = SAID[name_of(path)]
    for size in range(1200, 2049, 7):
        facts = excerpt_facts(dialect_of(path), TYPES[path.suffix], data[:1024], data[-size:])
        assert (facts.usage, facts.error, facts.unreadable) == (tokens, error, False)


def shuffled(value):
    """Return a value whose objects have their keys in the other order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(element) for element in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", MINE, ids=name_of)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_order_of_keys_changes_nothing(path, separators):
    lines = []
    for line in path.read_text().split("\n"):
        prefix, brace, text = line.partition("{")
        data = json.dumps(shuffled(json.loads(brace + text)), separators=separators) if brace else ""
        lines.append((prefix + data).encode())
    data = b"\n".join(lines)
    kind = TYPES[path.suffix]
    want = parser_counts(parsed(dialect_of(path), kind, path.read_bytes()))
    assert parser_counts(parsed(dialect_of(path), kind, data)) == want
    assert kernel_counts(table().stream_of(request_path(path)), data, ends=ENDS[path.suffix]) == want


@pytest.mark.parametrize("path", MINE, ids=name_of)
def test_the_last_event_counts_when_it_is_over(path):
    """Usage stands behind what makes it the last: the kernel must not end the exchange before."""
    data = path.read_bytes().rstrip(b"\r\n:")
    assert (
        b"[DONE]" in data
        or not kernel_counts(table().stream_of(request_path(path)), data, ends=ENDS[path.suffix]).is_terminal
    )


@pytest.mark.parametrize(
    ("path", "operation", "model"),
    [
        ("/v1/responses", "chat", None),
        ("/openai/v1/responses", "chat", None),
        ("/openai/responses?api-version=2025-03-01-preview", "chat", None),
        ("/v1/responses/resp_1/cancel", None, None),
        ("/v1/embeddings", "embeddings", None),
        ("/openai/deployments/emb/embeddings", "embeddings", "emb"),
        ("/openai/v1/chat/completions", "chat", None),
        ("/v1/messages", "chat", None),
        ("/v1/messages?beta=true", "chat", None),
        ("/v1/messages/count_tokens", None, None),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict", "chat",
         "claude-sonnet-4@20250514"),
        ("/v1/projects/p/locations/l/publishers/mistralai/models/mistral-large:rawPredict", None, None),
        ("/v1beta/models/gemini-2.5-flash:generateContent", "generate_content", "gemini-2.5-flash"),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", "generate_content", "gemini-2.5-flash"),
        ("/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent",
         "generate_content", "gemini-2.5-pro"),
        ("/v1beta/tunedModels/mine:generateContent", "generate_content", "mine"),
        ("/v1beta/models/text-embedding-004:embedContent", "embeddings", "text-embedding-004"),
        ("/v1beta/models/gemini-2.5-flash:countTokens", None, None),
        ("/api/chat", "chat", None),
        ("/ollama/api/chat/", "chat", None),
        ("/api/generate", "text_completion", None),
        ("/api/embed", "embeddings", None),
        ("/api/embeddings", "embeddings", None),
        ("/v1/chat", "chat", None),
        ("/v2/chat", "chat", None),
        ("/generate", "text_completion", None),
        ("/generate_stream", "text_completion", None),
        ("/v2/models/ensemble/generate_stream", "text_completion", "ensemble"),
        ("/v2/models/a%20b/versions/1/generate", "text_completion", "a b"),
        ("/completion", "text_completion", None),
        ("/ml/v1/text/generation", "text_completion", None),
        ("/ml/v1/text/generation_stream?version=2024-03-14", "text_completion", None),
        ("/ml/v1/text/chat_stream", "chat", None),
    ],
)  # fmt: skip
def test_paths_tell_operation_and_model(path, operation, model):
    dialect = find(path)
    bare = path.partition("?")[0]
    found = (dialect.operation(bare), dialect.path_model(bare)) if dialect else (None, None)
    assert found == (operation, model)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.wire.name)
def test_every_path_leads_the_kernel_to_the_wire_of_its_dialect(dialect):
    for path in dialect.wire.paths:
        for form in (path, f"{path}/", f"/gateway{path}"):
            found = find(form)
            assert found is None or found.wire is dialect.wire
            assert table().stream_of(form) == table().stream_of(dialect.wire.paths[0])


KEYS = sorted(
    {"x", "", "\\", "type", "event_type"}
    | {key for d in DIALECTS for key in (*d.wire.output, *d.wire.reasoning, *d.wire.finish, *d.wire.errors)}
    | {key for d in DIALECTS for s in d.wire.scopes for key in (s.key, *s.output, *s.reasoning, *s.finish)}
    | {key for d in DIALECTS for u in (*d.wire.units, d.wire.unit) if u for key in (u.key, *u.output, *u.objects)}
    | {mark.key for d in DIALECTS for mark in d.wire.marks}
    | {tell.key for d in DIALECTS for u in (*d.wire.units, d.wire.unit) if u for tell in u.tells}
)
WORDS = sorted(
    {"", "x", '"', "\\", "{", "]}", '"text":"x"', "é", "stop", "not_finished"}
    | {mark.value.strip('"') for d in DIALECTS for mark in d.wire.marks}
    | {tell.value.strip('"') for d in DIALECTS for u in (*d.wire.units, d.wire.unit) if u for tell in u.tells}
    | {word for d in DIALECTS for word in list(d.wire.finish_values)[:3]}
)
SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(WORDS)
INNER = st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=3)
VALUES = SCALARS | INNER | st.lists(INNER, max_size=2) | st.dictionaries(st.sampled_from(KEYS), INNER, max_size=2)


def without(value, keys):
    """Return a value without some keys: a choice's index belongs to a choice, which a random event has not."""
    if isinstance(value, dict):
        return {key: without(inner, keys) for key, inner in value.items() if key not in keys}
    return [without(element, keys) for element in value] if isinstance(value, list) else value


@pytest.mark.parametrize("dialect", DIALECTS[1:], ids=lambda dialect: dialect.wire.name)
@given(value=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), spaced=st.booleans(), ascii_only=st.booleans())
def test_the_kernel_reads_any_event_as_its_parser_does(dialect, value, spaced, ascii_only):
    event = without(value, {"index", "candidates", "choices"})
    text = json.dumps(event, separators=(", ", ": ") if spaced else (",", ":"), ensure_ascii=ascii_only)
    data = f"data: {text}\n\n".encode()
    signs = signs_of(dialect.wire, event)
    counts = kernel_counts(table().stream_of(dialect.wire.paths[0]), data, ends=actions.EVENT)
    assert (counts.content, counts.output) == (signs.content > 0, signs.content > 1)
    assert (counts.is_terminal, counts.is_error) == (signs.is_terminal, signs.is_error)
    assert bool(sum(counts.finishes)) == (signs.finish is not None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *KEYS,
                    *("usage", "message", "response", "details", "results", "errors", "candidates", "usageMetadata"),
                ]
            ),
            inner,
        )
    ),
)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.wire.name)
@settings(deadline=None, max_examples=50)
@given(value=JSON, name=st.sampled_from([b"", b"error"]), head=st.binary(max_size=50), tail=st.binary(max_size=50))
def test_nothing_foreign_raises(dialect, value, name, head, tail):
    data = json.dumps(value).encode()
    dialect.event(Event(name, data, (b"error: " + data,)))
    for one, other in ((data, data), (data[: len(data) // 2], data[len(data) // 2 :]), (head, tail)):
        dialect.answer(one)
        dialect.cut_answer(one, other)
        dialect.request(dialect.wire.paths[0], one, other)
        excerpt_facts(dialect, "text/event-stream", one, other)
        excerpt_facts(dialect, "application/x-ndjson", one, other)


ANSWERS = {
    "openai/embeddings.json": ("/v1/embeddings", usage(8, None), {}, None),
    "anthropic/message.json": ("/v1/messages", usage(115, 7, 100, 5), {0: STOP}, None),
    "anthropic/error_overloaded_529.json": ("/v1/messages", None, {}, ErrorFacts("overloaded_error")),
    "responses/response.json": ("/v1/responses", usage(25, 40, 8, None, 16), {0: STOP}, None),
    "responses/incomplete.json": ("/v1/responses", usage(25, 40, 8, None, 16), {0: FILTER}, None),
    "responses/failed.json": ("/v1/responses", None, {}, ErrorFacts("", "server_error")),
    "responses/error_400.json": ("/v1/responses", None, {}, ErrorFacts("invalid_request_error", "model_not_found")),
    "ollama/chat.json": ("/api/chat", usage(17, 63), {0: STOP}, None),
    "ollama/embed.json": ("/api/embed", usage(8, None), {}, None),
    "gemini/answer.json": ("/v1beta/models/g:generateContent", usage(8, 2056, None, None, 1702), {0: STOP}, None),
    "gemini/blocked.json": ("/v1beta/models/g:generateContent", usage(8, None), {}, ErrorFacts("content_filter")),
    "cohere/v2_answer.json": ("/v2/chat", usage(7, 109), {0: STOP}, None),
    "cohere/v1_answer.json": ("/v1/chat", usage(7, 109), {0: STOP}, None),
    "generate/tgi.json": ("/generate", usage(2, 5), {0: STOP}, None),
    "llama_cpp/completion.json": ("/completion", None, {0: STOP}, None),
    "watsonx/generation.json": ("/ml/v1/text/generation", usage(8, 5), {0: STOP}, None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_whole_answers_give_usage_reasons_and_errors(name):
    path, tokens, finishes, error = ANSWERS[name]
    facts = find(path).answer((FIXTURES / name).read_bytes())
    assert (facts.usage, facts.finishes, facts.error) == (tokens, finishes, error)


PROMPT = 'tell me of "model":"fool","stream":false and {"model":"fool"} ' * 3000
REQUESTS = {
    "/v1/responses": {"input": PROMPT, "model": "m", "stream": True},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}], "model": "m", "stream": True},
    "/v1/embeddings": {"input": [PROMPT], "model": "m"},
    "/api/chat": {"model": "m", "messages": [{"content": PROMPT}]},
    "/api/generate": {"model": "m", "prompt": PROMPT},
    "/api/embed": {"model": "m", "input": [PROMPT]},
    "/v2/chat": {"messages": [{"content": PROMPT}], "model": "m", "stream": True},
    "/v1/chat": {"message": PROMPT, "model": "m", "stream": True},
    "/completion": {"prompt": PROMPT, "stream": True, "model": "m"},
    "/ml/v1/text/generation_stream": {"input": PROMPT, "model_id": "m", "parameters": {"model_id": "fool"}},
}


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_requests_are_read_around_a_long_prompt(path, is_reversed):
    value = REQUESTS[path]
    body = json.dumps({key: value[key] for key in reversed(value)} if is_reversed else value).encode()
    facts = find(path).request(path, body[:1024], body[-1024:])
    assert (facts.model, bool(facts.stream), facts.foreign) == ("m", "embed" not in path, False)


@pytest.mark.parametrize(
    ("path", "body", "foreign"),
    [
        ("/generate", b'{"inputs":"x","parameters":{}}', False),
        ("/generate", b'{"template":"invoice"}', True),
        ("/completion", b'{"prompt":"x"}', False),
        ("/completion", b'{"course":7}', True),
        ("/v1/messages", b'{"to":"+49","body":"x"}', True),
        ("/v1/messages", b'{"messages":[', False),
        ("/responses", b'{"survey":1}', True),
        ("/api/chat", b"text=hello", True),
        ("/embeddings", b'{"input":"x"}', False),
        ("/v1beta/models/g:generateContent", b'{"contents":[]}', False),
    ],
)
def test_bodies_of_other_apis_are_foreign(path, body, foreign):
    assert find(path).request(path, body, body).foreign is foreign


def test_the_paths_verb_says_whether_gemini_streams():
    for verb, stream in (("streamGenerateContent", True), ("generateContent", False)):
        path = f"/v1beta/models/g:{verb}"
        assert find(path).request(path, b"{}", b"{}").stream is stream
