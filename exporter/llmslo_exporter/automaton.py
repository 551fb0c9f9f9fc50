"""Compile dialects into the one table that the kernel runs over heads, chunk sizes and event streams.

A deterministic automaton over bytes, a row per state. The kernel reads it without a branch per byte (bpf/scan.h), so what
differs between dialects is data, not BPF code.

Numbers are those of bpf/events.h. A zero byte changes nothing in any state: short blocks are padded with zeros.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from llmslo_exporter.errors import ExporterError
from llmslo_exporter.wire import Scope, Wire

ROWS = 2048
COLUMNS = 256
COLUMN_BITS = 8
ACTION_SHIFT = 19

USED, DIGIT, HEAD_END, BAD = 0x1, 0x2, 0x4, 0x8
LLM, CHUNKED, SSE, NDJSON, ENCODED = 0x10, 0x20, 0x40, 0x80, 0x100
INTERIM, SWITCH, BODYLESS, LENGTH = 0x200, 0x400, 0x800, 0x1000

OUTPUT, REASONING, LINE, EVENT = 0x1, 0x2, 0x4, 0x8
ERROR, TERMINAL, FINISH, INDEX = 0x10, 0x20, 0x40, 0x80
QUIET = 0x1000
NUMBER_SHIFT = 8  # of a finish reason or a choice's index: they never share a word
MANY_CHOICES = 15  # index of ten and more
OTHER_REASON = 7  # FinishReason.OTHER

WHITE = b" \t"
LETTERS = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(ord("A"), ord("Z") + 1))
DIGITS = b"0123456789"
HEX = DIGITS + b"abcdefABCDEF"
NEWLINE, RETURN = 0x0A, 0x0D


@dataclass(slots=True)
class State:
    """One state: where every byte leads, and the actions on the way."""

    name: str
    target: list[int]
    action: list[int]


@dataclass(slots=True)
class Builder:
    """States by name, with a default for bytes nobody asked for."""

    states: list[State] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def state(self, name: str) -> int:
        """Return the number of the state called `name`, making it (every byte stays) when it is new."""
        if name not in self.names:
            number = len(self.states)
            self.names[name] = number
            self.states.append(State(name, [number] * 256, [0] * 256))
        return self.names[name]

    def on(self, source: int, bytes_: Iterable[int], target: int, action: int = 0) -> None:
        """Let each of `bytes_` lead from `source` to `target`."""
        state = self.states[source]
        for byte in bytes_:
            state.target[byte] = target
            state.action[byte] = action

    def otherwise(self, source: int, target: int, action: int = 0) -> None:
        """Let every byte lead from `source` to `target`; call before `on`."""
        self.on(source, range(256), target, action)

    def like(self, source: int, model: int, *, but: Iterable[int] = (), extra: int = 0) -> None:
        """Give `source` the moves of `model`, except for the bytes in `but`; `extra` actions come on top."""
        kept = set(but)
        state, other = self.states[source], self.states[model]
        for byte in range(256):
            if byte not in kept:
                state.target[byte] = other.target[byte]
                state.action[byte] = other.action[byte] | extra


@dataclass(frozen=True, slots=True)
class Automaton:
    """The compiled table: `next[row | byte]`, rows premultiplied by COLUMNS, actions above ACTION_SHIFT."""

    next: array[int]
    start_request: int
    start_response: int
    start_chunk: int
    start_next_chunk: int
    start_stream: int
    rows: int

    def pack(self) -> bytes:
        """Return `struct automaton` of bpf/events.h."""
        starts = (self.start_request, self.start_response, self.start_chunk, self.start_next_chunk, self.start_stream)
        return self.next.tobytes().ljust(ROWS * COLUMNS * 4, b"\0") + struct.pack("<8I", *starts, 0, 0, 0)

    def step(self, row: int, byte: int) -> tuple[int, int]:
        """Return the next row and the actions, as the kernel computes them."""
        entry = self.next[row | byte]
        return entry & (ROWS * COLUMNS - 1), entry >> ACTION_SHIFT


def compile_wires(wires: Sequence[Wire]) -> Automaton:
    """Return the automaton of all `wires` together.

    Raises ExporterError when they need more rows than the kernel's table has.
    """
    b = Builder()
    lines = _header_lines(b)
    request = _request(b, [path for wire in wires for path in wire.paths], lines)
    response = _response(b, lines)
    chunk, next_chunk = _chunks(b)
    for state in b.states:  # all so far read heads or size lines: a byte is theirs unless the state is an end
        if not state.name.endswith("!"):
            state.action = [action | USED for action in state.action]
    before = len(b.states)
    stream = _stream(b, wires)
    _mark_quiet(b, before)
    return _pack(b, request, response, chunk, next_chunk, stream)


def _mark_quiet(b: Builder, first: int) -> None:
    """Let the kernel pass over words in states where only quotes, backslashes and line ends do anything."""
    loud = {0, *b'"\\\n\r'}
    silent = [byte for byte in range(256) if byte not in loud]
    quiet = {
        number
        for number, state in enumerate(b.states)
        if number >= first and all(state.target[byte] == number and not state.action[byte] for byte in silent)
    }
    for state in b.states[first:]:
        for byte in range(1, 256):
            if state.target[byte] in quiet:
                state.action[byte] |= QUIET


def _pack(b: Builder, *starts: int) -> Automaton:
    if len(b.states) > ROWS:
        msg = f"the dialects need {len(b.states)} rows, the kernel's table has {ROWS}: enlarge it in bpf/events.h"
        raise ExporterError(msg)
    cells = array("I")
    for number, state in enumerate(b.states):
        state.target[0], state.action[0] = number, 0
        cells.extend(
            target << COLUMN_BITS | action << ACTION_SHIFT
            for target, action in zip(state.target, state.action, strict=True)
        )
    return Automaton(cells, *(start << COLUMN_BITS for start in starts), rows=len(b.states))


def _any_case(letter: int) -> bytes:
    text = bytes([letter])
    return text.lower() + text.upper()


def _search(b: Builder, name: str, patterns: Mapping[bytes, int], stop: Mapping[int, int], *, fold: bool) -> int:
    """States that look for any of `patterns` (Aho-Corasick) until a byte of `stop` (byte -> state) leads away.

    A pattern's last byte raises its action. Returns the start.
    """
    prefixes = sorted({p[:i] for p in patterns for i in range(len(p) + 1)}, key=len)
    numbers = {p: b.state(f"{name}:{p!r}") for p in prefixes}
    for prefix, number in numbers.items():
        for byte in range(256):
            letter = bytes([byte]).lower() if fold else bytes([byte])
            found = prefix + letter
            action = 0
            while found not in numbers:
                found = found[1:]
            longest = found
            while found:
                action |= patterns.get(found, 0)
                found = found[1:]
            b.on(number, [byte], numbers[longest], action)
        for byte, target in stop.items():
            b.on(number, [byte], target)
    return numbers[b""]


def _header_lines(b: Builder) -> int:
    """States from the start of a header line to the end of the head."""
    start, rest, end, bad = b.state("line"), b.state("rest"), b.state("head-end!"), b.state("bad!")
    b.otherwise(bad, bad)
    b.otherwise(end, end)
    b.otherwise(rest, rest)
    b.on(rest, [NEWLINE], start)
    last = b.state("line-cr")
    b.otherwise(last, bad, BAD)
    b.on(last, [NEWLINE], end, HEAD_END)
    stop = {NEWLINE: start}
    values = {
        b"transfer-encoding": _search(b, "te", {b"chunked": CHUNKED}, stop, fold=True),
        b"content-type": _search(
            b,
            "ct",
            {b"text/event-stream": SSE, b"ndjson": NDJSON, b"stream+json": NDJSON, b"jsonl": NDJSON},
            stop,
            fold=True,
        ),
        b"content-encoding": _search(
            b, "ce", dict.fromkeys((b"gzip", b"deflate", b"br", b"zstd", b"compress"), ENCODED), stop, fold=True
        ),
    }
    length, digits = b.state("cl"), b.state("cl-digits")
    b.otherwise(length, rest)
    b.on(length, WHITE, length)
    b.on(length, DIGITS, digits, DIGIT | LENGTH)
    b.otherwise(digits, rest)
    b.on(digits, DIGITS, digits, DIGIT)
    for source in (length, digits):
        b.on(source, [NEWLINE], start)
    values[b"content-length"] = length
    names = {name[:i] for name in values for i in range(len(name) + 1)}
    numbers = {p: start if not p else b.state(f"name:{p!r}") for p in names}
    for prefix, number in numbers.items():
        b.otherwise(number, rest)
        b.on(number, [NEWLINE], start)
        for follower in names:
            if len(follower) == len(prefix) + 1 and follower.startswith(prefix):
                b.on(number, _any_case(follower[-1]), numbers[follower])
        if prefix in values:
            b.on(number, b":", values[prefix])
    b.on(start, [RETURN], last)
    b.on(start, [NEWLINE], end, HEAD_END)
    return start


def _literal(b: Builder, name: str, text: bytes, source: int, target: int, bad: int) -> None:
    """Let exactly `text` lead from `source` to `target`, anything else to `bad`."""
    here = source
    for i, byte in enumerate(text):
        there = target if i == len(text) - 1 else b.state(f"{name}:{i}")
        b.otherwise(here, bad, BAD)
        b.on(here, [byte], there)
        here = there


def _request(b: Builder, paths: Sequence[str], lines: int) -> int:
    """States of a request line: `POST`, then a path that ends in one of `paths`, then the headers."""
    start, bad, rest_of_line = b.state("request"), b.state("bad!"), b.state("request-line")
    b.otherwise(rest_of_line, rest_of_line)
    b.on(rest_of_line, [NEWLINE], lines)
    patterns = {path.encode(): 0 for path in paths}
    search = _search(b, "path", patterns, {NEWLINE: bad, ord(" "): bad, ord("?"): bad}, fold=False)
    for state in [s for s in b.states if s.name.startswith("path:")]:
        state.action = [BAD if target == bad else 0 for target in state.target]
    # The path must end there: /v1/completions-archive is none of ours.
    for prefix in {path[:i] for path in patterns for i in range(len(path) + 1)}:
        if prefix.endswith(tuple(patterns)):
            b.on(b.state(f"path:{prefix!r}"), b" ?", rest_of_line, LLM)
    _literal(b, "post", b"POST ", start, search, bad)
    return start


def _response(b: Builder, lines: int) -> int:
    """States of a status line: HTTP/1.x, the class of the status, then the headers."""
    start, bad, rest = b.state("response"), b.state("bad!"), b.state("rest")
    version, blank, status = b.state("version"), b.state("version-end"), b.state("status")
    _literal(b, "http", b"HTTP/1.", start, version, bad)
    b.on(start, b"0\r\n", start)  # what a client left unread of the answer before
    b.otherwise(version, bad, BAD)
    b.on(version, b"01", blank)
    b.otherwise(blank, bad, BAD)
    b.on(blank, b" ", status)
    b.otherwise(status, bad, BAD)
    b.on(status, b"3456789", rest)
    for code, action in ((b"10", 0), (b"20", 0), (b"30", 0)):
        first, second = b.state(f"status:{code[:1]!r}"), b.state(f"status:{code!r}")
        interim = INTERIM if code == b"10" else 0
        b.on(status, code[:1], first, interim)
        for source in (first, second):
            b.otherwise(source, rest)
            b.on(source, [NEWLINE], lines)
        b.on(first, code[1:], second, action)
    b.on(b.state("status:b'10'"), b"1", rest, SWITCH)
    b.on(b.state("status:b'20'"), b"4", rest, BODYLESS)
    b.on(b.state("status:b'30'"), b"4", rest, BODYLESS)
    return start


def _chunks(b: Builder) -> tuple[int, int]:
    """States of a chunk-size line (RFC 9112, 7.1), first and after a chunk."""
    size, digits, after = b.state("chunk"), b.state("chunk-digits"), b.state("chunk-after")
    extension, end, bad = b.state("chunk-extension"), b.state("chunk-end!"), b.state("bad!")
    b.otherwise(end, end)
    b.otherwise(size, bad, BAD)
    b.on(size, HEX, digits, DIGIT)
    b.otherwise(digits, bad, BAD)
    b.on(digits, HEX, digits, DIGIT)
    b.on(digits, b" \t;\r", extension)
    b.otherwise(extension, extension)
    for source in (digits, extension):
        b.on(source, [NEWLINE], end, HEAD_END)
    b.otherwise(after, bad, BAD)
    b.on(after, [RETURN], after)
    b.on(after, [NEWLINE], size)
    return size, after


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
    terminals: frozenset[str]

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
            terminals=frozenset(t for w in wires for t in w.terminals),
        )


def _stream(b: Builder, wires: Sequence[Wire]) -> int:
    """States of an event stream: SSE lines around JSON, or JSON lines."""
    keys = Keys.merge(wires)
    line = b.state("sse")
    returned, blank = b.state("sse-cr"), b.state("sse-blank-cr")
    top = _json(b, keys, None, line, returned)
    for scope in keys.scopes:
        _json(b, keys, scope, line, returned)
    skip, data = b.state("sse-skip"), b.state("sse-data")
    b.otherwise(skip, skip)
    b.on(skip, [NEWLINE], line, LINE)
    b.on(skip, [RETURN], returned, LINE)
    _data(b, keys.terminals, data, top)
    error_name = b.state("sse-event")
    _field_names(b, line, skip, {b"data": (data, 0), b"error": (top, ERROR), b"event": (error_name, 0)})
    _event_name(b, error_name, skip, line, returned)
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


def _field_names(b: Builder, line: int, skip: int, fields: Mapping[bytes, tuple[int, int]]) -> None:
    names = {name[:i] for name in fields for i in range(len(name) + 1)}
    numbers = {p: line if not p else b.state(f"field:{p!r}") for p in names}
    for prefix, number in numbers.items():
        b.like(number, skip)
        for follower in names:
            if len(follower) == len(prefix) + 1 and follower.startswith(prefix):
                b.on(number, follower[-1:], numbers[follower])
        if prefix in fields:
            target, action = fields[prefix]
            b.on(number, b":", target, action)


def _event_name(b: Builder, start: int, skip: int, line: int, returned: int) -> None:
    """`event: error` makes the event an error."""
    b.like(start, skip)
    b.on(start, WHITE, start)
    here = start
    for i, byte in enumerate(b"error"):
        there = b.state(f"event-name:{i}")
        b.on(here, [byte], there)
        b.like(there, skip)
        here = there
    b.on(here, [NEWLINE], line, LINE | ERROR)
    b.on(here, [RETURN], returned, LINE | ERROR)


def _data(b: Builder, terminals: Iterable[str], data: int, top: int) -> None:
    """After `data:`: a terminal such as [DONE], or JSON."""
    b.like(data, top)
    b.on(data, WHITE, data)
    for terminal in terminals:
        here = data
        for i, byte in enumerate(terminal.encode()):
            last = i == len(terminal) - 1
            there = top if last else b.state(f"terminal:{terminal[: i + 1]}")
            if not last and there == len(b.states) - 1:
                b.like(there, top)
            b.on(here, [byte], there, TERMINAL if last else 0)
            here = there


def _json(b: Builder, keys: Keys, scope: Scope | None, line: int, returned: int) -> int:
    """States inside a JSON text, at any depth: outside of strings, inside of strings, on the way to a known key.

    `scope` None is the text itself; else the value of a scope's key, where only the scope's own keys count, up to its
    closing bracket. Brackets of the same kind may nest SCOPE_DEPTH deep.
    """
    top = b.state("json")
    if scope is None:
        output, reasoning = keys.output, keys.reasoning
        return _level(b, keys, "json", output, reasoning, None, top, line, returned, full=True)
    name = _scope_name(scope)
    close = {"[": "]", "{": "}"}[scope.bracket]
    outer = top
    for depth in range(SCOPE_DEPTH):
        level = name if depth == 0 else f"{name}+{depth}"
        brackets = (scope.bracket, close, f"{name}+{depth + 1}" if depth + 1 < SCOPE_DEPTH else level)
        outer = _level(
            b, keys, level, frozenset(scope.output), frozenset(scope.reasoning), brackets, outer, line, returned, full=False
        )
    return b.state(name)


SCOPE_DEPTH = 3  # of brackets of the scope's own kind: tool_calls[].function.arguments as an object with arrays


def _scope_name(scope: Scope) -> str:
    return f"in:{scope.key}{scope.bracket}"


def _level(  # noqa: PLR0913
    b: Builder,
    keys: Keys,
    name: str,
    output: frozenset[str],
    reasoning: frozenset[str],
    brackets: tuple[str, str, str] | None,
    outer: int,
    line: int,
    returned: int,
    *,
    full: bool,
) -> int:
    neutral, string, escape = b.state(name), b.state(f"{name}/string"), b.state(f"{name}/escape")
    b.otherwise(neutral, neutral)
    if brackets:
        opening, closing, inner = brackets
        b.on(neutral, opening.encode(), b.state(inner))
        b.on(neutral, closing.encode(), outer)
    known = output | reasoning
    if full:
        known |= keys.finish | keys.index | keys.errors | {s.key for s in keys.scopes}
    root = b.state(f"{name}/key")
    b.on(neutral, b'"', root)
    for source in (neutral, string, escape):
        _line_ends(b, source, line, returned)
    b.otherwise(string, string)
    _line_ends(b, string, line, returned)
    b.on(string, b'"', neutral)
    b.on(string, b"\\", escape)
    b.otherwise(escape, string)
    _line_ends(b, escape, line, returned)
    names = {""} | {key[:i] for key in known for i in range(len(key) + 1)}
    numbers = {p: root if not p else b.state(f"{name}/key:{p}") for p in names}
    for prefix, number in numbers.items():
        b.like(number, string)
        for follower in names:
            if len(follower) == len(prefix) + 1 and follower.startswith(prefix):
                b.on(number, follower[-1].encode(), numbers[follower])
        if prefix in known:
            ended, value = b.state(f"{name}/ended:{prefix}"), b.state(f"{name}/value:{prefix}")
            b.on(number, b'"', ended)
            b.like(ended, neutral)
            b.on(ended, WHITE, ended)
            b.on(ended, b":", value)
            b.like(value, neutral)
            b.on(value, WHITE, value)
            _value(b, keys, name, prefix, output, reasoning, value, full=full)
    return neutral


def _line_ends(b: Builder, source: int, line: int, returned: int) -> None:
    b.on(source, [NEWLINE], line, LINE)
    b.on(source, [RETURN], returned, LINE)


def _value(  # noqa: PLR0913
    b: Builder,
    keys: Keys,
    name: str,
    key: str,
    output: frozenset[str],
    reasoning: frozenset[str],
    value: int,
    *,
    full: bool,
) -> None:
    """What the value of a known key does, when it is not the nothing that `value` already has for it."""
    if key in output or key in reasoning:
        action = OUTPUT if key in output else REASONING
        _text(b, name, "text" if action == OUTPUT else "thought", action, value)
    if not full:
        return
    if key in keys.finish:
        b.on(value, b'"', _reason(b, name, keys.reasons))
    if key in keys.index:
        _index(b, name, value)
    if key in keys.errors:
        _text(b, name, "error", ERROR, value)
        b.on(value, b"{t123456789", b.state(name), ERROR)
    for scope in keys.scopes:
        if scope.key == key:
            b.on(value, scope.bracket.encode(), b.state(_scope_name(scope)))


def _text(b: Builder, name: str, kind: str, action: int, value: int) -> None:
    """A string value that acts unless it is empty."""
    opened = b.state(f"{name}/opened:{kind}")
    string = b.state(f"{name}/string")
    b.like(opened, string)
    acting = [byte for byte in range(256) if byte not in (NEWLINE, RETURN, ord('"'))]
    state = b.states[opened]
    for byte in acting:
        state.action[byte] |= action
    b.on(value, b'"', opened)


def _reason(b: Builder, name: str, reasons: Mapping[str, int]) -> int:
    """The string of a finish reason: its closing quote raises FINISH with the reason's number; "" is none."""
    neutral, string = b.state(name), b.state(f"{name}/string")
    root, other = b.state(f"{name}/reason:"), b.state(f"{name}/reason?")
    b.like(other, string)
    b.otherwise(other, other)
    for byte in (NEWLINE, RETURN):
        b.states[other].target[byte] = b.states[string].target[byte]
        b.states[other].action[byte] = b.states[string].action[byte]
    b.on(other, b'"', neutral, FINISH | OTHER_REASON << NUMBER_SHIFT)
    # States are named by what may still come, so that prefixes with the same rest share one.
    rest = {r: number for r, number in reasons.items() if r.isascii() and r.replace("_", "").isalnum()}
    todo, seen = [(root, rest)], {root}
    while todo:
        here, rest = todo.pop()
        b.like(here, other)
        for byte in {r[0] for r in rest if r}:
            after = {r[1:]: number for r, number in rest.items() if r.startswith(byte)}
            there = b.state(f"{name}/reason:{sorted(after.items())}")
            b.on(here, byte.encode(), there)
            if there not in seen:
                seen.add(there)
                todo.append((there, after))
        if "" in rest:
            b.on(here, b'"', neutral, FINISH | rest[""] << NUMBER_SHIFT)
    b.on(root, b'"', neutral)
    return root


def _index(b: Builder, name: str, value: int) -> None:
    """A choice's index: the byte after its digits raises INDEX with it."""
    neutral = b.state(name)
    many = b.state(f"{name}/index:many")
    b.like(many, neutral, extra=INDEX | MANY_CHOICES << NUMBER_SHIFT)
    b.on(many, DIGITS, many)
    for digit in range(10):
        one = b.state(f"{name}/index:{digit}")
        b.like(one, neutral, extra=INDEX | digit << NUMBER_SHIFT)
        b.on(one, DIGITS, many)
        b.on(value, str(digit).encode(), one)
