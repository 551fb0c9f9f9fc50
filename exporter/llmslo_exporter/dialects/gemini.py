"""Gemini, of the Gemini API and of Vertex: generateContent, streamGenerateContent, embedContent.

A stream comes as server-sent events with `?alt=sse`, and else as one JSON array in pieces.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts
from llmslo_exporter.dialects.reader import MAX_CHOICES, read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import added, elements, members, text, word
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Content, Tell, Unit, Wire

_REASONS = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
    "MALFORMED_FUNCTION_CALL": FinishReason.ERROR,
    "MALFORMED_RESPONSE": FinishReason.ERROR,
    "UNEXPECTED_TOOL_CALL": FinishReason.ERROR,
    "TOO_MANY_TOOL_CALLS": FinishReason.ERROR,
}
_STREAM = ":streamGenerateContent"
_OPERATIONS = {
    ":generateContent": "generate_content",
    _STREAM: "generate_content",
    ":embedContent": "embeddings",
    ":batchEmbedContents": "embeddings",
}
_MODEL = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:]+):")

GEMINI_WIRE = Wire(
    name="gemini",
    paths=tuple(_OPERATIONS),
    units=(
        Unit(
            key="parts",
            bracket="[",
            output=("text",),
            objects=("functionCall", "inlineData"),
            tells=(Tell("thought", "true", Content.REASONING),),
        ),
    ),
    finish=("finishReason",),
    unfinished=("FINISH_REASON_UNSPECIFIED",),
    index="index",
    omits_first=True,
    errors=("error", "blockReason"),  # a prompt that is blocked is answered by 200
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
)

# Google's words, and those of outcome.py that say the same.
_BLOCKED = ErrorFacts("content_filter")
_PER_DAY = "PerDay"
_BAD_KEY = "API_KEY_INVALID"


def operation(path: str) -> str:
    """Return the contract's operation of a matched path."""
    return next((name for ending, name in _OPERATIONS.items() if path.rstrip("/").endswith(ending)), "_other")


def path_model(path: str) -> str | None:
    """Return the model, which stands before the verb."""
    match = _MODEL.search(path)
    return unquote(match[1]) if match else None


def request(path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read what the verb says; the body's `model`, if any, has a prefix that the path's has not."""
    asked = read_request(body, tail)
    return RequestFacts(stream=path.rstrip("/").endswith(_STREAM), foreign=asked.foreign)


def _read(value: dict[str, Any]) -> Facts:
    """Read an answer, an event, or the members of either."""
    finishes: dict[int, FinishReason] = {}
    indices: set[int] = set()
    for position, candidate in enumerate(elements(value.get("candidates"))):
        if not isinstance(candidate, dict):
            continue
        index = candidate.get("index")
        if isinstance(index, int) and 0 <= index < MAX_CHOICES:
            indices.add(index)
        else:
            index = position  # the first one's is left out, as every 0
        reason = GEMINI_WIRE.reason(text(candidate.get("finishReason")) or "")
        if reason is not None:
            finishes[index] = reason
    return Facts(
        model=text(value.get("modelVersion")),
        usage=_usage(value.get("usageMetadata")),
        error=_error(value),
        finishes=finishes,
        choices=frozenset(indices),
    )


def _usage(value: object) -> Tokens | None:
    """Return the counts; of the output the thoughts are told apart, and ours includes them."""
    counts = members(value)
    prompt = token_count(counts.get("promptTokenCount"))
    thoughts = token_count(counts.get("thoughtsTokenCount"))
    output = added(token_count(counts.get("candidatesTokenCount")), thoughts)
    if prompt is None and output is None:
        return None
    return Tokens(
        TokenSource.USAGE,
        input=None if prompt is None else added(prompt, token_count(counts.get("toolUsePromptTokenCount"))),
        output=output,
        cache_read=token_count(counts.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def _error(value: dict[str, Any]) -> ErrorFacts | None:
    if text(members(value.get("promptFeedback")).get("blockReason")):
        return _BLOCKED
    error = value.get("error")
    if not isinstance(error, dict):
        return ErrorFacts() if error else None
    for detail in elements(error.get("details")):
        if word(members(detail).get("reason")) == _BAD_KEY:  # behind 400 INVALID_ARGUMENT
            return ErrorFacts("invalid_api_key")
        violations = elements(members(detail).get("violations"))
        if any(_PER_DAY in word(members(violation).get("quotaId")) for violation in violations):
            return ErrorFacts("quota_exceeded")
    return ErrorFacts(word(error.get("status")), word(error.get("code")))


GEMINI = Dialect(
    wire=GEMINI_WIRE,
    operation=operation,
    path_model=path_model,
    request=request,
    event=partial(read_event, GEMINI_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("modelVersion", "usageMetadata")),
    has_arrays=True,
)
