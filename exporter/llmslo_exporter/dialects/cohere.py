"""Cohere: chat of API v2 as server-sent events, chat of v1 as JSON lines; and Writer, whose chat has v1's path."""

from __future__ import annotations

from functools import partial
from typing import Any

from llmslo_exporter.dialects import openai
from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import error_of, first_count, members, text
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Mark, Scope, Wire, hidden

_REASONS = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "TOOL_CALL": FinishReason.TOOL_CALLS,
    "ERROR": FinishReason.ERROR,
    "ERROR_LIMIT": FinishReason.ERROR,
    "TIMEOUT": FinishReason.ERROR,
    "ERROR_TOXIC": FinishReason.CONTENT_FILTER,
    "USER_CANCEL": FinishReason.CANCELLED,
}
_WRITER_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}

V2_WIRE = Wire(
    name="cohere2",
    paths=("/v2/chat",),
    output=("text", "tool_plan"),
    reasoning=("thinking",),
    scopes=(
        Scope("tool_calls", "{", output=("arguments",), depth=4),
        *(hidden("citations", bracket) for bracket in "{["),
        hidden("logprobs", "{"),
    ),
    finish=("finish_reason",),
    errors=("error",),
    marks=(Mark("type", '"message-end"', is_terminal=True),),
    terminals=("[DONE]",),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

V1_WIRE = Wire(
    name="cohere1",
    paths=("/v1/chat",),
    output=("text", "content"),  # content: Writer
    scopes=(
        Scope("tool_call_delta", "{", output=("name", "parameters"), depth=3),
        Scope("tool_calls", "[", output=("name", "arguments"), depth=3),
        hidden("response", "{"),
        *(hidden(key, "[") for key in ("search_queries", "search_results", "documents", "citations")),
        hidden("graph_data", "{"),  # Writer's sources
    ),
    finish=("finish_reason",),
    index="index",  # Writer
    errors=("error",),
    marks=(Mark("is_finished", "true", is_terminal=True),),
    finish_values={word: int(reason) for word, reason in (_REASONS | _WRITER_REASONS).items()},
    terminal_proves=True,
)

_TELLING = frozenset({"model", "messages", "message", "chat_history"})
_ALIEN = frozenset({"input"})  # LM Studio's own chat, at a path that ends alike


def operation(_path: str) -> str:
    """Return the contract's operation."""
    return "chat"


def request(_path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model` and `stream`."""
    return read_request(body, tail, _TELLING, alien=_ALIEN)


def _read(wire: Wire, value: dict[str, Any]) -> Facts:
    """Read an answer, an event, or the members of either."""
    inner = members(value.get("delta")) or members(value.get("response"))
    usage = value.get("usage") or value.get("meta") or inner.get("usage") or inner.get("meta")
    is_answer = "type" not in value and "event_type" not in value
    finish = wire.reason(text(value.get("finish_reason")) or "") if is_answer else None
    return Facts(
        model=text(value.get("model")),
        usage=_usage(members(usage)),
        error=error_of(value) or _delta_error(inner),
        finishes={} if finish is None else {0: finish},
    )


def _read_v1(value: dict[str, Any]) -> Facts:
    if "choices" in value or (members(value.get("usage")) and "prompt_tokens" in value["usage"]):  # Writer
        return openai.facts_of(value)
    return _read(V1_WIRE, value)


def _delta_error(delta: dict[str, Any]) -> ErrorFacts | None:
    return ErrorFacts() if text(delta.get("error")) else None


def _usage(value: dict[str, Any]) -> Tokens | None:
    """Return the billed counts, else those of the model: they differ by the prompt's frame."""
    billed, counted = members(value.get("billed_units")), members(value.get("tokens"))
    prompt = first_count(billed.get("input_tokens"), counted.get("input_tokens"))
    output = first_count(billed.get("output_tokens"), counted.get("output_tokens"))
    return None if prompt is output is None else Tokens(TokenSource.USAGE, input=prompt, output=output)


COHERE_V2 = Dialect(
    wire=V2_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, V2_WIRE, partial(_read, V2_WIRE)),
    answer=partial(read_answer, partial(_read, V2_WIRE)),
    cut_answer=partial(read_parts, partial(_read, V2_WIRE), ("model", "usage")),
)

COHERE_V1 = Dialect(
    wire=V1_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, V1_WIRE, _read_v1),
    answer=partial(read_answer, _read_v1),
    cut_answer=partial(read_parts, _read_v1, ("model", "usage", "meta")),
)
