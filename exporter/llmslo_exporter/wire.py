"""What the kernel must know of a dialect: data from which the automaton is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from llmslo_exporter.summary import FinishReason

# Brackets of a scope's own kind that are followed: tool_calls[].function.arguments as an object with arrays.
SCOPE_DEPTH = 6
# A hidden scope may hold a user's JSON schema or tool definitions, and each of its levels costs three states.
HIDDEN_DEPTH = 12


class Content(IntEnum):
    """What an event holds for the user; the larger decides when it holds both."""

    NONE = 0
    REASONING = 1
    OUTPUT = 2


@dataclass(frozen=True, slots=True)
class Scope:
    """Keys that count only inside the value of another key.

    The scope of `key` runs from its opening bracket to the closing one that belongs to it. The automaton counts only
    brackets of the scope's own kind, and down to `depth`: below that, it takes the scope to end early.
    """

    key: str
    bracket: str  # "[" or "{"
    output: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    depth: int = SCOPE_DEPTH


def hidden(key: str, bracket: str, depth: int = HIDDEN_DEPTH) -> Scope:
    """Return a scope in which nothing counts."""
    return Scope(key, bracket, depth=depth)


@dataclass(frozen=True, slots=True)
class Tell:
    """The value of `key` begins with the JSON `value`: the unit's content is of this kind."""

    key: str
    value: str
    kind: Content


@dataclass(frozen=True, slots=True)
class Unit:
    """Content whose kind another key tells, before or after it: it counts when the unit ends.

    `key` is empty where the unit is the event itself, and its keys count at any depth outside of scopes. Else the unit
    is the object at `key` (bracket "{"), or each object of the list at it ("["), and only its own keys count.
    """

    output: tuple[str, ...]
    tells: tuple[Tell, ...]
    kind: Content = Content.OUTPUT
    key: str = ""
    bracket: str = "{"
    objects: tuple[str, ...] = ()  # keys whose object value is content


@dataclass(frozen=True, slots=True)
class Mark:
    """The value of `key` begins with the JSON `value`, e.g. `"message_stop"` in its quotes, or `true`."""

    key: str
    value: str
    is_terminal: bool = False
    is_error: bool = False
    finish: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """The bytes that matter in one dialect's streams.

    `paths`: endings of the request path (what follows is a blank, `?`), e.g. "/chat/completions".
    `sockets`: such endings where a GET may open a WebSocket.
    `output`, `reasoning`: JSON keys whose non-empty string value makes the event content.
    `finish`: keys whose string value is a finish reason, but for the words of `unfinished`.
    `omits_first`: an index of 0 is left out, as protobuf's JSON does.
    `errors`: keys whose non-null value is an in-stream error.
    `terminals`: data of the event that ends the exchange, e.g. "[DONE]".
    `is_final`: a finish reason makes its event the last one.
    `terminal_proves`: the last event comes only after success, so that finish reasons need not be seen.
    """

    name: str
    paths: tuple[str, ...]
    sockets: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    unit: Unit | None = None
    units: tuple[Unit, ...] = ()
    scopes: tuple[Scope, ...] = ()
    finish: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    is_final: bool = False
    index: str | None = None
    omits_first: bool = False
    errors: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    terminals: tuple[str, ...] = ()
    finish_values: Mapping[str, int] = field(default_factory=dict)  # raw reason -> FinishReason number
    terminal_proves: bool = False

    def reason(self, raw: str) -> FinishReason | None:
        """Return the normalised finish reason; None where `raw` says that nothing is finished."""
        if not raw or raw in self.unfinished:
            return None
        return FinishReason(self.finish_values.get(raw, FinishReason.OTHER))
