"""What each instrumentation writes about a call, and what is read of it: one span each, as its source has it."""

import pytest

from llmslo_rulegen.traces import genai
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.span import Event, Span

BEGIN_NS = 1_760_000_000_000_000_000
END_NS = BEGIN_NS + 4_000_000_000
A, B, C = "otel-genai-a", "otel-genai-b", "otel-genai-c"
USUAL = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "duration_s": 4.0}
TOKENS = {"input_tokens": 12, "output_tokens": 31}
SCHEMA_C = "https://opentelemetry.io/schemas/gen-ai/1.42.0"
CHUNK = "gen_ai.content.completion.chunk"


def of(attributes, *, name="chat gpt-4o", events=(), scope="", schema="", message="", is_error=False):
    found = [Event(BEGIN_NS + at_ns, event, held) for at_ns, event, held in events]
    return Span("s", name, BEGIN_NS, END_NS, attributes, is_error, message, found, scope, schema)


OPENTELEMETRY = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 31,
    "gen_ai.response.finish_reasons": ["stop"],
}
STREAM = {"stream": True, "ttft_s": 1.0, "tpot_s": 0.1, **TOKENS}
CASES = {
    "OpenTelemetry A": (
        of({**OPENTELEMETRY, "gen_ai.system": "openai"}),
        {**USUAL, **TOKENS, "source": A, "finish": "stop"},
    ),
    "OpenTelemetry A, its first names of tokens": (
        of(
            {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}
            | {"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 31}
        ),
        {**USUAL, **TOKENS, "source": A},
    ),
    "OpenTelemetry B, a stream": (
        of(
            {**OPENTELEMETRY, "gen_ai.provider.name": "openai", "gen_ai.request.stream": True}
            | {"gen_ai.response.time_to_first_chunk": 1.0}
        ),
        {**USUAL, **STREAM, "source": B, "finish": "stop"},
    ),
    "OpenTelemetry B, no stream says no flag": (
        of({**OPENTELEMETRY, "gen_ai.provider.name": "openai"}),
        {**USUAL, **TOKENS, "source": B, "finish": "stop"},
    ),
    "OpenTelemetry C, by its schema": (
        of(
            {**OPENTELEMETRY, "gen_ai.provider.name": "openai", "gen_ai.request.stream": True}
            | {"gen_ai.response.time_to_first_chunk": 1.0, "gen_ai.response.finish_reasons": ["error"]},
            schema=SCHEMA_C,
        ),
        {**USUAL, **STREAM, "source": C, "finish": "error"},
    ),
    "OpenTelemetry, embeddings": (
        of(
            {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 12}
            | {"gen_ai.request.model": "text-embedding-3-small"}
        ),
        {**USUAL, "operation": "embeddings", "model": "text-embedding-3-small", "input_tokens": 12, "source": B},
    ),
    "OpenTelemetry, an error by type": (
        of({**OPENTELEMETRY, "gen_ai.provider.name": "openai", "error.type": "APITimeoutError"}),
        {**USUAL, **TOKENS, "source": B, "error": "timeout", "finish": "stop"},
    ),
    "OpenTelemetry, an error by status code": (
        of(
            {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
            | {"error.type": "429"},
            is_error=True,
        ),
        {**USUAL, "source": B, "error": "rate_limited"},
    ),
    "OpenTelemetry, an error by its event": (
        of(
            {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"},
            is_error=True,
            events=[(2, "exception", {"exception.type": "openai.InternalServerError"})],
        ),
        {**USUAL, "source": A, "error": "server_error"},
    ),
    "an error that names nothing": (
        of(
            {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"},
            is_error=True,
        ),
        {**USUAL, "source": A, "error": "other"},
    ),
    "OpenLLMetry, a stream by its events": (
        of(
            {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o"}
            | {"llm.is_streaming": True, "gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 31}
            | {"llm.usage.total_tokens": 43, "gen_ai.completion.0.finish_reason": "stop"},
            name="openai.chat",
            events=[(10**9, CHUNK, {}), (2 * 10**9, CHUNK, {}), (3 * 10**9, CHUNK, {})],
        ),
        {**USUAL, **STREAM, "source": A, "finish": "stop"},
    ),
    "OpenLLMetry, older events, and completions": (
        of(
            {"llm.request.type": "completion", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"},
            events=[(10**9, "llm.content.completion.chunk", {})],
        ),
        {**USUAL, "operation": "text_completion", "stream": True, "ttft_s": 1.0, "source": A},
    ),
    "OpenLIT, a stream": (
        of(
            {**OPENTELEMETRY, "gen_ai.system": "openai", "gen_ai.request.stream": True}
            | {"gen_ai.server.time_to_first_token": 1.0, "gen_ai.server.time_per_output_token": 0.05}
        ),
        {**USUAL, **STREAM, "tpot_s": 0.05, "source": A, "finish": "stop"},
    ),
    "OpenLIT, no stream: its time to the first token is the whole": (
        of(
            {**OPENTELEMETRY, "gen_ai.system": "openai", "gen_ai.request.stream": False}
            | {"gen_ai.server.time_to_first_token": 3.99, "gen_ai.server.time_per_output_token": 0.0}
        ),
        {**USUAL, **TOKENS, "source": A, "finish": "stop"},
    ),
    "OpenLIT, no stream and no flag": (
        of({**OPENTELEMETRY, "gen_ai.system": "openai", "gen_ai.server.time_to_first_token": 3.99}),
        {**USUAL, **TOKENS, "source": A, "finish": "stop"},
    ),
    "Langfuse": (
        of(
            {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o"}
            | {"langfuse.observation.completion_start_time": '"2025-10-09T08:53:21.000Z"'}
            | {"langfuse.observation.usage_details": '{"input": 12, "output": 31, "total": 43}'}
        ),
        {**USUAL, **STREAM, "provider": "", "source": A},
    ),
    "LiteLLM": (
        of({**OPENTELEMETRY, "gen_ai.system": "openai", "llm.is_streaming": "False"}, scope="litellm"),
        {**USUAL, **TOKENS, "source": "litellm", "finish": "stop"},
    ),
    "vLLM": (
        of(
            {"gen_ai.response.model": "gpt-4o", "gen_ai.request.id": "r", "gen_ai.usage.prompt_tokens": 12}
            | {"gen_ai.usage.completion_tokens": 31, "gen_ai.latency.time_in_queue": 0.01, "gen_ai.latency.e2e": 4.0}
            | {"gen_ai.latency.time_to_first_token": 1.0},
            name="llm_request",
            scope="vllm.llm_engine",
        ),
        {**USUAL, **STREAM, "provider": "", "source": "vllm"},
    ),
    "SGLang": (
        of(
            {"gen_ai.response.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 31}
            | {"gen_ai.latency.time_in_queue": 0.01, "gen_ai.latency.time_to_first_token": 1.0},
            name="llm_request",
            scope="sglang",
        ),
        {**USUAL, **STREAM, "provider": "", "source": "sglang"},
    ),
    "Vercel's AI SDK, a stream in milliseconds": (
        of(
            {"ai.operationId": "ai.streamText.doStream", "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat"}
            | {"gen_ai.system": "openai.chat", "gen_ai.request.model": "gpt-4o", "ai.response.msToFirstChunk": 1000.0}
            | {"ai.usage.promptTokens": 12, "ai.usage.completionTokens": 31, "ai.response.finishReason": "stop"},
            name="ai.streamText.doStream",
        ),
        {**USUAL, **STREAM, "provider": "openai.chat", "source": A, "finish": "stop"},
    ),
    "OpenInference": (
        of(
            {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai"}
            | {"llm.token_count.prompt": 12, "llm.token_count.completion": 31},
            events=[(10**9, "First Token Stream Event", {})],
        ),
        {**USUAL, **STREAM, "source": A},
    ),
}
NO_CALLS = {
    "a request of HTTP": of({"http.request.method": "POST", "server.address": "api.openai.com"}),
    "a tool": of({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}),
    "an agent": of({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o"}),
    "a chain of OpenInference": of({"openinference.span.kind": "CHAIN"}),
    "what encloses a step of Vercel's AI SDK": of({"ai.operationId": "ai.streamText", "ai.model.id": "gpt-4o"}),
    "a span of Langfuse": of({"langfuse.observation.type": "span"}),
    "a task of OpenLLMetry": of({"traceloop.span.kind": "task", "traceloop.entity.name": "x"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_read_as_its_instrumentation_means_it(name):
    span, expected = CASES[name]
    assert genai.read(span) == Call(**{"service": "s", "start_ns": BEGIN_NS, "stream": False, **expected})


@pytest.mark.parametrize("name", NO_CALLS)
def test_what_is_no_call_is_skipped(name):
    assert genai.read(NO_CALLS[name]) is Skipped.NOT_LLM


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "reason"),
    [
        (BEGIN_NS, 0, Skipped.NO_TIME),
        (0, END_NS, Skipped.NO_TIME),
        (END_NS, BEGIN_NS, Skipped.NO_END),
    ],
)
def test_a_call_without_a_time_is_skipped(start_ns, end_ns, reason):
    assert genai.read(Span("s", "x", start_ns, end_ns, {"gen_ai.operation.name": "chat"})) is reason


def test_a_first_chunk_before_the_call_is_a_clock_that_went_wrong():
    span = of({"llm.request.type": "chat", "gen_ai.system": "openai"}, events=[(-5, CHUNK, {})])
    assert genai.read(span).ttft_s is None
    assert genai.read(of({"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": 4.1})).ttft_s is None
