"""`/generate` and `/generate_stream`: TGI's own API, and Triton's, whose path names the model."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

from llmslo_exporter.dialects.dialect import Dialect, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import elements, error_of, members, text
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.http1 import Headers
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Content, Mark, Tell, Unit, Wire, hidden

_REASONS = {
    "length": FinishReason.LENGTH,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
}
_STREAM = "/generate_stream"
MAX_DIGITS = 9
_TRITON = re.compile(r"/v2/models/([^/]+)/(?:versions/[^/]+/)?generate(?:_stream)?/*$")

GENERATE_WIRE = Wire(
    name="generate",
    paths=("/generate", _STREAM),
    output=("text_output",),  # Triton
    units=(Unit(key="token", bracket="{", output=("text",), tells=(Tell("special", "true", Content.NONE),)),),
    scopes=tuple(hidden(key, "[", 3) for key in ("top_tokens", "prefill", "tokens", "best_of_sequences")),
    finish=("finish_reason",),
    errors=("error",),
    marks=(Mark("generated_text", '"', is_terminal=True),),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)


def operation(_path: str) -> str:
    """Return the contract's operation."""
    return "text_completion"


def path_model(path: str) -> str | None:
    """Return the model of a path of Triton."""
    match = _TRITON.search(path)
    return unquote(match[1]) if match else None


def is_triton(path: str) -> bool:
    """Tell Triton's paths."""
    return path_model(path) is not None


def request(telling: frozenset[str], path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read what the path says; the body names no model."""
    asked = read_request(body, tail, telling)
    return RequestFacts(stream=path.rstrip("/").endswith(_STREAM), foreign=asked.foreign)


def _read(value: dict[str, Any]) -> Facts:
    """Read an answer, an event, or the members of either."""
    details = members(value.get("details"))
    output = token_count(details.get("generated_tokens"))
    prompt = token_count(details.get("input_length")) or len(elements(details.get("prefill"))) or None
    usage = None if output is None else Tokens(TokenSource.USAGE, input=prompt, output=output)
    reason = GENERATE_WIRE.reason(text(details.get("finish_reason")) or "")
    return Facts(
        usage=usage,
        error=error_of(value),
        finishes={} if reason is None else {0: reason},
    )


def _read_triton(value: dict[str, Any]) -> Facts:
    return Facts(model=text(value.get("model_name")), error=error_of(value), is_bare=True)


def _headers(headers: Headers) -> Facts:
    """Read the counts that TGI puts into the head of an answer that is no stream."""
    prompt, output = (_number(headers.first(name)) for name in ("x-prompt-tokens", "x-generated-tokens"))
    return Facts(usage=None if output is None else Tokens(TokenSource.USAGE, input=prompt, output=output))


def _number(value: str | None) -> int | None:
    return (
        token_count(int(value)) if value and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS else None
    )


TGI = Dialect(
    wire=GENERATE_WIRE,
    operation=operation,
    path_model=no_model,
    request=partial(request, frozenset({"inputs", "parameters"})),
    event=partial(read_event, GENERATE_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("details",)),
    headers=_headers,
)

TRITON = Dialect(
    wire=GENERATE_WIRE,
    operation=operation,
    path_model=path_model,
    request=partial(request, frozenset()),
    event=partial(read_event, GENERATE_WIRE, _read_triton),
    answer=partial(read_answer, _read_triton),
    cut_answer=partial(read_parts, _read_triton, ("model_name",)),
    accepts=is_triton,
)
