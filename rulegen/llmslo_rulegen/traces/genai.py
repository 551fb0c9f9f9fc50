"""A span as an LLM call, whoever wrote it.

OpenTelemetry writes seconds, Vercel's AI SDK milliseconds, Langfuse an instant, Traceloop one event a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from llmslo_rulegen.traces import naming
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.failures import failure
from llmslo_rulegen.traces.naming import FALSE, TRUE
from llmslo_rulegen.traces.span import Attribute, Span
from llmslo_rulegen.traces.text import detail, finish, first, first_text, instant_ns, lower, number, status, text

_NS = 1_000_000_000
_NO_MODEL, _CHUNKS = frozenset(naming.NO_MODEL), frozenset(naming.CHUNKS)
_SHAPES = 4096  # an instrumentation has a handful of them


class _Names(msgspec.Struct, frozen=True, gc=False):
    """Of the names of each table those that a span has, in the table's order: spans have few of many."""

    operation: tuple[str, ...]
    model: tuple[str, ...]
    provider: tuple[str, ...]
    stream: tuple[str, ...]
    seconds_to_first: tuple[str, ...]
    seconds_to_first_of_stream: tuple[str, ...]
    ms_to_first: tuple[str, ...]
    per_token: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    finish: tuple[str, ...]


@lru_cache(_SHAPES)
def _names(keys: tuple[str, ...]) -> _Names:
    there = frozenset(keys)
    tables = (
        naming.OPERATION,
        naming.MODEL,
        naming.PROVIDER,
        naming.STREAM,
        naming.SECONDS_TO_FIRST,
        naming.SECONDS_TO_FIRST_OF_STREAM,
        naming.MS_TO_FIRST,
        naming.PER_TOKEN,
        naming.INPUT,
        naming.OUTPUT,
        naming.FINISH,
    )
    return _Names(*(tuple(name for name in table if name in there) for table in tables))


def read(span: Span) -> Call | Skipped:
    """Return the call that a span describes, or why it describes none."""
    held = span.attributes
    names = _names(tuple(held))
    operation = _operation(span, names)
    if operation is None:
        return Skipped.NOT_LLM
    if span.start_ns <= 0 or span.end_ns <= 0:
        return Skipped.NO_TIME
    if span.end_ns < span.start_ns:
        return Skipped.NO_END
    duration_s = (span.end_ns - span.start_ns) / _NS
    error = _error(span) if span.is_error or held.get(naming.ERROR, "") != "" else ""
    streaming = first_text(held, names.stream) if names.stream else ""
    ttft_s = None if streaming in FALSE else _time_to_first(span, names, duration_s, streaming)
    output = _count(held, names.output, naming.OUTPUT_DETAIL)
    return Call(
        source=_source(
            span.name == naming.VLLM_SPAN or held.get(naming.VLLM_QUEUE, "") != "", span.scope[: naming.LONG]
        )
        or _generation(span.schema, held),
        service=span.service,
        operation=operation,
        provider=lower(first_text(held, names.provider)),
        model=first_text(held, names.model),
        stream=ttft_s is not None or streaming in TRUE,
        start_ns=span.start_ns,
        duration_s=duration_s,
        error=error,
        ttft_s=ttft_s,
        tpot_s=None if error or ttft_s is None else _per_token(held, names, duration_s - ttft_s, output),
        input_tokens=_count(held, names.input, naming.INPUT_DETAIL),
        output_tokens=output,
        finish=_finish(held, names.finish) if names.finish else "",
    )


def _operation(span: Span, names: _Names) -> str | None:
    found = first_text(span.attributes, names.operation)
    if found:
        return _named_operation(found) if len(found) <= naming.LONG else found
    return "chat" if _is_chat(span) else None


@lru_cache(_SHAPES)
def _named_operation(found: str) -> str | None:
    lowered = found.lower() if found.isascii() and found.isupper() else found
    name = naming.OPERATIONS.get(lowered, lowered)
    return None if name in _NO_MODEL else name


def _is_chat(span: Span) -> bool:
    held = span.attributes
    if span.name == naming.VLLM_SPAN or any(held.get(name, "") != "" for name in naming.CHAT_IF_THERE):
        return True
    kind, generation = naming.CHAT_IF_EQUAL
    name, endings = naming.CHAT_IF_ENDS
    return held.get(kind) == generation or text(held.get(name, "")).endswith(endings)


@lru_cache(_SHAPES)
def _source(is_server: bool, scope: str) -> str:  # noqa: FBT001 -- a cache has no keywords
    """Return the source that an instrumentation's name tells of; empty where it is a client as any other."""
    lowered = scope.lower()
    if is_server:
        return "sglang" if "sglang" in lowered else "vllm"
    return "litellm" if "litellm" in lowered else ""


def _generation(schema: str, held: Mapping[str, Attribute]) -> str:
    if naming.C_SCHEMA in schema:
        return "otel-genai-c"
    return "otel-genai-b" if held.get(naming.B_PROVIDER, "") != "" else "otel-genai-a"


def _error(span: Span) -> str:
    return failure(_error_words(span), status(first_text(span.attributes, naming.STATUS)))


def _error_words(span: Span) -> Iterator[str]:
    events = (event.attributes for event in span.events if event.name == naming.ERROR_EVENT)
    for held in (span.attributes, *events):
        for name in naming.ERROR_WORDS:
            yield text(held.get(name, ""))
    yield span.message


def _time_to_first(span: Span, names: _Names, duration_s: float, streaming: str) -> float | None:
    """Return seconds to the first chunk or token of a stream, None where it is none or nobody says.

    openlit writes the whole duration of a call that was no stream as its time to the first token.
    """
    found = _told_to_first(span, names, streaming)
    is_whole = found == duration_s and not streaming
    return found if found is not None and 0 <= found <= duration_s and not is_whole else None


def _told_to_first(span: Span, names: _Names, streaming: str) -> float | None:
    held = span.attributes
    found = number(first(held, names.seconds_to_first)) if names.seconds_to_first else None
    if found is None and names.seconds_to_first_of_stream and streaming in TRUE:
        found = number(first(held, names.seconds_to_first_of_stream))
    if found is not None:
        return found
    found = number(first(held, names.ms_to_first)) if names.ms_to_first else None
    if found is not None:
        return found / 1000
    at_ns = instant_ns(held.get(naming.FIRST_AT))
    if at_ns is None and span.events:
        at_ns = min((event.time_ns for event in span.events if event.name in _CHUNKS), default=None)
    return None if at_ns is None else (at_ns - span.start_ns) / _NS


def _per_token(held: Mapping[str, Attribute], names: _Names, after_first_s: float, output: int | None) -> float | None:
    """Return seconds per output token after the first: as told, else from the span's own end."""
    told = number(first(held, names.per_token)) if names.per_token else None
    if told is not None:
        return told
    return after_first_s / (output - 1) if output is not None and output > 1 else None


def _finish(held: Mapping[str, Attribute], names: Sequence[str]) -> str:
    found = first(held, names)
    if isinstance(found, list) and found and isinstance(found[0], str):
        return finish(found[0]) if found[0][:1] != "[" else naming.OTHER_FINISH
    said = "" if found is None else text(found)
    return finish(said) if len(said) <= naming.LONG else finish.__wrapped__(said)


def _count(held: Mapping[str, Attribute], names: Sequence[str], member: str) -> int | None:
    found = number(first(held, names)) if names else None
    if found is None and naming.DETAILS in held:
        found = detail(held[naming.DETAILS], member)
    return None if found is None else int(found)
