"""JSON documents of any size as runs of the elements of an array, in bounded memory.

A trace export may be a single document of gigabytes, and a JSON parser wants it whole. Here numpy finds the brackets
of each block: quotes that are no escaped ones switch strings on and off, brackets outside strings change the depth, and
the elements of an array are what stands between two returns to its depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

_QUOTE = 0x22
_CASE = 0xDF  # `[` and `{`, `]` and `}` differ in the bit that is no part of it
_OPENING, _CLOSING = 0x5B, 0x5D
_KEY = re.compile(rb'"([A-Za-z]+)"\s*:\s*\[\Z')
_KEY_BYTES = 256  # a key and the spaces after it
_DEEPEST_ARRAY = 3  # Tempo: {"trace": {"resourceSpans": [
_DOWN_TO_PARTS = 4  # an object, its array, an object of that, its array: ResourceSpans to spans
_RESOURCE = b'"resource"'
_BETWEEN = b", \t\r\n"

Positions = NDArray[np.int64]


class DocumentError(ValueError):
    """The bytes are no JSON document that holds the array, or end within it, or one element of it is too long."""


class Brackets:
    """Where a document's brackets stand, block by block; what is open at the end of one stays open in the next."""

    def __init__(self) -> None:
        self.depth = 0
        self._is_string = 0
        self._is_escaped = False

    def feed(self, block: bytes) -> tuple[Positions, Positions]:
        """Return the positions of a block's brackets and the depth after each; an opening one counts itself."""
        data = np.frombuffer(self._unescaped(block), np.uint8)
        quotes = np.flatnonzero(data == _QUOTE)
        kind = data & _CASE
        at = np.flatnonzero((kind == _OPENING) | (kind == _CLOSING))
        at = at[(np.searchsorted(quotes, at) + self._is_string) & 1 == 0]
        depth = self.depth + np.cumsum(np.where(kind[at] == _OPENING, 1, -1))
        self._is_string = (len(quotes) + self._is_string) & 1
        if len(at):
            self.depth = int(depth[-1])
        return at, depth

    def _unescaped(self, block: bytes) -> bytes:
        """Blank escaped quotes and backslashes, left to right as pairs are read; the length stays."""
        if self._is_escaped and block:
            block = b"_" + block[1:]
        plain = block.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._is_escaped = plain.endswith(b"\\")
        return plain


class Runs:
    """Cuts the first array of each document that is called one of `names` (or is the root) into runs of elements.

    Each run is a JSON array by itself. An element longer than `limit_bytes` is closed after the last complete part of
    the array within an array within it (the spans of a ScopeSpans of a ResourceSpans), and opened anew with its heads.
    """

    def __init__(self, names: Iterable[str], limit_bytes: int) -> None:
        self._names = {name.encode() for name in names}
        self._limit = limit_bytes
        self._brackets = Brackets()
        self._held = b""  # what no run has taken yet
        self._at: list[Positions] = []  # brackets of what is held
        self._depth: list[Positions] = []
        self._found = False
        self._array = 0  # depth of the array; 0: not found yet
        self._is_over = False  # the array ended, its document may not have

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the runs that a block completes; raises DocumentError."""
        at, depth = self._brackets.feed(block)
        if len(depth) and depth.min() < 0:
            msg = "a bracket closes that was never opened"
            raise DocumentError(msg)
        self._at.append(at + len(self._held))
        self._depth.append(depth)
        self._held += block
        while self._array or self._find():
            if not self._is_over:
                yield from self._complete()
            if not self._is_over or not self._leave():
                break
        if not self._is_over and self._array and len(self._held) > self._limit:
            yield self._divide()

    def end(self) -> None:
        """Raise DocumentError where a document is not closed, or there was none."""
        if self._array or self._brackets.depth:
            msg = "it ends in the middle"
            raise DocumentError(msg)
        if self._held.strip() or not self._found:
            msg = f"it holds no array called {self._called}"
            raise DocumentError(msg)

    @property
    def _called(self) -> str:
        return " or ".join(sorted(name.decode() for name in self._names))

    def _leave(self) -> bool:
        """Pass over the rest of a document; return whether it ended."""
        at, depth = self._joined()
        ends = at[depth == 0]
        self._drop(int(ends[0]) + 1 if len(ends) else len(self._held))
        if len(ends):
            self._array, self._is_over = 0, False
        return bool(len(ends))

    def _joined(self) -> tuple[Positions, Positions]:
        if len(self._at) > 1:
            self._at, self._depth = [np.concatenate(self._at)], [np.concatenate(self._depth)]
        return self._at[0], self._depth[0]

    def _find(self) -> bool:
        at, depth = self._joined()
        for position, level in zip(*(found[depth <= _DEEPEST_ARRAY].tolist() for found in (at, depth)), strict=True):
            if self._held[position] != _OPENING:
                continue
            key = _KEY.search(self._held, max(position - _KEY_BYTES, 0), position + 1)
            if (key and key[1] in self._names) or (level == 1 and not self._held[:position].strip()):
                self._array, self._found = level, True
                self._drop(position + 1)
                return True
        if len(self._held) > self._limit:
            msg = f"its first {self._limit} bytes hold no array called {self._called}"
            raise DocumentError(msg)
        return False

    def _drop(self, count: int) -> None:
        at, depth = self._joined()
        rest = at >= count
        self._at, self._depth = [at[rest] - count], [depth[rest]]
        self._held = self._held[count:]

    def _complete(self) -> Iterator[bytes]:
        at, depth = self._joined()
        left = np.flatnonzero(depth < self._array)
        if len(left):
            self._is_over = True
            at, depth = at[: left[0]], depth[: left[0]]
        ends = at[depth == self._array]
        if len(ends):
            cut = int(ends[-1]) + 1
            yield b"[" + self._held[:cut].lstrip(_BETWEEN) + b"]"
            self._drop(cut)

    def _divide(self) -> bytes:
        """Return what of the open element stands before its last part; that part is opened anew with the same heads."""
        at, depth = self._joined()
        data = np.frombuffer(self._held, np.uint8)
        is_opening = data[at] & _CASE == _OPENING
        opened = [at[(depth == self._array + level) & is_opening] for level in range(_DOWN_TO_PARTS + 2)]
        starts = opened[-1]
        for arrays in (opened[2], opened[4]):  # both of them arrays, not the objects that stand as deep elsewhere
            starts = starts[starts > arrays[0]] if len(arrays) else starts[:0]
            starts = starts[data[arrays[np.searchsorted(arrays, starts) - 1]] == _OPENING]
        if not len(starts):
            raise DocumentError(self._too_long)
        start = int(starts[-1])
        outer, part, parts = (int(found[np.searchsorted(found, start) - 1]) for found in opened[2:5])
        if _RESOURCE not in self._held[:outer]:
            msg = "what its spans belong to (resource) stands behind them, and they are too many to hold"
            raise DocumentError(msg)
        heads = self._held[: outer + 1] + self._held[part : parts + 1]
        if len(heads) >= start:
            raise DocumentError(self._too_long)
        run = b"[" + self._held[:start].strip(_BETWEEN) + b"]}]}]"
        moved = at - np.where(at >= start, start - len(heads), np.where(at > outer, part - (outer + 1), 0))
        kept = (at <= outer) | ((at >= part) & (at <= parts)) | (at >= start)
        self._at, self._depth = [moved[kept]], [depth[kept]]
        self._held = heads + self._held[start:]
        return run

    @property
    def _too_long(self) -> str:
        return f"an element of its array, or a part of one, is longer than {self._limit} bytes"
