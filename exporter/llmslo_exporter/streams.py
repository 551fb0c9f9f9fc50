"""States that read an event stream: SSE lines around JSON, or JSON lines (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from collections.abc import Mapping
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
    TERMINAL,
)
from llmslo_exporter.levels import Json, Key, Level, Move
from llmslo_exporter.states import DIGITS, NEWLINE, RETURN, WHITE, Builder
from llmslo_exporter.wire import Wire

_SCALARS = b"{t123456789"  # how an error begins that is neither text nor nothing


def build_stream(b: Builder, wire: Wire) -> int:
    """Add the states of a wire's streams; return the start."""
    stream = _Stream(b, wire)
    line, returned, blank, skip, data = (stream.at(n) for n in ("sse", "sse-cr", "sse-blank-cr", "sse-skip", "data"))
    json = Json(wire)
    top = b.state(json.top)
    stream.end_lines(skip)
    for level in json.levels():
        stream.add_level(level)
    _data(stream, data, top)
    fields = b.spell(f"{wire.name}:field", line, (b"data", b"error", b"event"), skip)
    b.on(fields[b"data"], b":", data)
    b.on(fields[b"error"], b":", top, ERROR)  # older llama.cpp
    b.on(fields[b"event"], b":", stream.at("event"))
    _event_name(stream, skip)
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
    return line


@dataclass(frozen=True, slots=True)
class _Stream:
    """The states of one wire as they are put together."""

    b: Builder
    wire: Wire

    def at(self, name: str) -> int:
        """Return one of the wire's own states outside of JSON."""
        return self.b.state(f"{self.wire.name}:{name}")

    def end_lines(self, source: int, action: int = 0) -> None:
        """Let both kinds of line end lead from `source` to the next line."""
        self.b.on(source, [NEWLINE], self.at("sse"), LINE | action)
        self.b.on(source, [RETURN], self.at("sse-cr"), LINE | action)

    def add_level(self, level: Level) -> None:
        """Add the states outside of strings, inside of strings, and on the way to a known key."""
        b, name = self.b, level.name
        neutral, string, escape, root = (b.state(n) for n in (name, f"{name}/string", f"{name}/escape", f"{name}/key"))
        b.on(neutral, b'"', root)
        b.on(string, b'"', neutral)
        b.on(string, b"\\", escape)
        b.otherwise(escape, string)
        for bracket, move in level.brackets.items():
            b.on(neutral, bracket, b.state(move.level), move.action)
        for source in (neutral, string, escape):
            self.end_lines(source, level.at_end)
        states = b.spell(f"{name}/key", root, [key.encode() for key in sorted(level.keys)], string)
        for key in sorted(level.keys):  # sorted: a build must give the same table every time
            ended, value = b.state(f"{name}/ended:{key}"), b.state(f"{name}/value:{key}")
            b.on(states[key.encode()], b'"', ended)
            for source in (ended, value):
                b.like(source, neutral)
                b.on(source, WHITE, source)
            b.on(ended, b":", value)
            self._add_value(level, level.keys[key], value)

    def _add_value(self, level: Level, key: Key, value: int) -> None:
        """What the value of a known key does, when it is not the nothing that `value` already has for it."""
        b, name = self.b, level.name
        if key.index:
            self._add_index(level, value)
        if key.error:
            b.on(value, b'"', self._text(level, Move(name, ERROR)))
            b.on(value, _SCALARS, b.state(name), ERROR)
        if key.text:
            b.on(value, b'"', self._text(level, key.text))
        if key.reason:
            b.on(value, b'"', self._reason(level))
        _words(b, name, value, key.words)
        for bracket, move in key.opens.items():
            b.on(value, bracket.encode(), b.state(move.level), move.action)

    def _text(self, level: Level, move: Move) -> int:
        """A string value that acts unless it is empty."""
        b = self.b
        opened = b.state(f"{level.name}/opened:{move.level}:{move.action}")
        b.like(opened, self._string(level))
        inside = b.state(f"{move.level}/string")
        letters = bytes(byte for byte in range(1, 256) if byte not in b'\n\r"\\')
        b.on(opened, letters, inside, move.action)
        b.on(opened, b"\\", b.state(f"{move.level}/escape"), move.action)
        return opened

    def _string(self, level: Level) -> int:
        return self.b.state(f"{level.name}/string")

    def _reason(self, level: Level) -> int:
        """The string of a finish reason: its closing quote raises FINISH with the reason's number; "" is none."""
        b, name = self.b, level.name
        last = TERMINAL if self.wire.is_final else 0
        neutral, root, other = b.state(name), b.state(f"{name}/reason:"), b.state(f"{name}/reason?")
        self.end_lines(other, level.at_end)
        b.on(other, b'"', neutral, FINISH | last | OTHER_REASON << NUMBER_SHIFT)
        raised = {word: FINISH | last | number << NUMBER_SHIFT for word, number in self.wire.finish_values.items()}
        raised |= dict.fromkeys(self.wire.unfinished, 0)
        # States are named by what may still come, so that prefixes with the same rest share one.
        rest = {word: action for word, action in raised.items() if word.isascii() and word.replace("_", "").isalnum()}
        todo, seen = [(root, rest)], {root}
        while todo:
            here, rest = todo.pop()
            b.like(here, other)
            for letter in sorted({word[0] for word in rest if word}):
                after = {word[1:]: action for word, action in rest.items() if word.startswith(letter)}
                there = b.state(f"{name}/reason:{sorted(after.items())}")
                b.on(here, letter.encode(), there)
                if there not in seen:
                    seen.add(there)
                    todo.append((there, after))
            if "" in rest:
                b.on(here, b'"', neutral, rest[""])
        b.on(root, b'"', neutral)
        return root

    def _add_index(self, level: Level, value: int) -> None:
        """A choice's index: the byte after its digits raises INDEX with it."""
        b, name = self.b, level.name
        neutral, many = b.state(name), b.state(f"{name}/index:many")
        b.like(many, neutral, extra=INDEX | MANY_CHOICES << NUMBER_SHIFT)
        b.on(many, DIGITS, many)
        for digit in range(10):
            one = b.state(f"{name}/index:{digit}")
            b.like(one, neutral, extra=INDEX | digit << NUMBER_SHIFT)
            b.on(one, DIGITS, many)
            b.on(value, str(digit).encode(), one)


