"""Every dialect from its bytes to the exchange, the kernel's part played by its model."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from llmslo_exporter.exchange import ClosedBy, Exchange, Outcome, StreamOutcome, Tokens, TokenSource
from llmslo_exporter.reading import read
from llmslo_exporter.summary import Closer, End, FinishReason, Piece, Role, Summary, Transport
from tests.exporter.wires import ENDS, FIXTURES, STREAMS, TYPES, kernel_counts, name_of, request_path, table

# What any of the dialects asks for.
BODY = b'{"model":"asked","model_id":"asked","prompt":"x","messages":[],"input":"x","inputs":"x","stream":true}'
BLANK = Summary(
    key=1, role=Role.CLIENT, transport=Transport.TLS, pid=7, cgroup=8, comm="python", sni="", peer="10.0.0.9:443",
    handshake_s=None, start_s=100.0, first_byte_s=100.1, first_token_s=None, first_output_s=None, last_token_s=None,
    end_s=101.0, max_gap_s=None, content_events=0, reads=3, writes=1, bytes_in=1, bytes_out=1, choices_seen=0,
    finishes=(0,) * 8, stream=False, encoded=False, error_seen=False, terminal_seen=False, response_complete=True,
    scan_lost=False, pieces_lost=False, end=End.BODY, closer=Closer.NONE, request_head=b"", request_body=b"",
    request_tail=b"", response_head=b"", response_body=b"", response_tail=b"", pieces=(),
)  # fmt: skip


def asked(path: str, body: bytes = BODY) -> Summary:
    """Return a summary that knows its request only."""
    head = f"POST {path} HTTP/1.1\r\nhost: gw.corp\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    return replace(BLANK, request_head=head, request_body=body, request_tail=body)


def streamed(fixture, data: bytes | None = None, path: str = "", **changes) -> Summary:
    """Return what the kernel says of a fixture's stream."""
    data = fixture.read_bytes() if data is None else data
    path = path or request_path(fixture)
    counts = kernel_counts(table().stream_of(path), data, ends=ENDS[fixture.suffix])
    instant = 100.5 if counts.content else None
    return replace(
        asked(path),
        stream=True,
        content_events=counts.content,
        first_token_s=instant,
        first_output_s=instant if counts.output else None,
        last_token_s=instant,
        choices_seen=counts.choices.bit_count(),
        first_choice_seen=bool(counts.choices & 1),
        finishes=counts.finishes,
        error_seen=counts.is_error,
        terminal_seen=counts.is_terminal,
        end=End.TERMINAL if counts.is_terminal else End.BODY,
        response_head=f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[fixture.suffix]}\r\n"
        "transfer-encoding: chunked\r\n\r\n".encode(),
        response_body=data[:1024],
        response_tail=data[-2048:],
        **changes,
    )


def exchange(summary: Summary) -> Exchange:
    found = read(summary, provider_map={}, process="x")
    assert found is not None
    return found


FAILED = {
    "anthropic/overloaded": "overloaded",
    "responses/failed": "rate_limited",
    "responses/error": "server_error",
    "ollama/error": "stream_interrupted",
    "gemini/blocked": "content_filter",
    "gemini/error": "overloaded",
    "cohere/v2_error": "stream_interrupted",
    "generate/tgi_error": "server_error",
    "llama_cpp/error": "server_error",
    "watsonx/error": "quota_exhausted",
    "openai/vllm_error_then_done": "server_error",
    "openai/tgi_error": "stream_interrupted",
    "openai/openrouter_error": "rate_limited",
    "openai/llama_cpp_old_error": "server_error",
    "openai/llama_cpp_error": "invalid_request",
}


@pytest.mark.parametrize("fixture", STREAMS, ids=name_of)
@pytest.mark.parametrize("role", list(Role))
def test_every_stream_ends_as_its_bytes_say(fixture, role):
    found = exchange(streamed(fixture, role=role))
    outcome = FAILED.get(name_of(fixture), "ok")
    want = StreamOutcome.COMPLETED if outcome == "ok" else StreamOutcome.ERROR_EVENT
    assert (found.outcome, found.stream_outcome, found.stream) == (Outcome(outcome), want, True)
    assert not found.faults


