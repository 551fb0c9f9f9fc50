"""Server-sent events (WHATWG HTML 9.2.6), from bytes cut anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One event of a token stream is under 4 KB (recorded); audio deltas are the largest known at some 100 KB.
MAX_EVENT_BYTES = 1024 * 1024

# Not splitlines(): JSON may hold U+2028 or U+0085, which SSE does not treat as line ends.
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (empty: none), its data lines joined by a line feed, its lines of unknown fields verbatim.

    The unknown ones matter: older llama.cpp reports an in-stream error as a line `error: {json}`.
    """

    name: bytes
    data: bytes
    others: tuple[bytes, ...] = ()


class SseEvents:
    """Split an event stream into events, whatever the read sizes; an event over the bound is dropped and counted."""

    def __init__(self) -> None:
        self._pending = bytearray()  # the line under way
        self._after_cr = False
        self._at_start = True
        self._clear_event()
        self.dropped_events = 0

    def _clear_event(self) -> None:
        self._name = b""
        self._data: list[bytes] = []
        self._others: list[bytes] = []
        self._kept_bytes = 0
        self._oversized = False

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that end in `data`."""
        if not data:
            return []
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        events: list[Event] = []
        start = 0
        for match in _LINE_END.finditer(data):
            self._extend(data[start : match.start()])
            start = match.end()
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._extend(data[start:])
        return events

    def rest(self) -> Event | None:
        """Return the event under way, as far as it came; the standard discards it, a cut capture may not."""
        if self._pending and not self._oversized:
            self._take(self._line())
            self._pending.clear()
        return self._event()

    def _extend(self, part: bytes) -> None:
        if self._kept_bytes + len(self._pending) + len(part) > MAX_EVENT_BYTES:
            self._oversized = True
            self._data.clear()
            self._others.clear()
            self._kept_bytes = 0
        if self._oversized:
            # Of a dropped event only the blank line that ends it matters: one byte a line tells it from the others.
            part = bytes(self._pending[:1]) or part[:1]
            self._pending.clear()
        self._pending += part

    def _line(self) -> bytes:
        line = bytes(self._pending)
        return line.removeprefix(_BOM) if self._at_start else line

    def _end_line(self) -> Event | None:
        line = self._line()
        self._pending.clear()
        self._at_start = False
        if line:
            if not self._oversized:
                self._take(line)
            return None
        event = self._event()
        self.dropped_events += self._oversized
        self._clear_event()
        return event

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._kept_bytes += len(line)
        elif field == b"event":
            self._name = value
        elif field not in {b"", b"id", b"retry"}:  # an empty field name is a comment
            self._others.append(line)
            self._kept_bytes += len(line)

    def _event(self) -> Event | None:
        if not self._data and not self._others:
            return None
        return Event(self._name, b"\n".join(self._data), tuple(self._others))
