"""What the first and the last bytes of a stream say, when the kernel counted the rest."""

from __future__ import annotations

import re
from functools import reduce

from llmslo_exporter.dialects.dialect import Dialect, Facts
from llmslo_exporter.fragments import parse_json
from llmslo_exporter.json_array import JsonArray
from llmslo_exporter.ndjson import NdjsonLines
from llmslo_exporter.sse import Event, SseEvents

_NDJSON_TYPES = ("ndjson", "stream+json", "jsonl")  # as the automaton tells them
_LINE_END = re.compile(rb"[\r\n]")
_DONE = b"[DONE]"  # proxies append it to streams of every family


class Events:
    """The events of a stream by its content type: an event stream, NDJSON with a line as an event, or an array."""

    def __init__(self, content_type: str) -> None:
        is_ndjson = any(name in content_type.lower() for name in _NDJSON_TYPES)
        self._lines = NdjsonLines() if is_ndjson else None
        self._array = JsonArray() if not is_ndjson and "json" in content_type.lower() else None
        self._sse = SseEvents()

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that end in `data`."""
        if self._lines is not None:
            return [Event(b"", line) for line in self._lines.feed(data)]
        if self._array is not None:
            return [Event(b"", element) for element in self._array.feed(data)]
        return self._sse.feed(data)

    @property
    def dropped(self) -> int:
        """Return how many events were over the bound."""
        if self._array is not None:
            return self._array.dropped_elements
        return self._lines.dropped_lines if self._lines is not None else self._sse.dropped_events

    def rest(self) -> Event | None:
        """Return the event under way, as far as it came."""
        if self._lines is not None:
            line = self._lines.rest()
            return Event(b"", line) if line else None
        if self._array is not None:
            part = self._array.rest()
            return Event(b"", part) if part else None
        return self._sse.rest()


def event_facts(dialect: Dialect, event: Event) -> Facts:
    """Return what a whole event says, also that it says nothing that can be read."""
    facts = dialect.event(event)
    if facts == Facts() and event.data.strip() not in {b"", _DONE} and parse_json(event.data) is None:
        return Facts(unreadable=True)
    return facts


def excerpt_facts(dialect: Dialect, content_type: str, head: bytes, tail: bytes) -> Facts:
    """Return what the captured beginning and end of a stream's body say; the end may begin within an event.

    Content, finish reasons and choices of the two parts are not the stream's: those in between were not captured.
    """
    beginning = Events(content_type)
    facts = reduce(Facts.then, (event_facts(dialect, event) for event in beginning.feed(head)), Facts())
    cut = beginning.rest()
    if cut is not None:
        facts = facts.then(dialect.cut_answer(cut.data, b""))
    # Where the tail begins within a line, its first line need not look like a field of an event: it is read as JSON.
    facts = facts.then(dialect.cut_answer(b"", _LINE_END.split(tail.lstrip(b"\r\n"), maxsplit=1)[0]))
    ending = Events(content_type)
    first, *others = ending.feed(tail) or (None,)
    if first is not None:  # it may be the end of an event
        facts = facts.then(dialect.event(first))
    facts = reduce(Facts.then, (event_facts(dialect, event) for event in others), facts)
    last = ending.rest()  # a body may end without the blank line: its last event counts when it is whole
    return facts.then(dialect.event(last)) if last is not None else facts
