"""States that read an event stream: SSE lines around JSON, or JSON lines (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmslo_exporter.actions import (
    ERROR,
    EVENT,
    FINISH,
    INDEX,
    LINE,
    MANY_CHOICES,
    NUMBER_SHIFT,
    OTHER_REASON,
    OUTPUT,
    QUIET,
    REASONING,
    TERMINAL,
)
from llmslo_exporter.states import ACTION_SHIFT, DIGITS, NEWLINE, RETURN, ROW_MASK, WHITE, Builder, move
from llmslo_exporter.wire import Scope, Wire

SCOPE_DEPTH = 6  # of brackets of the scope's own kind: tool_calls[].function.arguments as an object with arrays


@dataclass(frozen=True, slots=True)
class Keys:
    """What the dialects' keys mean, merged."""

    output: frozenset[str]
    reasoning: frozenset[str]
    scopes: tuple[Scope, ...]
    finish: frozenset[str]
    index: frozenset[str]
    errors: frozenset[str]
    reasons: Mapping[str, int]
    terminals: tuple[str, ...]

    @classmethod
    def merge(cls, wires: Sequence[Wire]) -> Keys:
        """Take every key of every dialect: within an event stream they do not contradict each other."""
        scopes = {(s.key, s.bracket): s for wire in wires for s in wire.scopes}
        reasons: dict[str, int] = {}
        for wire in wires:
            reasons |= dict(wire.finish_values)
        return cls(
            output=frozenset(k for w in wires for k in w.output),
            reasoning=frozenset(k for w in wires for k in w.reasoning),
            scopes=tuple(scopes.values()),
            finish=frozenset(k for w in wires for k in w.finish),
            index=frozenset(w.index for w in wires if w.index),
            errors=frozenset(k for w in wires for k in w.errors),
            reasons=reasons,
            terminals=tuple(sorted({t for w in wires for t in w.terminals})),
        )


@dataclass(frozen=True, slots=True)
class Level:
    """Where in a JSON text its states are: the text itself, or inside a scope at some depth of its brackets."""

    name: str
    output: frozenset[str]
    reasoning: frozenset[str]
    is_text: bool  # the text itself: every key counts

    def known(self, keys: Keys) -> list[str]:
        """Return the keys that do something here, sorted: a build must give the same table every time."""
        known = self.output | self.reasoning
        if self.is_text:
            known |= keys.finish | keys.index | keys.errors | {scope.key for scope in keys.scopes}
        return sorted(known)


def build_stream(b: Builder, wires: Sequence[Wire]) -> int:
    """Add the states of the streams of all `wires`; return the start."""
    first = len(b.states)
    keys = Keys.merge(wires)
    line, returned, blank, skip, data = (b.state(n) for n in ("sse", "sse-cr", "sse-blank-cr", "sse-skip", "sse-data"))
    _end_lines(b, skip)
    top = _level(b, keys, Level("json", keys.output, keys.reasoning, is_text=True))
    for scope in keys.scopes:
        _scope(b, keys, scope, top)
    _data(b, keys.terminals, data, top)
    name = b.state("sse-event")
    fields = b.spell("field", line, (b"data", b"error", b"event"), skip)
    b.on(fields[b"data"], b":", data)
    b.on(fields[b"error"], b":", top, ERROR)  # older llama.cpp
    b.on(fields[b"event"], b":", name)
    _event_name(b, name, skip, line, returned)
    b.on(line, [NEWLINE], line, EVENT)
    b.on(line, [RETURN], blank)
    b.on(line, b"{", top)
    # A byte order mark may open the stream; its three bytes are no field name.
    b.on(line, b"\xef\xbb\xbf", line)
    b.like(returned, line, but=[NEWLINE])
    b.on(returned, [NEWLINE], line)
    # CR LF CR LF: the event is complete with the last LF; after a bare CR with whatever comes next.
    b.like(blank, line, but=[NEWLINE], extra=EVENT)
    b.on(blank, [NEWLINE], line, EVENT)
    _mark_quiet(b, first)
    return line


def _end_lines(b: Builder, *sources: int) -> None:
    for source in sources:
        b.on(source, [NEWLINE], b.state("sse"), LINE)
        b.on(source, [RETURN], b.state("sse-cr"), LINE)


def _event_name(b: Builder, start: int, skip: int, line: int, returned: int) -> None:
    """`event: error` makes the event an error."""
    names = b.spell("event-name", start, (b"error",), skip)
    b.on(start, WHITE, start)
    b.on(names[b"error"], [NEWLINE], line, LINE | ERROR)
    b.on(names[b"error"], [RETURN], returned, LINE | ERROR)


def _data(b: Builder, terminals: Iterable[str], data: int, top: int) -> None:
    """After `data:`: a terminal such as [DONE], or JSON."""
    words = [terminal.encode() for terminal in terminals]
    states = b.spell("terminal", data, [word[:-1] for word in words], top)
    b.on(data, WHITE, data)
    for word in words:
        b.on(states[word[:-1]], word[-1:], top, TERMINAL)


