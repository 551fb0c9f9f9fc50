"""Ollama's own API: chat, generate, embed. Streams are JSON lines, and the default."""

from __future__ import annotations

from functools import partial
from typing import Any

from llmslo_exporter.dialects.dialect import Dialect, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import error_of, text
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Mark, Scope, Wire, hidden

_OPERATIONS = {
    "/api/chat": "chat",
    "/api/generate": "text_completion",
    "/api/embed": "embeddings",
    "/api/embeddings": "embeddings",
}
_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}

OLLAMA_WIRE = Wire(
    name="ollama",
    paths=tuple(_OPERATIONS),
    output=("content", "response"),
    reasoning=("thinking",),
    scopes=(Scope("tool_calls", "[", output=("name",)), hidden("logprobs", "[", 3)),
    finish=("done_reason",),
    errors=("error",),
    marks=(Mark("done", "true", is_terminal=True),),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

_TELLING = frozenset({"model", "messages", "prompt", "input"})


def operation(path: str) -> str:
    """Return the contract's operation of a matched path."""
    path = path.rstrip("/")
    return next((name for ending, name in _OPERATIONS.items() if path.endswith(ending)), "_other")


def request(path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model` and `stream`; without it an answer of chat and generate is a stream."""
    return read_request(body, tail, _TELLING, streams=operation(path) != "embeddings")


def _read(value: dict[str, Any]) -> Facts:
    """Read an answer, a line, or the members of either."""
    prompt, output = token_count(value.get("prompt_eval_count")), token_count(value.get("eval_count"))
    reason = OLLAMA_WIRE.reason(text(value.get("done_reason")) or "")
    return Facts(
        model=text(value.get("model")),
        usage=None if prompt is output is None else Tokens(TokenSource.USAGE, input=prompt, output=output),
        error=error_of(value),
        finishes={} if reason is None else {0: reason},
    )


OLLAMA = Dialect(
    wire=OLLAMA_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, OLLAMA_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("model", "prompt_eval_count", "eval_count")),
)
