"""What a parsed event is by its wire: the same data from which the kernel's automaton is made, read in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmslo_exporter.dialects.dialect import ErrorFacts, Facts
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Content, Scope, Unit, Wire


@dataclass(frozen=True, slots=True)
class Signs:
    """What the members of an event say by their keys alone."""

    content: Content = Content.NONE
    is_terminal: bool = False
    is_error: bool = False
    finish: FinishReason | None = None

    def facts(self, error: ErrorFacts | None = None) -> Facts:
        """Return them as facts of the only choice; `error` holds the words of an error where there are any."""
        return Facts(
            content=self.content,
            terminal=self.is_terminal,
            error=error or (ErrorFacts() if self.is_error else None),
            finishes={} if self.finish is None else {0: self.finish},
        )


def content_of(wire: Wire, event: object) -> Content:
    """Return what a parsed event holds: the content predicate, the same for the parsers and the kernel's automaton.

    Non-empty string values of `wire.output` and `wire.reasoning` keys count at any depth. Inside the value of a scope's
    key, down to its closing bracket, only the scope's own keys count and no other scope begins: a scope without keys
    hides what stands in it. Numbers, null and empty strings never count.
    """
    return signs_of(wire, event).content


def signs_of(wire: Wire, event: object) -> Signs:
    """Return what an event is by `wire`."""
    found = Content.NONE
    kind, has_content = wire.unit.kind if wire.unit else Content.NONE, False
    is_terminal = is_error = False
    finish: FinishReason | None = None
    for scope, key, value in _members(wire, event):
        found = max(found, _kind(scope or wire, key, value))
        if key in (scope or wire).finish and isinstance(value, str) and (reason := wire.reason(value)) is not None:
            finish, is_terminal = reason, is_terminal or wire.is_final
        if scope is not None:
            continue
        for unit in wire.units:
            if unit.key == key:
                found = max(found, *(_unit_content(unit, part) for part in _parts(unit, value)), Content.NONE)
        if wire.unit:
            has_content = has_content or _has_content(wire.unit, key, value)
            kind = _told(wire.unit, key, value, kind)
        is_error = is_error or (key in wire.errors and _is_something(value))
        for mark in wire.marks:
            if mark.key == key and _text(value).startswith(mark.value):
                is_terminal, is_error = is_terminal or mark.is_terminal, is_error or mark.is_error
                finish = finish if mark.finish is None else mark.finish
    return Signs(max(found, kind) if has_content else found, is_terminal, is_error, finish)


def _members(wire: Wire, event: object) -> Iterator[tuple[Scope | None, str, object]]:
    """Yield every member with the scope in which it stands; a list's elements have no key. Units are not entered."""
    scopes = {(scope.key, scope.bracket): scope for scope in wire.scopes}
    units = {(unit.key, unit.bracket) for unit in wire.units}
    # A stack instead of recursion: foreign JSON may nest deeper than Python's frames.
    opened: list[tuple[Scope | None, Iterator[tuple[str, object]]]] = [(None, iter([("", event)]))]
    while opened:
        scope, items = opened[-1]
        item = next(items, None)
        if item is None:
            opened.pop()
            continue
        key, value = item
        yield scope, key, value
        if not isinstance(value, (dict, list)):
            continue
        bracket = "{" if isinstance(value, dict) else "["
        if scope is None and (key, bracket) in units:
            continue
        inside = value.items() if isinstance(value, dict) else [("", element) for element in value]
        opened.append((scope or scopes.get((key, bracket)), iter(inside)))


def _kind(keys: Scope | Wire, key: str, value: object) -> Content:
    if not isinstance(value, str) or not value:
        return Content.NONE
    if key in keys.output:
        return Content.OUTPUT
    return Content.REASONING if key in keys.reasoning else Content.NONE


def _parts(unit: Unit, value: object) -> Iterator[dict[str, object]]:
    parts = value if unit.bracket == "[" else [value]
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            yield part


def _unit_content(unit: Unit, part: dict[str, object]) -> Content:
    kind, has_content = unit.kind, False
    for key, value in part.items():
        has_content = has_content or _has_content(unit, key, value)
        kind = _told(unit, key, value, kind)
    return kind if has_content else Content.NONE


def _has_content(unit: Unit, key: str, value: object) -> bool:
    return (key in unit.output and isinstance(value, str) and value != "") or (
        key in unit.objects and isinstance(value, dict)
    )


def _told(unit: Unit, key: str, value: object, kind: Content) -> Content:
    for tell in unit.tells:
        if tell.key == key and _text(value).startswith(tell.value):
            return tell.kind
    return kind


def _is_something(value: object) -> bool:
    if isinstance(value, str):
        return value != ""
    return isinstance(value, dict) or (isinstance(value, (int, float)) and value >= 1)  # true is 1


def _text(value: object) -> str:
    """Return how the value's JSON begins, as far as a mark looks."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{"
    if isinstance(value, list):
        return f"[{_text(value[0])}" if value and not isinstance(value[0], list) else "["
    return "true" if value is True else ""
