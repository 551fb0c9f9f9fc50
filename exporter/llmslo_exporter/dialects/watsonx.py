"""watsonx text generation; its chat has OpenAI's shape."""

from __future__ import annotations

from functools import partial
from typing import Any

from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import elements, error_of, members, text, word
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Mark, Wire

_REASONS = {
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "token_limit": FinishReason.LENGTH,
    "cancelled": FinishReason.CANCELLED,
    "error": FinishReason.ERROR,
}
_STREAM = "/text/generation_stream"

WATSONX_WIRE = Wire(
    name="watsonx",
    paths=("/text/generation", _STREAM),
    output=("generated_text",),
    finish=("stop_reason",),
    unfinished=("not_finished", "NOT_FINISHED"),
    is_final=True,
    errors=("error",),
    marks=(Mark("errors", "[{", is_error=True),),
    finish_values={word: int(reason) for word, reason in _REASONS.items()}
    | {word.upper(): int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

_TELLING = frozenset({"model_id", "input", "parameters", "project_id", "space_id"})


def operation(_path: str) -> str:
    """Return the contract's operation."""
    return "text_completion"


def request(path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read the model, whose key is `model_id` here; the path tells a stream."""
    asked = read_request(body, tail, _TELLING, model_key="model_id")
    return RequestFacts(model=asked.model, stream=path.rstrip("/").endswith(_STREAM), foreign=asked.foreign)


def _read(value: dict[str, Any]) -> Facts:
    """Read an answer, an event, or the members of either."""
    result = members(next(iter(elements(value.get("results"))), None))
    # The count of the input comes with the first event alone, where the output's is 0.
    prompt, output = token_count(result.get("input_token_count")), token_count(result.get("generated_token_count"))
    usage = None if prompt is output is None else Tokens(TokenSource.USAGE, input=prompt or None, output=output)
    failure = elements(value.get("errors"))
    reason = WATSONX_WIRE.reason(text(result.get("stop_reason")) or "")
    return Facts(
        model=text(value.get("model_id")),
        usage=usage,
        error=_failure(failure[0], value) if failure else error_of(value),
        finishes={} if reason is None else {0: reason},
    )


def _failure(failure: object, value: dict[str, Any]) -> ErrorFacts:
    """Return the word of the first failure, and the status that stands beside the list."""
    return ErrorFacts(word(members(failure).get("code")), word(value.get("status_code")))


WATSONX = Dialect(
    wire=WATSONX_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, WATSONX_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("model_id", "results")),
)
