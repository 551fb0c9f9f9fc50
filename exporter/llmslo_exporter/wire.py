"""What the kernel must know of a dialect: data from which the automaton is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Keys that count as content only inside the value of another key.

    The scope of `key` runs from its opening bracket to the closing one that belongs to it. The automaton counts only
    brackets of the scope's own kind, and down to automaton.SCOPE_DEPTH: below that, it takes the scope to end early.
    """

    key: str
    bracket: str  # "[" or "{"
    output: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """The bytes that matter in one dialect's streams.

    `paths`: endings of the request path (what follows is a blank, `?`), e.g. "/chat/completions".
    `output`, `reasoning`: JSON keys whose non-empty string value makes the event content.
    `finish`: keys whose string value is a finish reason. `errors`: keys whose non-null value is an in-stream error.
    `terminals`: data of the event that ends the exchange, e.g. "[DONE]".
    """

    name: str
    paths: tuple[str, ...]
    output: tuple[str, ...]
    reasoning: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()
    finish: tuple[str, ...] = ()
    index: str | None = None
    errors: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()
    finish_values: Mapping[str, int] = field(default_factory=dict)  # raw reason -> FinishReason number
