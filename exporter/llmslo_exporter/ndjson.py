"""Newline-delimited JSON, from bytes cut anywhere."""

from __future__ import annotations

# As for an event of an event stream: a line of a token stream is a few hundred bytes, images are the exception.
MAX_LINE_BYTES = 1024 * 1024


class NdjsonLines:
    """Split a stream into non-blank lines, whatever the read sizes; a line over the bound is dropped and counted."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._oversized = False
        self.dropped_lines = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that end in `data`, without line ends and surrounding blanks."""
        lines: list[bytes] = []
        # Not splitlines(): only LF ends a line, JSON may hold other separators.
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._extend(part)
            line = bytes(self._pending).strip()
            self.dropped_lines += self._oversized
            if line and not self._oversized:
                lines.append(line)
            self._pending.clear()
            self._oversized = False
        self._extend(rest)
        return lines

    def rest(self) -> bytes:
        """Return the line under way, as far as it came."""
        return bytes(self._pending).strip()

    def _extend(self, part: bytes) -> None:
        if len(self._pending) + len(part) > MAX_LINE_BYTES:
            self._oversized = True
            self._pending.clear()
        if not self._oversized:
            self._pending += part
