"""What a dialect is: how one family of APIs writes requests, events, answers and errors.

A further dialect is one file beside this one that builds a `Dialect`, an entry in the registry, and a folder of
fixtures. Everything in it is a pure function of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from llmslo_exporter.exchange import Tokens
from llmslo_exporter.http1 import Headers
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Content, Wire


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
    is_bare: bool = False  # of an API whose streams end with their body and nothing else
    unreadable: bool = False  # an event was neither JSON nor a terminal

    def then(self, later: Facts) -> Facts:
        """Return both together: the first model, everything else by its last word, usage never added up.

        A usage takes what it lacks from the one before: Anthropic tells input and output apart.
        """
        return Facts(
            content=max(self.content, later.content),
            model=self.model or later.model,
            usage=_joined(self.usage, later.usage),
            timings=later.timings or self.timings,
            error=later.error or self.error,
            likely_error=later.likely_error or self.likely_error,
            finishes={**self.finishes, **later.finishes},
            choices=self.choices | later.choices,
            terminal=self.terminal or later.terminal,
            is_bare=self.is_bare or later.is_bare,
            unreadable=self.unreadable or later.unreadable,
        )


def _joined(sooner: Tokens | None, later: Tokens | None) -> Tokens | None:
    if sooner is None or later is None:
        return later or sooner
    has_cache = later.cache_read is not None or later.cache_write is not None
    cached = later if has_cache else sooner
    whole = later.input
    if whole is None or not (has_cache or sooner.cache_read is sooner.cache_write is None):
        # Who repeats Anthropic's fresh input alone means no other prompt: it leaves the cached part out.
        whole = max((count for count in (sooner.input, whole) if count is not None), default=None)
    return replace(
        later,
        input=whole,
        output=sooner.output if later.output is None else later.output,
        cache_read=cached.cache_read,
        cache_write=cached.cache_write,
        reasoning=sooner.reasoning if later.reasoning is None else later.reasoning,
    )


def _any_path(_path: str) -> bool:
    return True


def _no_headers(_headers: Headers) -> Facts:
    return Facts()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of APIs. None of the functions raises, whatever the bytes.

    `operation(path)` names the operation of a path that `wire.paths` matched.
    `path_model(path)` is the model when the path holds it.
    `request(path, body, tail)` reads the first and the last part of a request body.
    `event(event)` reads one event of a stream; for NDJSON a line is an event without a name.
    `answer(body)` reads a whole answer that is no stream, `cut_answer(head, tail)` its first and last part.
    `headers(headers)` reads what the head of an answer says beside its body.
    `accepts(path)` tells dialects with the same path endings apart.
    `has_arrays`: a stream may also come as one JSON array in pieces.
    """

    wire: Wire
    operation: Callable[[str], str]
    path_model: Callable[[str], str | None]
    request: Callable[[str, bytes, bytes], RequestFacts]
    event: Callable[[Event], Facts]
    answer: Callable[[bytes], Facts]
    cut_answer: Callable[[bytes, bytes], Facts]
    headers: Callable[[Headers], Facts] = _no_headers
    accepts: Callable[[str], bool] = _any_path
    has_arrays: bool = False

    def ending(self, path: str) -> int:
        """Return how long an ending of a path without its query this dialect knows, as the kernel does; 0: none."""
        path = path.rstrip("/")
        return max((len(ending) for ending in self.wire.paths if path.endswith(ending)), default=0)


def no_model(_path: str) -> None:
    """Return nothing: the dialect's paths hold no model."""
