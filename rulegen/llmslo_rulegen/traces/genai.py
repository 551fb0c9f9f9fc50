"""A span as an LLM call, whoever wrote it.

OpenTelemetry writes seconds, Vercel's AI SDK milliseconds, Langfuse an instant, Traceloop one event a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmslo_rulegen.traces import naming
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.failures import failure
from llmslo_rulegen.traces.naming import FALSE, TRUE
from llmslo_rulegen.traces.span import Attribute, Span
from llmslo_rulegen.traces.text import detail, finish, first, first_text, instant_ns, lower, number, status, text

_NS = 1_000_000_000
_NO_MODEL, _CHUNKS = frozenset(naming.NO_MODEL), frozenset(naming.CHUNKS)


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
    streaming = first_text(held, naming.STREAM)
    ttft_s = None if streaming in FALSE else _time_to_first(span, duration_s, streaming)
    output = _count(held, naming.OUTPUT, naming.OUTPUT_DETAIL)
    return Call(
        source=_source(span),
        service=span.service,
        operation=operation,
        provider=lower(first_text(held, naming.PROVIDER)),
        model=first_text(held, naming.MODEL),
        stream=ttft_s is not None or streaming in TRUE,
        start_ns=span.start_ns,
        duration_s=duration_s,
        error=error,
        ttft_s=ttft_s,
        tpot_s=None if error else _per_token(held, duration_s, ttft_s, output),
        input_tokens=_count(held, naming.INPUT, naming.INPUT_DETAIL),
        output_tokens=output,
        finish=_finish(held),
    )


def _operation(span: Span) -> str | None:
    held = span.attributes
    found = first_text(held, naming.OPERATION)
    if found:
        lowered = found.lower() if found.isascii() and found.isupper() else found
        name = naming.OPERATIONS.get(lowered, lowered)
        return None if name in _NO_MODEL else name
    return "chat" if _is_chat(span) else None


def _is_chat(span: Span) -> bool:
    held = span.attributes
    if span.name == naming.VLLM_SPAN or any(held.get(name, "") != "" for name in naming.CHAT_IF_THERE):
        return True
    kind, generation = naming.CHAT_IF_EQUAL
    name, endings = naming.CHAT_IF_ENDS
    return held.get(kind) == generation or text(held.get(name, "")).endswith(endings)


def _source(span: Span) -> str:
    held = span.attributes
    if span.name == naming.VLLM_SPAN or held.get(naming.VLLM_QUEUE, "") != "":
        return "sglang" if "sglang" in span.scope.lower() else "vllm"
    if "litellm" in span.scope.lower():
        return "litellm"
    if naming.C_SCHEMA in span.schema:
        return "otel-genai-c"
    return "otel-genai-b" if held.get(naming.B_PROVIDER, "") != "" else "otel-genai-a"


def _error(span: Span) -> str:
    held = span.attributes
    if not (span.is_error or held.get(naming.ERROR, "") != ""):
        return ""
    return failure(_error_words(span), status(first_text(held, naming.STATUS)))


def _error_words(span: Span) -> Iterator[str]:
    events = (event.attributes for event in span.events if event.name == naming.ERROR_EVENT)
    for held in (span.attributes, *events):
        for name in naming.ERROR_WORDS:
            yield text(held.get(name, ""))
    yield span.message


def _time_to_first(span: Span, duration_s: float, streaming: str) -> float | None:
    """Return seconds to the first chunk or token of a stream, None where it is none or nobody says.

    openlit writes the whole duration of a call that was no stream as its time to the first token.
    """
    found = _told_to_first(span)
    is_whole = found == duration_s and not streaming
    return found if found is not None and 0 <= found <= duration_s and not is_whole else None


def _told_to_first(span: Span) -> float | None:
    held = span.attributes
    found = number(first(held, naming.SECONDS_TO_FIRST))
    if found is not None:
        return found
    found = number(first(held, naming.MS_TO_FIRST))
    if found is not None:
        return found / 1000
    at_ns = instant_ns(held.get(naming.FIRST_AT))
    if at_ns is None and span.events:
        at_ns = min((event.time_ns for event in span.events if event.name in _CHUNKS), default=None)
    return None if at_ns is None else (at_ns - span.start_ns) / _NS


def _per_token(
    held: Mapping[str, Attribute], duration_s: float, ttft_s: float | None, output: int | None
) -> float | None:
    """Return seconds per output token after the first: as told, else from the span's own end."""
    if ttft_s is None:
        return None
    told = number(first(held, naming.PER_TOKEN))
    if told is not None:
        return told
    return (duration_s - ttft_s) / (output - 1) if output is not None and output > 1 else None


def _finish(held: Mapping[str, Attribute]) -> str:
    found = first(held, naming.FINISH)
    if isinstance(found, list) and found and isinstance(found[0], str):
        return finish(found[0]) if found[0][:1] != "[" else naming.OTHER_FINISH
    return finish("" if found is None else text(found))


def _count(held: Mapping[str, Attribute], names: Sequence[str], member: str) -> int | None:
    found = number(first(held, names))
    if found is None:
        found = detail(held.get(naming.DETAILS), member)
    return None if found is None else int(found)
