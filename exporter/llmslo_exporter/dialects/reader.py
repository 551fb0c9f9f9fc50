"""What dialects read alike: requests, events by their wire, and answers of which only parts were captured."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from llmslo_exporter.dialects.dialect import ErrorFacts, Facts, RequestFacts
from llmslo_exporter.dialects.predicate import signs_of
from llmslo_exporter.dialects.values import error_of, members, text, word
from llmslo_exporter.fragments import members_from_start, members_to_end, parse_json
from llmslo_exporter.sse import Event
from llmslo_exporter.wire import Wire

# One request may ask for at most 128 choices (OpenAI's limit for `n`); a larger number is no count of choices.
MAX_CHOICES = 128
# A member of the answer, or of the object that an event wraps it in; deeper words are part of something else.
FRAGMENT_DEPTH = 2

_WORD_KEYS = frozenset({"type", "code", "status"})
_ERROR_LINE = b"error:"

Read: TypeAlias = Callable[[dict[str, Any]], Facts]


def read_request(  # noqa: PLR0913 -- what tells one family's request from another's
    body: bytes,
    tail: bytes,
    telling: Collection[str] = (),
    *,
    alien: Collection[str] = (),
    streams: bool | None = None,
    model_key: str = "model",
) -> RequestFacts:
    """Read `model`, `stream` and `n` from the first and last part of a request body; they may stand in either.

    A body without any of the `telling` keys is another API's, and one that has beside the model only `alien` ones.
    `streams`: what it means when `stream` is absent.
    """
    if body.strip() and not body.lstrip().startswith((b"{", b"\xef\xbb\xbf{")):
        return RequestFacts(foreign=True)
    known = {"stream", "n", model_key}
    keys = known.union(telling, alien)
    outer = [m for m in (*members_from_start(body, keys), *members_to_end(tail, keys)) if m.depth == 1]
    found = {member.key: member.value for member in outer if member.key in known and member.raw is not None}
    stream, choices = found.get("stream"), found.get("n")
    told = {member.key for member in outer}
    is_alien = not told.isdisjoint(alien) and told.isdisjoint(frozenset(telling) - known)
    return RequestFacts(
        model=text(found.get(model_key)),
        stream=stream if isinstance(stream, bool) else streams,
        choices=choices if type(choices) is int and 1 <= choices <= MAX_CHOICES else 1,
        foreign=bool(body) and bool(telling) and (is_alien or told.isdisjoint(telling)),
    )


def read_event(wire: Wire, read: Read, item: Event) -> Facts:
    """Read one event of a stream: what its wire says of it, and what `read` finds in its object."""
    if item.data.strip().decode("latin-1") in wire.terminals:
        return Facts(terminal=True)
    value = unwrapped(parse_json(item.data))
    facts = signs_of(wire, value).facts()
    if isinstance(value, dict):
        told = read(value)
        facts = facts.then(told)
        if told.finishes:
            facts = Facts(finishes=told.finishes).then(_without_finishes(facts))
    if item.name == b"error":
        facts = Facts(error=named_error(value)).then(facts)
    return facts.then(Facts(error=error_beside(read, item)))


def read_answer(read: Read, body: bytes) -> Facts:
    """Read a whole answer that is no stream."""
    value = unwrapped(parse_json(body))
    return read(value) if isinstance(value, dict) else Facts()


def read_parts(read: Read, keys: Collection[str], head: bytes, tail: bytes) -> Facts:
    """Read the members `keys` in the first and the last part of an answer, or of an event, between which bytes lack."""
    wanted = frozenset(keys) | {"error"}
    start = members_from_start(head, wanted)
    end = members_to_end(tail, wanted | _WORD_KEYS)
    facts = Facts()
    for member in (*start, *end):
        if member.key in wanted and member.raw is not None and member.depth <= FRAGMENT_DEPTH:
            facts = facts.then(read({member.key: member.value}))
    if any(member.key == "error" for member in end):
        return facts
    inner = {member.key: member.value for member in end if member.depth == FRAGMENT_DEPTH}  # within `error`
    words = ErrorFacts(word(inner.get("type")), word(inner.get("code") or inner.get("status")))
    return facts.then(Facts(likely_error=words if words != ErrorFacts() else None))


def error_beside(read: Read, item: Event) -> ErrorFacts | None:
    """Return the error in an event's lines that are no data: `error: JSON` (older llama.cpp), or bare JSON (Google)."""
    for line in item.others:
        if line.startswith(_ERROR_LINE):
            return named_error(parse_json(line.removeprefix(_ERROR_LINE)))
    value = unwrapped(parse_json(b"\n".join(item.others))) if item.others and not item.data else None
    return read(value).error if isinstance(value, dict) else None


def unwrapped(value: object) -> object:
    """Return the only element of a list: errors of Google and of some gateways come so."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def named_error(value: object) -> ErrorFacts:
    """Return the words of what its event's or line's name calls an error: the error object, or a body around it."""
    return error_of(value) or error_of({"error": members(value)}) or ErrorFacts()


def _without_finishes(facts: Facts) -> Facts:
    return Facts(
        content=facts.content,
        model=facts.model,
        usage=facts.usage,
        timings=facts.timings,
        error=facts.error,
        choices=facts.choices,
        terminal=facts.terminal,
        is_bare=facts.is_bare,
    )