def _scope(b: Builder, keys: Keys, scope: Scope, top: int) -> None:
    """States inside the value of a scope's key, where only the scope's own keys count, up to its closing bracket."""
    closing = {"[": b"]", "{": b"}"}[scope.bracket]
    outer = top
    for depth in range(SCOPE_DEPTH):
        level = Level(_scope_name(scope, depth), frozenset(scope.output), frozenset(scope.reasoning), is_text=False)
        inner = b.state(_scope_name(scope, min(depth + 1, SCOPE_DEPTH - 1)))
        neutral = b.state(level.name)
        b.on(neutral, scope.bracket.encode(), inner)
        b.on(neutral, closing, outer)
        outer = _level(b, keys, level)


def _scope_name(scope: Scope, depth: int = 0) -> str:
    return f"in:{scope.key}{scope.bracket}{depth}"


def _level(b: Builder, keys: Keys, level: Level) -> int:
    """States outside of strings, inside of strings, and on the way to a known key. Returns the first."""
    name = level.name
    neutral, string, escape, root = (b.state(n) for n in (name, f"{name}/string", f"{name}/escape", f"{name}/key"))
    b.on(neutral, b'"', root)
    b.on(string, b'"', neutral)
    b.on(string, b"\\", escape)
    b.otherwise(escape, string)
    _end_lines(b, neutral, string, escape)
    known = level.known(keys)
    states = b.spell(f"{name}/key", root, [key.encode() for key in known], string)
    for key in known:
        ended, value = b.state(f"{name}/ended:{key}"), b.state(f"{name}/value:{key}")
        b.on(states[key.encode()], b'"', ended)
        for source in (ended, value):
            b.like(source, neutral)
            b.on(source, WHITE, source)
        b.on(ended, b":", value)
        _value(b, keys, level, key, value)
    return neutral


def _value(b: Builder, keys: Keys, level: Level, key: str, value: int) -> None:
    """What the value of a known key does, when it is not the nothing that `value` already has for it."""
    if key in level.output or key in level.reasoning:
        b.on(value, b'"', _text(b, level.name, OUTPUT if key in level.output else REASONING))
    if not level.is_text:
        return
    if key in keys.finish:
        b.on(value, b'"', _reason(b, level.name, keys.reasons))
    if key in keys.index:
        _index(b, level.name, value)
    if key in keys.errors:
        b.on(value, b'"', _text(b, level.name, ERROR))
        b.on(value, b"{t123456789", b.state(level.name), ERROR)
    for scope in keys.scopes:
        if scope.key == key:
            b.on(value, scope.bracket.encode(), b.state(_scope_name(scope)))


def _text(b: Builder, name: str, action: int) -> int:
    """A string value that acts unless it is empty."""
    opened = b.state(f"{name}/opened:{action}")
    b.like(opened, b.state(f"{name}/string"))
    b.like(opened, b.state(f"{name}/string"), but=(NEWLINE, RETURN, ord('"')), extra=action)
    return opened


def _reason(b: Builder, name: str, reasons: Mapping[str, int]) -> int:
    """The string of a finish reason: its closing quote raises FINISH with the reason's number; "" is none."""
    neutral, root, other = b.state(name), b.state(f"{name}/reason:"), b.state(f"{name}/reason?")
    _end_lines(b, other)
    b.on(other, b'"', neutral, FINISH | OTHER_REASON << NUMBER_SHIFT)
    # States are named by what may still come, so that prefixes with the same rest share one.
    rest = {r: number for r, number in reasons.items() if r.isascii() and r.replace("_", "").isalnum()}
    todo, seen = [(root, rest)], {root}
    while todo:
        here, rest = todo.pop()
        b.like(here, other)
        for letter in sorted({reason[0] for reason in rest if reason}):
            after = {r[1:]: number for r, number in rest.items() if r.startswith(letter)}
            there = b.state(f"{name}/reason:{sorted(after.items())}")
            b.on(here, letter.encode(), there)
            if there not in seen:
                seen.add(there)
                todo.append((there, after))
        if "" in rest:
            b.on(here, b'"', neutral, FINISH | rest[""] << NUMBER_SHIFT)
    b.on(root, b'"', neutral)
    return root


def _index(b: Builder, name: str, value: int) -> None:
    """A choice's index: the byte after its digits raises INDEX with it."""
    neutral, many = b.state(name), b.state(f"{name}/index:many")
    b.like(many, neutral, extra=INDEX | MANY_CHOICES << NUMBER_SHIFT)
    b.on(many, DIGITS, many)
    for digit in range(10):
        one = b.state(f"{name}/index:{digit}")
        b.like(one, neutral, extra=INDEX | digit << NUMBER_SHIFT)
        b.on(one, DIGITS, many)
        b.on(value, str(digit).encode(), one)


def _mark_quiet(b: Builder, first: int) -> None:
    """Let the kernel pass over words in states where only quotes, backslashes and line ends do anything."""
    states = b.states[first:]
    quiet = {move(first + i) for i, state in enumerate(states) if _is_quiet(state.moves, move(first + i))}
    for state in states:
        state.moves = [
            cell | QUIET << ACTION_SHIFT if byte and cell & ROW_MASK in quiet else cell
            for byte, cell in enumerate(state.moves)
        ]


def _is_quiet(moves: list[int], stay: int) -> bool:
    calm = moves.copy()
    for byte in b'\0"\\\n\r':
        calm[byte] = stay
    return calm == [stay] * len(moves)
