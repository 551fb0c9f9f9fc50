"""YAML that knows its lines: bytes in, plain values out, every mapping and list with the line of each member.

Built on parser events, not on nodes: composing a deep document recurses in C and ends the process, and an alias may
stand for more nodes than memory has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import yaml
import yaml.reader

from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level

MAX_BYTES = 8 << 20  # 1 000 SLOs are 0.3 MB; beyond this a file is not written by a person
MAX_NODES = 500_000  # aliases counted as what they stand for; 1 000 SLOs are 25 000
MAX_DEPTH = 32  # a spec is 6 deep
CHECK = "spec/yaml"

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
# The words of YAML's core schema; what only YAML 1.1 knows (yes, on, 1:30, dates) stays text.
_WORDS = {word: value for word, value in (("true", True), ("false", False)) for word in (word, word.title())}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(
    r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_MAX_DIGITS = 40  # a longer number is no number of ours, and int() of millions of digits does not end

Scalar = str | int | bool | Decimal | None
Value = object  # Scalar | Map | Seq, without the recursion that mypy would see in pydantic's input


class Map(dict[str, Value]):
    """A mapping and the `lines` of its keys."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class Seq(list[Value]):
    """A list and the `lines` of its items."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, never an empty one."""

    file: str
    line: int
    value: Value

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """Return the line of what stands at `path`, else of the nearest thing around it that exists."""
        line, here = self.line, self.value
        for step in path:
            below = member(here, step)
            if below is None:
                break
            line, here = below
        return line


def member(value: Value, step: str | int) -> tuple[int, Value] | None:
    """Return line and value of a member of a mapping or a list; None: there is no such."""
    if isinstance(value, Map) and isinstance(step, str) and step in value:
        return value.lines[step], value[step]
    if isinstance(value, Seq) and isinstance(step, int) and 0 <= step < len(value):
        return value.lines[step], value[step]
    return None


def read(raw: bytes, file: str, max_bytes: int = MAX_BYTES) -> tuple[Document, ...]:
    """Return the documents of `raw`; raise InputError with one finding at the first thing that is not our YAML."""
    if len(raw) > max_bytes:
        raise _error(file, 0, f"the file has {len(raw)} bytes, at most {max_bytes} are read: split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(file, line, f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8") from error
    try:
        return tuple(_Reader(text, file).documents())
    except yaml.YAMLError as error:
        raise _syntax(error, text, file) from error


class _Reader:
    """Puts the values of one file together from its events."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_Loader))
        self._anchors: dict[
            str | None, tuple[Value, int] | None
        ] = {}  # with the nodes each stands for; None: still open
        self._nodes = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                first = next(self._events)
                value = self._value(first, 0)
                if value is not None:
                    yield Document(self._file, _line(first), value)

    def _value(self, event: yaml.Event, depth: int) -> Value:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            msg = f"a value cannot begin with {event}"
            raise TypeError(msg)
        self._count(event, 1)
        before = self._nodes
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif depth == MAX_DEPTH:
            raise _error(self._file, _line(event), f"nested deeper than {MAX_DEPTH} levels: a spec needs 6")
        else:
            is_map = isinstance(event, yaml.MappingStartEvent)
            self._check_tag(event, "map" if is_map else "seq")
            value = self._map(depth + 1) if is_map else self._seq(depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - before + 1
        return value

    def _seq(self, depth: int) -> Seq:
        found = Seq()
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.lines.append(_line(event))
            found.append(self._value(event, depth))
        return found

    def _map(self, depth: int) -> Map:
        found, merged = Map(), Map()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line, key = _line(event), self._value(event, depth)
            is_merge = key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            if not isinstance(key, str):
                raise _error(self._file, line, f"the key {_shown(key)} is no text: write a name, in quotes if need be")
            value = self._value(next(self._events), depth)
            if is_merge:
                self._merge(value, merged, line)
                continue
            if key in found:
                first = found.lines[key]
                raise _error(self._file, line, f"`{key}` stands twice, first in line {first}: keep one")
            found[key] = value
            found.lines[key] = line
        for key, value in merged.items():
            if key not in found:
                found[key] = value
                found.lines[key] = merged.lines[key]
        return found

    def _merge(self, value: Value, into: Map, line: int) -> None:
        for one in value if isinstance(value, Seq) else (value,):
            if not isinstance(one, Map):
                raise _error(
                    self._file, line, "`<<` takes in mappings only: give it `*anchor` of one, or a list of such"
                )
            for key in one.keys() - into.keys():
                into[key] = one[key]
                into.lines[key] = one.lines[key]

    def _alias(self, event: yaml.AliasEvent) -> Value:
        known = self._anchors.get(event.anchor, ...)
        if known is ...:
            raise _error(
                self._file, _line(event), f"`*{event.anchor}` has no anchor: write `&{event.anchor}` before it"
            )
        if known is None:
            raise _error(self._file, _line(event), f"`*{event.anchor}` stands within itself: write it out")
        value, nodes = known
        self._count(event, nodes)
        return value

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _error(self._file, _line(event), f"more than {MAX_NODES} values, aliases written out: split the file")

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, kind: str) -> None:
        if event.tag not in {None, "!", _STANDARD + kind}:
            tag = event.tag.replace(_STANDARD, "!!")
            raise _error(self._file, _line(event), f"the tag {tag} means nothing here: leave it out")

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        if not event.implicit[0]:
            self._check_tag(event, "str")
            return str(event.value)
        text = event.value
        if text in _NULLS:
            return None
        if text in _WORDS:
            return _WORDS[text]
        # Bounded first: a number of a million digits takes minutes to read.
        if len(text) <= _MAX_DIGITS and _NUMBER.fullmatch(text):
            return (
                int(text)
                if _INTEGER.fullmatch(text)
                else Decimal(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            )
        return str(text)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _shown(value: Value) -> str:
    return "{...}" if isinstance(value, Map) else "[...]" if isinstance(value, Seq) else str(value)


def _syntax(error: yaml.YAMLError, text: str, file: str) -> InputError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return _error(
            file, error.problem_mark.line + 1, f"this is not YAML: {error.problem}; look at the lines before it too"
        )
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, int(error.position)) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return _error(file, line, f"the character U+{code:04X} is not allowed in YAML: take it out")
    return _error(file, 0, f"this is not YAML: {error}")


def _error(file: str, line: int, text: str) -> InputError:
    return InputError([Finding(CHECK, file, line, Level.ERROR, text)])
