"""A span as an LLM call, whoever wrote it: the three generations of OpenTelemetry's names, and the vendors' own.

Names and units: reference tables of the conventions' repositories and of each instrumentation's source, late 2026.
OpenTelemetry writes seconds, Vercel's AI SDK milliseconds, Langfuse an instant, Traceloop one event a chunk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.failures import failure
from llmslo_rulegen.traces.span import Attribute, Span

_NS = 1_000_000_000
_OPERATION = "gen_ai.operation.name"
# Steps of an agent enclose the calls of a model: counting both would count each call twice.
_NO_MODEL = frozenset(
    {
        "invoke_agent",
        "create_agent",
        "execute_tool",
        "invoke_workflow",
        "plan",
        "search_memory",
        "create_memory",
        "update_memory",
        "upsert_memory",
        "delete_memory",
        "create_memory_store",
        "delete_memory_store",
        "retrieval",
        "fetch_response",
        "agent",
        "tool",
        "workflow",
        "task",
        "chain",
    }
)
_OPERATIONS = {"completion": "text_completion", "embedding": "embeddings", "generateContent": "generate_content"}
_MODEL = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "langfuse.observation.model.name",
    "llm.model_name",
    "ai.model.id",
)
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
_STREAM = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "llm.request.stream")
_SECONDS_TO_FIRST = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.client.time_to_first_token",
)
_MS_TO_FIRST = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
_FIRST_AT = "langfuse.observation.completion_start_time"
_CHUNKS = frozenset({"gen_ai.content.completion.chunk", "llm.content.completion.chunk", "First Token Stream Event"})
_PER_TOKEN = ("gen_ai.server.time_per_output_token", "gen_ai.response.time_per_output_token")
_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.promptTokens",
    "ai.usage.inputTokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.completionTokens",
    "ai.usage.outputTokens",
)
_DETAILS = "langfuse.observation.usage_details"
_FINISH = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "gen_ai.completion.0.finish_reason",
    "llm.response.finish_reason",
    "ai.response.finishReason",
)
_STATUS = ("http.response.status_code", "http.status_code", "http.status", "error.status_code", "rpc.grpc.status_code")
_WORDS = ("error.code", "error.type", "exception.type", "exception.slug", "otel.status_description")
_STATUS_TEXT = re.compile(r"[1-9][0-9]{2}", re.ASCII)
_VLLM_SPAN = "llm_request"
_MODELS_OPERATIONS = {"chat", "generate_content", "text_completion", "embeddings"}
_C_SCHEMA = "/gen-ai/"


def read(span: Span) -> Call | Skipped:
    """Return the call that a span describes, or why it describes none."""
    held = span.attributes
    operation = _operation(span)
    if operation is None:
        return Skipped.NOT_LLM
    if span.start_ns <= 0 or span.end_ns <= 0:
        return Skipped.NO_TIME
    if span.end_ns < span.start_ns:
        return Skipped.NO_END
    duration_s = (span.end_ns - span.start_ns) / _NS
    error = _error(span)
    ttft_s = _time_to_first(span, duration_s)
    stream = ttft_s is not None or _first(held, _STREAM) in (True, "true", "True", 1)
    output = _count(held, _OUTPUT, "output")
    return Call(
        source=_source(span),
        service=span.service,
        operation=operation,
        provider=_text(held, _PROVIDER).lower(),
        model=_text(held, _MODEL),
        stream=stream,
        start_ns=span.start_ns,
        duration_s=duration_s,
        error=error,
        ttft_s=ttft_s,
        tpot_s=None if error else _per_token(held, duration_s, ttft_s, output),
        input_tokens=_count(held, _INPUT, "input"),
        output_tokens=output,
        finish=_finish(held),
    )


def _operation(span: Span) -> str | None:
    held = span.attributes
    found = held.get(_OPERATION) or held.get("llm.request.type") or held.get("openinference.span.kind")
    if isinstance(found, str):
        name = _OPERATIONS.get(found, found.lower() if found.isupper() else found)
        if name in _NO_MODEL:
            return None
        return "chat" if name == "llm" else name
    if held.get("langfuse.observation.type") == "generation" or span.name == _VLLM_SPAN:
        return "chat"
    if str(held.get("ai.operationId", "")).endswith((".doGenerate", ".doStream")):
        return "chat"
    return "chat" if any(name in held for name in ("gen_ai.request.model", "gen_ai.system")) else None


def _source(span: Span) -> str:
    held = span.attributes
    if span.name == _VLLM_SPAN or "gen_ai.latency.time_in_queue" in held:
        return "sglang" if "sglang" in span.scope.lower() else "vllm"
    if "litellm" in span.scope.lower():
        return "litellm"
    if _C_SCHEMA in span.schema:
        return "otel-genai-c"
    return "otel-genai-b" if "gen_ai.provider.name" in held else "otel-genai-a"


def _error(span: Span) -> str:
    held = span.attributes
    if not (span.is_error or "error.type" in held):
        return ""
    status = str(_first(held, _STATUS))
    return failure(_error_words(span), int(status) if _STATUS_TEXT.fullmatch(status) else None)


def _error_words(span: Span) -> Iterator[str]:
    for held in (span.attributes, *(event.attributes for event in span.events if event.name == "exception")):
        for name in _WORDS:
            word = held.get(name)
            if isinstance(word, str | int):
                yield str(word)
    yield span.message


def _time_to_first(span: Span, duration_s: float) -> float | None:
    """Return seconds to the first chunk or token of a stream, None where it is none or nobody says.

    openlit writes the whole duration of a call that was no stream as its time to the first token.
    """
    held = span.attributes
    if _first(held, _STREAM) in (False, "false", "False", 0):
        return None
    found = _number(held, _SECONDS_TO_FIRST)
    if found is None:
        ms = _number(held, _MS_TO_FIRST)
        found = None if ms is None else ms / 1000
    if found is None and isinstance(at := held.get(_FIRST_AT), str):
        found = _since(at, span.start_ns)
    if found is None:
        instants = [event.time_ns for event in span.events if event.name in _CHUNKS]
        found = (min(instants) - span.start_ns) / _NS if instants else None
    is_whole = found == duration_s and _first(held, _STREAM) is None
    return found if found is not None and 0 <= found <= duration_s and not is_whole else None


def _since(instant: str, start_ns: int) -> float | None:
    try:
        at = datetime.fromisoformat(instant.strip('"'))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - start_ns / _NS


def _per_token(
    held: Mapping[str, Attribute], duration_s: float, ttft_s: float | None, output: int | None
) -> float | None:
    """Return seconds per output token after the first: as told, else from the span's own end."""
    told = _number(held, _PER_TOKEN)
    if told is not None and ttft_s is not None:
        return told
    if ttft_s is None or output is None or output <= 1:
        return None
    return (duration_s - ttft_s) / (output - 1)


def _finish(held: Mapping[str, Attribute]) -> str:
    found = _first(held, _FINISH)
    if isinstance(found, str):
        if found.startswith("["):  # some write the list as JSON
            found = found.strip('[]"').partition('"')[0]
        return found
    return str(found[0]) if isinstance(found, list | tuple) and found else ""


def _first(held: Mapping[str, Attribute], names: tuple[str, ...]) -> Attribute | None:
    for name in names:
        if name in held:
            return held[name]
    return None


def _text(held: Mapping[str, Attribute], names: tuple[str, ...]) -> str:
    found = _first(held, names)
    return found if isinstance(found, str) else ""


def _number(held: Mapping[str, Attribute], names: tuple[str, ...]) -> float | None:
    found = _first(held, names)
    if isinstance(found, bool) or found is None:
        return None
    try:
        number = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if number >= 0 and number != float("inf") else None


def _count(held: Mapping[str, Attribute], names: tuple[str, ...], detail: str) -> int | None:
    found = _number(held, names)
    if found is None and isinstance(details := held.get(_DETAILS), str):
        found = _detail(details, detail)
    return None if found is None else int(found)


def _detail(text: str, name: str) -> float | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    value = found.get(name) if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
