"""llama.cpp's own `/completion`; its other paths have OpenAI's and Anthropic's shapes."""

from __future__ import annotations

from functools import partial
from typing import Any

from llmslo_exporter.dialects.dialect import Dialect, Facts, RequestFacts, no_model
from llmslo_exporter.dialects.openai import timings_of
from llmslo_exporter.dialects.reader import read_answer, read_event, read_parts, read_request
from llmslo_exporter.dialects.values import error_of, text
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Mark, Wire, hidden

_REASONS = {"eos": FinishReason.STOP, "word": FinishReason.STOP, "limit": FinishReason.LENGTH}
# Older builds say each in a member of its own.
_OLDER = {
    "stopped_eos": FinishReason.STOP,
    "stopped_word": FinishReason.STOP,
    "stopped_limit": FinishReason.LENGTH,
}

LLAMA_CPP_WIRE = Wire(
    name="llama_cpp",
    paths=("/completion",),
    output=("content",),
    scopes=(
        *(hidden(key, "{") for key in ("generation_settings", "__verbose")),
        *(hidden(key, "[") for key in ("completion_probabilities", "probs")),
    ),
    finish=("stop_type",),
    unfinished=("none",),
    errors=("error",),
    marks=(Mark("stop", "true", is_terminal=True), *(Mark(key, "true", finish=_OLDER[key]) for key in _OLDER)),
    finish_values={word: int(reason) for word, reason in _REASONS.items()},
    terminal_proves=True,
)

_TELLING = frozenset({"prompt", "n_predict", "stream", "input_prefix"})


def operation(_path: str) -> str:
    """Return the contract's operation."""
    return "text_completion"


def request(_path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model`, if there is one, and `stream`."""
    return read_request(body, tail, _TELLING)


def _read(value: dict[str, Any]) -> Facts:
    """Read an answer, an event, or the members of either."""
    timings = timings_of(value.get("timings"))
    prompt, output = token_count(value.get("tokens_evaluated")), token_count(value.get("tokens_predicted"))
    counted = Tokens(TokenSource.USAGE, input=prompt, output=output) if value.get("stop") is True else None
    reason = LLAMA_CPP_WIRE.reason(text(value.get("stop_type")) or "")
    older = next((_OLDER[key] for key in _OLDER if value.get(key) is True), None)
    finish = older if reason is None else reason
    return Facts(
        model=text(value.get("model")),
        usage=counted if timings is None and prompt is not None and output is not None else None,
        timings=timings,
        error=error_of(value),
        finishes={} if finish is None else {0: finish},
    )


LLAMA_CPP = Dialect(
    wire=LLAMA_CPP_WIRE,
    operation=operation,
    path_model=no_model,
    request=request,
    event=partial(read_event, LLAMA_CPP_WIRE, _read),
    answer=partial(read_answer, _read),
    cut_answer=partial(read_parts, _read, ("model", "timings")),
)
