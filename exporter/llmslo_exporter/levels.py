"""States inside the JSON of an event: strings, keys that mean something, and scopes in which others do.

A level is where in a JSON text the states are: the text itself, or inside a value at some depth of its brackets. The
text has one level for every turn that its unit can take; within a turn every key does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from llmslo_exporter.actions import ERROR, FINISH, NUMBER_SHIFT, OUTPUT, REASONING, TERMINAL
from llmslo_exporter.wire import Content, Scope, Unit, Wire

# A part's arguments: brackets are followed only to find the part's end.
UNIT_DEPTH = 8
_RAISES = {Content.NONE: 0, Content.REASONING: REASONING, Content.OUTPUT: OUTPUT}
_CLOSING = {"[": b"]", "{": b"}"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known of a unit so far: whether it has content, and of which kind that is."""

    kind: Content
    has_content: bool = False

    @property
    def action(self) -> int:
        """What the unit raises when it ends."""
        return _RAISES[self.kind] if self.has_content else 0


@dataclass(frozen=True, slots=True)
class Move:
    """To a level, with an action."""

    level: str
    action: int = 0


@dataclass(slots=True)
class Key:
    """What the value of a key does."""

    text: Move | None = None  # where it is a text that is not empty
    error: bool = False
    reason: bool = False
    index: bool = False
    words: dict[str, Move] = field(default_factory=dict)  # where it begins so
    opens: dict[str, Move] = field(default_factory=dict)  # where it is such a bracket


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its keys, and what brackets outside of strings lead to."""

    name: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    brackets: Mapping[bytes, Move] = field(default_factory=dict)
    at_end: int = 0  # raised by the end of the line


@dataclass(frozen=True, slots=True)
class Json:
    """The levels of one wire's events."""

    wire: Wire

    @property
    def top(self) -> str:
        """The level in which an event begins."""
        return self._top(Turn(self.wire.unit.kind if self.wire.unit else Content.NONE))

    def levels(self) -> Iterator[Level]:
        """Yield every level."""
        for turn in _turns(self.wire.unit):
            top = self._top(turn)
            yield Level(top, self._keys(turn), at_end=turn.action)
            for scope in self.wire.scopes:
                yield from self._scope(scope, top)
            for unit in self.wire.units:
                yield from self._unit(unit, top)

    def _top(self, turn: Turn) -> str:
        return f"{self.wire.name}:json{turn.kind:d}{turn.has_content:d}"

    def _keys(self, turn: Turn) -> dict[str, Key]:
        wire, here = self.wire, self._top(turn)
        keys = _content_keys(here, wire.output, wire.reasoning, wire.finish)
        if wire.index:
            _key(keys, wire.index).index = True
        for name in wire.errors:
            _key(keys, name).error = True
        for mark in wire.marks:
            action = TERMINAL * mark.is_terminal | ERROR * mark.is_error
            if mark.finish is not None:
                action |= FINISH | mark.finish << NUMBER_SHIFT
            _key(keys, mark.key).words[mark.value] = Move(here, action)
        if wire.unit:
            _add_unit(keys, wire.unit, turn, lambda later, _: self._top(later))
        for scope in wire.scopes:
            _key(keys, scope.key).opens[scope.bracket] = Move(_deep(here, scope, 0))
        for unit in wire.units:
            inside = _part(here, unit, Turn(unit.kind)) if unit.bracket == "{" else f"{here}/{unit.key}[]"
            _key(keys, unit.key).opens[unit.bracket] = Move(inside)
        return keys

    def _scope(self, scope: Scope, top: str) -> Iterator[Level]:
        outer = top
        for depth in range(scope.depth):
            name = _deep(top, scope, depth)
            inner = _deep(top, scope, min(depth + 1, scope.depth - 1))
            brackets = {scope.bracket.encode(): Move(inner), _CLOSING[scope.bracket]: Move(outer)}
            yield Level(name, _content_keys(name, scope.output, scope.reasoning, scope.finish), brackets)
            outer = name

    def _unit(self, unit: Unit, top: str) -> Iterator[Level]:
        between = top
        if unit.bracket == "[":
            between = f"{top}/{unit.key}[]"
            yield Level(between, {}, {b"{": Move(_part(top, unit, Turn(unit.kind))), b"]": Move(top)})
        for turn in _turns(unit):
            keys: dict[str, Key] = {}
            _add_unit(keys, unit, turn, partial(_part, top, unit))
            outer, action = between, turn.action
            for depth in range(UNIT_DEPTH):
                name = _part(top, unit, turn, depth)
                inner = _part(top, unit, turn, min(depth + 1, UNIT_DEPTH - 1))
                yield Level(name, {} if depth else keys, {b"{": Move(inner), b"}": Move(outer, action)})
                outer, action = name, 0


def _turns(unit: Unit | None) -> Iterator[Turn]:
    if unit is None:
        yield Turn(Content.NONE)
        return
    for kind in sorted({unit.kind, *(tell.kind for tell in unit.tells)}):
        yield Turn(kind)
        yield Turn(kind, has_content=True)


def _key(keys: dict[str, Key], name: str) -> Key:
    return keys.setdefault(name, Key())


def _content_keys(
    here: str, output: tuple[str, ...], reasoning: tuple[str, ...], finish: tuple[str, ...]
) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    for names, action in ((output, OUTPUT), (reasoning, REASONING)):
        for name in names:
            _key(keys, name).text = Move(here, action)
    for name in finish:
        _key(keys, name).reason = True
    return keys


def _deep(top: str, scope: Scope, depth: int) -> str:
    return f"{top}/in:{scope.key}{scope.bracket}{depth}"


def _part(top: str, unit: Unit, turn: Turn, depth: int = 0) -> str:
    return f"{top}/part:{unit.key}{turn.kind:d}{turn.has_content:d}:{depth}"


def _add_unit(keys: dict[str, Key], unit: Unit, turn: Turn, name_of: Callable[[Turn, int], str]) -> None:
    """Let the unit's keys lead to the level of the turn that it takes."""
    with_content = replace(turn, has_content=True)
    for name in unit.output:
        _key(keys, name).text = Move(name_of(with_content, 0))
    for name in unit.objects:
        _key(keys, name).opens["{"] = Move(name_of(with_content, 1))
    for tell in unit.tells:
        told = Move(name_of(replace(turn, kind=tell.kind), 0))
        words = _key(keys, tell.key).words
        words[tell.value] = replace(told, action=words[tell.value].action) if tell.value in words else told
