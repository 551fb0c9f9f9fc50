"""OpenAI Responses, also as Azure, vLLM, Groq and OpenRouter serve it: `POST .../responses`.

A `GET` of a response is a look at one that was made before, no inference, and never gets here. A stream repeats the
request's settings, instructions and tools in its lifecycle events: what stands in them is hidden.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.openai import usage_of
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import error_of, members, text, word
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Content, Mark, Tell, Unit, Wire, hidden

_REASONS = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "steered": FinishReason.CANCELLED,
}
_STATUSES = {
    "completed": FinishReason.STOP,
    "failed": FinishReason.ERROR,
    "cancelled": FinishReason.CANCELLED,
}

RESPONSES_WIRE = Wire(
    name="responses",
    paths=("/responses",),
    unit=Unit(output=("delta",), tells=(Tell("type", '"response.reasoning', Content.REASONING),)),
    scopes=(
        *(hidden(key, "{") for key in ("item", "part", "metadata", "text", "prompt", "annotation")),
        *(hidden(key, "[") for key in ("output", "tools", "instructions", "input", "logprobs")),
    ),
    finish=("reason",),  # of incomplete_details
    errors=("error",),
    marks=(
        Mark("type", '"response.completed"', is_terminal=True, finish=FinishReason.STOP),
        Mark("type", '"response.incomplete"', is_terminal=True),
        Mark("type", '"response.failed"', is_terminal=True, is_error=True),
        Mark("type", '"error"', is_error=True),
    ),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

_TELLING = frozenset({"model", "input", "instructions", "prompt", "previous_response_id"})


def operation(_path: str) -> str:
    """Return the contract's operation: a response is a turn of a chat."""
    return "chat"


def request(_path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model` and `stream`, which SDKs write behind the input."""
    return read_request(body, tail, _TELLING)


def _read(value: dict[str, Any]) -> Facts:
    """Read a response, an event around one, or the members of either."""
    response = value.get("response")
    body = response if isinstance(response, dict) else value
    error = error_of(body)
    if error is not None and not error.type:
        error = ErrorFacts("", error.code)
    if value.get("type") == "error" and error is None:  # the words stand beside the type
        error = ErrorFacts(code=word(value.get("code")))
    reason = text(members(body.get("incomplete_details")).get("reason"))
    finish = RESPONSES_WIRE.reason(reason) if reason else _STATUSES.get(word(body.get("status")))
    is_answer = "output" in body or body.get("object") == "response"
    return Facts(
        model=text(body.get("model")),
        usage=usage_of(body.get("usage")),
        error=error,
        finishes={0: finish} if finish is not None and is_answer and error is None else {},
    )


RESPONSES = Dialect(
    wire=RESPONSES_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, RESPONSES_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("model", "usage")),
)
