"""YAML of a settings file that knows its lines: bytes in, plain values out, with the line of each key and item.

Built on parser events, not on nodes: composing a deep document recurses in C and ends the process. Anchors are refused:
a settings file needs none, and an alias may stand for more than memory holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml
import yaml.reader

MAX_DEPTH = 8  # settings are 3 deep
MAX_VALUES = 50_000  # 10 000 providers are 20 000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "": None, "~": None, "null": None}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}

Path = tuple[str | int, ...]


class PlaceError(Exception):
    """What is wrong with the YAML, and in which line (0: the file as a whole)."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Settings:
    """The document's value, an empty mapping where there is none, and the line of everything in it by its path."""

    value: object
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """Return the line of what stands at `path`, else of the nearest thing around it."""
        return next((self.lines[path[:size]] for size in range(len(path), -1, -1) if path[:size] in self.lines), 1)


def read(raw: bytes) -> Settings:
    """Return the one document of `raw`; raise PlaceError at the first thing that is not our YAML."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PlaceError(line, f"found byte 0x{raw[error.start]:02x}, needed UTF-8") from error
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = text.rstrip().count("\n") + 1  # a file that ends too early is wrong where it ends
        reason = " ".join(filter(None, (error.context, error.problem)))
        hint = "needed YAML; quote what holds : { } [ ] , & * # ? | - < > = ! % @"
        raise PlaceError(min(mark.line + 1, last) if mark else 0, f"found no YAML ({reason}), {hint}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise PlaceError(line, "found a control character, needed plain text: take it out") from error


@dataclass(slots=True)
class _Reader:
    text: str
    lines: dict[Path, int] = field(default_factory=dict)
    count: int = 0

    def document(self) -> Settings:
        events = iter(yaml.parse(self.text, Loader=_Loader))
        value: object = {}
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise PlaceError(_line(event), "found a second document, needed one: take out `---`")
                value = self._value(next(events), events, ())
        return Settings({} if value is None else value, self.lines)

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> object:
        self.count += 1
        line = _line(event)
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PlaceError(line, "found an anchor or alias, needed the value itself: write it out")
        if getattr(event, "tag", None) not in _TAGS:
            raise PlaceError(line, "found a tag, needed a plain value: leave the tag out")
        if len(path) > MAX_DEPTH or self.count > MAX_VALUES:
            raise PlaceError(line, f"found more than {MAX_DEPTH} levels or {MAX_VALUES} values, needed fewer")
        if isinstance(event, yaml.MappingStartEvent):
            return self._map(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(events, path)
        return _scalar(event)

    def _map(self, events: Iterator[yaml.Event], path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise PlaceError(_line(event), "found a list or mapping as a key, needed a name: quote it")
            key = str(event.value)
            if key in found:
                first = self.lines[*path, key]
                raise PlaceError(_line(event), f"found {key[:60]!r} twice, first in line {first}, needed it once")
            self.lines[*path, key] = _line(event)
            found[key] = None
            found[key] = self._value(next(events), events, (*path, key))
        return found

    def _list(self, events: Iterator[yaml.Event], path: Path) -> list[object]:
        found: list[object] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            found.append(self._value(event, events, (*path, len(found))))
        return found


def _scalar(event: yaml.Event) -> str | int | bool | None:
    text = str(getattr(event, "value", ""))
    if not getattr(event, "implicit", (False, True))[0]:
        return text  # quoted
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return int(text) if _INTEGER.fullmatch(text) else text


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
