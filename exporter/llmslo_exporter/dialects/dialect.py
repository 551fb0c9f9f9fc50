"""What a dialect is: how one family of APIs writes requests, events, answers and errors.

A further dialect is one file beside this one that builds a `Dialect`, an entry in the registry, and a folder of
fixtures. Everything in it is a pure function of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from llmslo_exporter.exchange import Tokens
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Scope, Wire


class Content(IntEnum):
    """What an event holds for the user; the larger decides when it holds both."""

    NONE = 0
    REASONING = 1
    OUTPUT = 2


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the captured parts of a request body say; `foreign` when they are certainly not of this dialect."""

    model: str | None = None
    stream: bool | None = None
    choices: int = 1
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """The words of an error object that tell its class; never its message, which may quote the prompt."""

    type: str = ""
    code: str = ""  # text or number, as text


@dataclass(frozen=True, slots=True)
class Facts:
    """What an event, an answer or a part of one says."""

    content: Content = Content.NONE
    model: str | None = None
    usage: Tokens | None = None
    timings: Tokens | None = None
    error: ErrorFacts | None = None
    likely_error: ErrorFacts | None = None  # the end of what is an error object if the kernel saw an error event
    finishes: Mapping[int, FinishReason] = field(default_factory=dict)  # by choice index
    choices: frozenset[int] = frozenset()
    terminal: bool = False
    unreadable: bool = False  # an event was neither JSON nor a terminal

    def then(self, later: Facts) -> Facts:
        """Return both together: the first model, everything else by its last word, usage never added up."""
        return Facts(
            content=max(self.content, later.content),
            model=self.model or later.model,
            usage=later.usage or self.usage,
            timings=later.timings or self.timings,
            error=later.error or self.error,
            likely_error=later.likely_error or self.likely_error,
            finishes={**self.finishes, **later.finishes},
            choices=self.choices | later.choices,
            terminal=self.terminal or later.terminal,
            unreadable=self.unreadable or later.unreadable,
        )


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of APIs. None of the functions raises, whatever the bytes.

    `operation(path)` names the operation of a path that `wire.paths` matched.
    `path_model(path)` is the model when the path holds it.
    `request(path, body, tail)` reads the first and the last part of a request body.
    `event(event)` reads one event of a stream; for NDJSON a line is an event without a name.
    `answer(body)` reads a whole answer that is no stream, `cut_answer(head, tail)` its first and last part.
    """

    wire: Wire
    operation: Callable[[str], str]
    path_model: Callable[[str], str | None]
    request: Callable[[str, bytes, bytes], RequestFacts]
    event: Callable[[Event], Facts]
    answer: Callable[[bytes], Facts]
    cut_answer: Callable[[bytes, bytes], Facts]

    def matches(self, path: str) -> bool:
        """Tell whether a path without its query belongs to this dialect, as the kernel tells it."""
        return path.rstrip("/").endswith(self.wire.paths)


def content_of(wire: Wire, event: object) -> Content:
    """Return what a parsed event holds: the content predicate, the same for the parsers and the kernel's automaton.

    Non-empty string values of `wire.output` and `wire.reasoning` keys count at any depth. Inside the value of a scope's
    key, down to its closing bracket, only the scope's own keys count and no other scope begins: a scope without keys
    hides what stands in it. Numbers, null and empty strings never count.
    """
    found = Content.NONE
    scopes = {(scope.key, scope.bracket): scope for scope in wire.scopes}
    # A stack instead of recursion: foreign JSON may nest deeper than Python's frames.
    opened: list[tuple[Scope | None, Iterator[tuple[str, object]]]] = [(None, iter([("", event)]))]
    while opened:
        scope, items = opened[-1]
        item = next(items, None)
        if item is None:
            opened.pop()
            continue
        key, value = item
        if isinstance(value, str):
            found = max(found, _kind(scope or wire, key) if value else Content.NONE)
        elif isinstance(value, dict):
            opened.append((scope or scopes.get((key, "{")), iter(value.items())))
        elif isinstance(value, list):
            opened.append((scope or scopes.get((key, "[")), iter([("", element) for element in value])))
    return found


def _kind(keys: Scope | Wire, key: str) -> Content:
    if key in keys.output:
        return Content.OUTPUT
    return Content.REASONING if key in keys.reasoning else Content.NONE
