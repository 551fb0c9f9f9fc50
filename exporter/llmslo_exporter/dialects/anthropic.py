"""Anthropic Messages, also as Vertex, vLLM and llama.cpp serve it."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

from llmslo_exporter.dialects.dialect import Dialect, Facts, RequestFacts
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import added, error_of, members, text
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Mark, Scope, Wire, hidden

_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}
_PATH = "/v1/messages"
_VERTEX = re.compile(r"/publishers/anthropic/models/([^/:]+):")

ANTHROPIC_WIRE = Wire(
    name="anthropic",
    paths=(_PATH, ":rawPredict", ":streamRawPredict"),
    scopes=(
        # Of a message_delta, the reason; of a content_block_delta, text, thinking or a tool's input.
        Scope("delta", "{", output=("text", "partial_json"), reasoning=("thinking",), finish=("stop_reason",), depth=3),
        hidden("content_block", "{"),  # how a block begins: the tool's name, and whole results of server tools
        hidden("message", "{"),
    ),
    errors=("error",),
    marks=(
        Mark("type", '"message_stop"', is_terminal=True),
        Mark("type", '"error"', is_error=True),
    ),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

_TELLING = frozenset({"model", "messages", "max_tokens", "anthropic_version", "system"})


def operation(_path: str) -> str:
    """Return the contract's operation."""
    return "chat"


def path_model(path: str) -> str | None:
    """Return the model of a path of Vertex, where bodies lack it."""
    match = _VERTEX.search(path)
    return unquote(match[1]) if match else None


def accepts(path: str) -> bool:
    """Tell Anthropic's models on Vertex from the other publishers' there."""
    return path.rstrip("/").endswith(_PATH) or path_model(path) is not None


def request(_path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model` and `stream`, which SDKs write behind the messages."""
    return read_request(body, tail, _TELLING)


def _read(value: dict[str, Any]) -> Facts:
    """Read a message, an event around a message or a part of one, or the members of either."""
    message = value.get("message")
    is_start = isinstance(message, dict)
    body = message if isinstance(message, dict) else value
    finish = ANTHROPIC_WIRE.reason(text(body.get("stop_reason")) or "")
    return Facts(
        model=text(body.get("model")),
        usage=_usage(body.get("usage"), is_start=is_start),
        error=error_of(value),
        finishes={} if finish is None or is_start else {0: finish},
    )


def _usage(value: object, *, is_start: bool) -> Tokens | None:
    """Return the counts. Those of input leave out the cache; the output at the start of a message is not its output."""
    counts = members(value)
    fresh = token_count(counts.get("input_tokens"))
    read = token_count(counts.get("cache_read_input_tokens"))
    write = token_count(counts.get("cache_creation_input_tokens"))
    output = None if is_start else token_count(counts.get("output_tokens"))
    if fresh is None and output is None:
        return None
    total = None if fresh is None else added(fresh, read, write)
    return Tokens(TokenSource.USAGE, input=total, output=output, cache_read=read, cache_write=write)


ANTHROPIC = Dialect(
    wire=ANTHROPIC_WIRE,
    operation=operation,
    path_model=path_model,
    request=request,
    event=partial(read_event, ANTHROPIC_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("model", "usage")),
    accepts=accepts,
)
