"""The elements of a JSON array that comes in pieces, from bytes cut anywhere."""

from __future__ import annotations

import re

# As for an event of an event stream.
MAX_ELEMENT_BYTES = 1024 * 1024

_SIGN = re.compile(rb'["\\{}]')
_IN_STRING = re.compile(rb'["\\]')


class JsonArray:
    """Split an array into the objects it holds, whatever the read sizes; one over the bound is dropped and counted."""

    def __init__(self) -> None:
        self._is_array: bool | None = None  # None: nothing but blanks came
        self._pending = bytearray()  # the object under way
        self._depth = 0
        self._in_string = False
        self._after_backslash = False
        self._oversized = False
        self.dropped_elements = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the objects that end in `data`."""
        found: list[bytes] = []
        if self._is_array is None and data.strip():
            self._is_array = data.lstrip().startswith(b"[")
        if not self._is_array:
            return found
        at = start = 0
        if self._after_backslash and data:
            self._after_backslash, at = False, 1
        while (sign := (_IN_STRING if self._in_string else _SIGN).search(data, at)) is not None:
            at = sign.end()
            if sign[0] == b"\\":
                self._after_backslash = at == len(data)
                at += 1
            elif sign[0] == b'"':
                self._in_string = not self._in_string
            elif self._turn(sign[0]):
                if sign[0] == b"{":
                    start = sign.start()
                else:
                    self._end(data[start:at], found)
                    start = at
        if self._depth:
            self._extend(data[start:])
        return found

    def _turn(self, bracket: bytes) -> bool:
        """Count a bracket; tell whether an object of the array begins or ends with it."""
        was = self._depth
        self._depth = was + 1 if bracket == b"{" else max(0, was - 1)
        return 0 in {was, self._depth} and was != self._depth

    def rest(self) -> bytes:
        """Return the object under way, as far as it came."""
        return bytes(self._pending)

    def _end(self, part: bytes, found: list[bytes]) -> None:
        self._extend(part)
        if self._oversized:
            self.dropped_elements += 1
        else:
            found.append(bytes(self._pending))
        self._pending.clear()
        self._oversized = False

    def _extend(self, part: bytes) -> None:
        self._oversized = self._oversized or len(self._pending) + len(part) > MAX_ELEMENT_BYTES
        if self._oversized:
            self._pending.clear()
        else:
            self._pending += part