def _words(b: Builder, name: str, value: int, words: Mapping[str, Move]) -> None:
    """Beginnings of a value that act with their last byte."""
    quoted = {word[1:].encode(): move for word, move in words.items() if word.startswith('"')}
    if b"" in quoted:  # any text at all, even an empty one
        b.on(value, b'"', b.state(f"{quoted[b''].level}/string"), quoted.pop(b"").action)
    if quoted:
        root = b.state(f"{name}/word:{sorted(quoted)}")
        b.on(value, b'"', root)
        beginnings = [text[:-1] for text in quoted]
        states = b.spell(f"{name}/word:{sorted(quoted)}", root, beginnings, b.state(f"{name}/string"))
        for text, move in quoted.items():
            target = move.level if text.endswith(b'"') else f"{move.level}/string"
            b.on(states[text[:-1]], text[-1:], b.state(target), move.action)
    for word, move in words.items():
        if word.startswith('"'):
            continue
        here = value
        for end, byte in enumerate(word[:-1].encode(), 1):
            there = b.state(f"{name}/literal:{value}:{word[:end]}")
            b.like(there, b.state(name))
            if byte in b"[{":
                b.on(there, WHITE, there)
            b.on(here, [byte], there)
            here = there
        b.on(here, word[-1:].encode(), b.state(move.level), move.action)


def _event_name(stream: _Stream, skip: int) -> None:
    """`event: error` makes the event an error."""
    b, start = stream.b, stream.at("event")
    names = b.spell(f"{stream.wire.name}:event-name", start, (b"error",), skip)
    b.on(start, WHITE, start)
    stream.end_lines(names[b"error"], ERROR)


def _data(stream: _Stream, data: int, top: int) -> None:
    """After `data:`: a terminal such as [DONE], or JSON."""
    b = stream.b
    words = [terminal.encode() for terminal in stream.wire.terminals]
    states = b.spell(f"{stream.wire.name}:terminal", data, [word[:-1] for word in words], top)
    b.on(data, WHITE, data)
    for word in words:
        # A client that knows the word may read no further: it is an event of its own, whatever follows.
        b.on(states[word[:-1]], word[-1:], top, TERMINAL | EVENT)