@pytest.mark.parametrize("fixture", STREAMS, ids=name_of)
def test_a_stream_is_the_same_compressed(fixture):
    data = fixture.read_bytes()
    counted = exchange(streamed(fixture))
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[fixture.suffix]}\r\ncontent-encoding: gzip\r\n\r\n".encode()
    packed = gzip.compress(data, mtime=0)
    summary = replace(
        asked(request_path(fixture)),
        stream=True,
        encoded=True,
        response_head=head,
        pieces=(Piece(100.2, packed[:40]), Piece(100.5, packed[40:])),
    )
    found = exchange(summary)
    same = ("outcome", "stream_outcome", "tokens", "finishes", "model", "content_events", "faults")
    assert [getattr(found, name) for name in same] == [getattr(counted, name) for name in same]


CUT = [path for path in STREAMS if name_of(path) not in FAILED and "writer/completions" not in name_of(path)]


@pytest.mark.parametrize("fixture", CUT, ids=name_of)
@pytest.mark.parametrize(
    ("closer", "stream_outcome"),
    [(Closer.PEER, StreamOutcome.TRUNCATED), (Closer.THIS, StreamOutcome.CLIENT_CANCELLED)],
)
def test_a_stream_cut_within_is_not_completed(fixture, closer, stream_outcome):
    data = fixture.read_bytes()
    for cut in (len(data) // 2, len(data) // 3):
        summary = streamed(fixture, data[:cut], closer=closer)
        found = exchange(replace(summary, response_complete=False, end=End.CLOSED))
        assert found.stream_outcome is stream_outcome
        assert found.closed_by is (ClosedBy.SERVER if closer is Closer.PEER else ClosedBy.CLIENT)


def test_a_stream_without_its_last_event_needs_its_reasons():
    fixture = FIXTURES / "anthropic" / "text.sse"
    data = fixture.read_bytes()
    without_stop = data[: data.rindex(b"event: message_stop")]
    assert exchange(streamed(fixture, without_stop)).outcome is Outcome.OK
    without_reason = data[: data.rindex(b"event: message_delta")]
    assert exchange(streamed(fixture, without_reason)).outcome is Outcome.STREAM_INTERRUPTED


def test_the_last_event_alone_is_enough_where_only_success_brings_it():
    fixture = FIXTURES / "ollama" / "older.ndjson"
    found = exchange(streamed(fixture))
    assert (found.outcome, found.finishes) == (Outcome.OK, ())


def test_the_output_of_a_cut_anthropic_stream_is_counted_in_events():
    fixture = FIXTURES / "anthropic" / "text.sse"
    data = fixture.read_bytes()
    summary = streamed(fixture, data[: data.rindex(b"event: content_block_stop")], closer=Closer.PEER)
    found = exchange(replace(summary, response_complete=False, end=End.CLOSED))
    # The two tokens of message_start are not its output.
    assert found.tokens == (Tokens(TokenSource.USAGE, input=52, cache_read=0, cache_write=0),)
    assert found.content_events == 2


NAMES = [
    ("anthropic/text.sse", "gw.corp", "anthropic", "chat", "asked"),
    ("responses/text.sse", "gw.corp", "openai", "chat", "asked"),
    ("responses/text.sse", "mine.openai.azure.com", "azure.ai.openai", "chat", "asked"),
    ("ollama/chat.ndjson", "localhost:11434", "ollama", "chat", "asked"),
    ("gemini/text.sse", "gw.corp", "gcp.gemini", "generate_content", "gemini-2.5-flash"),
    ("gemini/text.sse", "europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai", "generate_content",
     "gemini-2.5-flash"),
    ("cohere/v1_chat.ndjson", "gw.corp", "cohere", "chat", "asked"),
    ("cohere/v2_chat.sse", "gw.corp", "cohere", "chat", "asked"),
    ("writer/chat.sse", "api.writer.com", "writer", "chat", "asked"),
    ("writer/completions.sse", "api.writer.com", "writer", "text_completion", "asked"),
    ("generate/tgi.sse", "gw.corp", "tgi", "text_completion", None),
    ("generate/triton.sse", "gw.corp", "triton", "text_completion", "ensemble"),
    ("llama_cpp/completion.sse", "gw.corp", "llama_cpp", "text_completion", "asked"),
    ("watsonx/generation.sse", "us-south.ml.cloud.ibm.com", "ibm.watsonx.ai", "text_completion", "asked"),
    ("watsonx/generation.sse", "gw.corp", "ibm.watsonx.ai", "text_completion", "asked"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "host", "provider", "operation", "model"), NAMES)
def test_provider_operation_and_model(name, host, provider, operation, model):
    fixture = FIXTURES / name
    summary = streamed(fixture)
    found = exchange(replace(summary, request_head=summary.request_head.replace(b"gw.corp", host.encode())))
    assert (found.provider, found.operation, found.model) == (provider, operation, model)


def whole(path: str, body: bytes, status: int = 200, headers: str = "") -> Summary:
    """Return a summary of an answer that is no stream."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return replace(asked(path), response_head=head.encode(), pieces=(Piece(100.2, body[:9]), Piece(100.3, body[9:])))


GEMINI = "/v1beta/models/g:generateContent"
ERRORS = [
    ("anthropic/error_overloaded_529", "/v1/messages", 529, "overloaded"),
    ("anthropic/error_overloaded_529", "/v1/messages", 500, "overloaded"),
    ("anthropic/error_auth_401", "/v1/messages", 401, "auth"),
    ("anthropic/error_rate_429", "/v1/messages", 429, "rate_limited"),
    ("anthropic/error_billing_402", "/v1/messages", 400, "quota_exhausted"),
    ("anthropic/error_invalid_400", "/v1/messages", 400, "invalid_request"),
    ("anthropic/error_invalid_400", "/v1/messages", 413, "invalid_request"),
    ("anthropic/error_api_500", "/v1/messages", 500, "server_error"),
    ("responses/error_400", "/v1/responses", 400, "not_found"),
    ("responses/failed", "/v1/responses", 200, "server_error"),
    ("ollama/error_404", "/api/chat", 404, "not_found"),
    ("ollama/error_404", "/api/generate", 500, "server_error"),
    ("gemini/error_429", GEMINI, 429, "rate_limited"),
    ("gemini/error_429_day", GEMINI, 429, "quota_exhausted"),
    ("gemini/error_400_key", GEMINI, 400, "auth"),
    ("gemini/error_400", GEMINI, 400, "invalid_request"),
    ("gemini/error_404", GEMINI, 404, "not_found"),
    ("gemini/blocked", GEMINI, 200, "content_filter"),
    ("cohere/error_404", "/v2/chat", 404, "not_found"),
    ("cohere/error_404", "/v1/chat", 429, "rate_limited"),
    ("generate/error_429", "/generate", 429, "overloaded"),
    ("generate/error_422", "/generate", 422, "invalid_request"),
    ("generate/error_424", "/generate", 424, "server_error"),
    ("watsonx/error_404", "/ml/v1/text/generation", 400, "not_found"),
]


@pytest.mark.parametrize(("name", "path", "status", "outcome"), ERRORS)
def test_errors_are_classed_by_their_bodies(name, path, status, outcome):
    found = exchange(whole(path, (FIXTURES / f"{name}.json").read_bytes(), status))
    assert (found.outcome, found.status) == (Outcome(outcome), status)


def test_an_error_whose_class_was_not_captured_interrupts_the_stream():
    fixture = FIXTURES / "responses" / "failed.sse"
    data = fixture.read_bytes().replace(b'"instructions":"CANARY"', b'"instructions":"%b"' % (b"x" * 3000))
    found = exchange(streamed(fixture, data))
    assert (found.outcome, found.stream_outcome) == (Outcome.STREAM_INTERRUPTED, StreamOutcome.ERROR_EVENT)


def test_tgi_counts_tokens_in_the_head_of_a_whole_answer():
    headers = "x-prompt-tokens: 11\r\nx-generated-tokens: 3\r\nx-compute-time: 0.1\r\n"
    found = exchange(whole("/generate", b'{"generated_text":"x"}', headers=headers))
    assert found.tokens == (Tokens(TokenSource.USAGE, input=11, output=3),)
    found = exchange(whole("/generate", b'{"generated_text":"x"}', headers="x-generated-tokens: 1e9\r\n"))
    assert found.tokens == ()


def test_llama_cpps_timings_come_without_being_asked_for():
    found = exchange(streamed(FIXTURES / "llama_cpp" / "completion.sse"))
    assert found.tokens == (Tokens(TokenSource.TIMINGS, input=12, output=2, cache_read=5),)


ARRAY = (FIXTURES / "gemini" / "array.json").read_bytes()
STREAM_PATH = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"


def array(*parts: bytes, start_s: float = 100.5) -> Summary:
    """Return a stream that comes as a JSON array, a piece each half second."""
    summary = whole(STREAM_PATH, b"")
    pieces = tuple(Piece(start_s + number / 2, part) for number, part in enumerate(parts))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ntransfer-encoding: chunked\r\n\r\n"
    return replace(summary, response_head=head, pieces=pieces)


def test_a_json_array_in_pieces_is_a_stream():
    first, second = ARRAY.index(b",\r\n{"), ARRAY.rindex(b",\r\n{")
    found = exchange(array(ARRAY[:first], ARRAY[first:second], ARRAY[second:]))
    assert (found.stream, found.stream_outcome, found.outcome) == (True, StreamOutcome.COMPLETED, Outcome.OK)
    assert (found.first_token_s, found.last_token_s, found.max_gap_s) == pytest.approx((0.5, 1.5, 0.5))
    assert (found.content_events, found.finishes, found.encoding) == (3, (FinishReason.STOP,), None)
    assert found.tokens[0].output == 2056


@pytest.mark.parametrize("cut", range(0, len(ARRAY), 5))
def test_a_json_array_is_read_alike_at_every_split(cut):
    found = exchange(array(ARRAY[:cut], ARRAY[cut:]))
    assert (found.stream_outcome, found.content_events) == (StreamOutcome.COMPLETED, 3)


def test_a_json_array_that_is_cut_is_truncated():
    summary = array(ARRAY[: len(ARRAY) // 2])
    found = exchange(replace(summary, response_complete=False, end=End.CLOSED, closer=Closer.PEER))
    assert (found.stream_outcome, found.closed_by) == (StreamOutcome.TRUNCATED, ClosedBy.SERVER)


def test_an_ollama_request_without_stream_asks_for_one():
    silent = replace(BLANK, first_byte_s=None, end=End.CLOSED, closer=Closer.PEER, response_complete=False)
    body = b'{"model":"m","messages":[]}'
    request = asked("/api/chat", body=body)
    words = {"request_head": request.request_head, "request_body": body, "request_tail": body}
    assert exchange(replace(silent, **words)).stream
    body = b'{"model":"m","messages":[],"stream":false}'
    request = asked("/api/chat", body=body)
    words = {"request_head": request.request_head, "request_body": body, "request_tail": body}
    assert not exchange(replace(silent, **words)).stream


@pytest.mark.parametrize("fixture", STREAMS, ids=name_of)
def test_no_text_of_a_user_is_in_an_exchange(fixture):
    assert "CANARY" not in repr(exchange(streamed(fixture)))


def azure(path: str, body: bytes) -> Exchange:
    """Return the exchange of Azure's stream, whose first event names no model and has no choice."""
    fixture = FIXTURES / "openai" / "azure.sse"
    request = asked(path, body)
    head = request.request_head.replace(b"gw.corp", b"contoso.openai.azure.com")
    return exchange(replace(streamed(fixture), request_head=head, request_body=body, request_tail=body))


def test_azure_by_its_old_and_its_new_path():
    old = azure("/openai/deployments/mine/chat/completions?api-version=2024-10-21", b'{"messages":[],"stream":true}')
    new = azure("/openai/v1/chat/completions", b'{"messages":[],"model":"gpt-4o","stream":true}')
    silent = azure("/openai/v1/chat/completions", b'{"messages":[],"stream":true}')
    assert [found.provider for found in (old, new, silent)] == ["azure.ai.openai"] * 3
    assert [found.model for found in (old, new, silent)] == ["mine", "gpt-4o", "gpt-4o"]
    assert [found.content_events for found in (old, new, silent)] == [1] * 3


def test_done_behind_a_family_that_has_none_is_no_fault():
    fixture = FIXTURES / "anthropic" / "text.sse"
    found = exchange(streamed(fixture, fixture.read_bytes() + b"data: [DONE]\n\n"))
    assert (found.outcome, found.faults) == (Outcome.OK, frozenset())
