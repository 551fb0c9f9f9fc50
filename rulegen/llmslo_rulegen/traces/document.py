"""JSON documents of any size as runs of the elements of an array, in bounded memory.

A trace export may be a single document of gigabytes, and a JSON parser wants it whole. Here numpy finds the brackets
of each block: quotes that are no escaped ones switch strings on and off, brackets outside strings change the depth, and
the elements of an array are what stands between two returns to its depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUOTE = 0x22
_CASE = 0xDF  # `[` and `{`, `]` and `}` differ in the bit that is no part of it
_OPENING, _CLOSING = 0x5B, 0x5D
_KEY = re.compile(rb'"([A-Za-z]+)"\s*:\s*\[\Z')
_KEY_BYTES = 256  # a key and the spaces after it
_DEEPEST_ARRAY = 4  # answers of Tempo in an array: [{"trace": {"resourceSpans": [
_DOWN_TO_PARTS = 4  # an object, its array, an object of that, its array: ResourceSpans to spans
_RESOURCE = b'"resource"'
_BETWEEN = b", \t\r\n"

Positions = NDArray[np.int64]


class DocumentError(ValueError):
    """The bytes are no JSON document that holds the array, or end within it, or one element of it is too long.

    `at` is the byte where it shows, counted from the beginning of what was read.
    """

    def __init__(self, text: str, at: int = 0) -> None:
        self.at = at
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Run:
    """Some elements, as a JSON array; the first of them began `at` that byte."""

    at: int
    data: bytes


class Brackets:
    """Where a document's brackets stand, block by block; what is open at the end of one stays open in the next."""

    def __init__(self) -> None:
        self.depth = 0
        self._is_string = 0
        self._is_escaped = False

    @property
    def is_open(self) -> bool:
        """Tell whether a bracket or a string is open."""
        return bool(self.depth or self._is_string)

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
    """Cuts each array that is called one of `names` into runs of elements; without names, the array that is the root.

    An element longer than `part_bytes` is closed after the last complete part of the array within an array within it
    (the spans of a ScopeSpans of a ResourceSpans), and opened anew with its heads. What cannot be divided so is held
    whole, up to `limit_bytes`.
    """

    def __init__(self, names: Iterable[str], part_bytes: int, limit_bytes: int) -> None:
        self._names = {name.encode() for name in names}
        self._part, self._limit = part_bytes, limit_bytes
        self._brackets = Brackets()
        self._base = 0  # where in all bytes what is held begins
        self._held = bytearray()  # what no run has taken yet
        self._at: list[Positions] = []  # brackets of what is held
        self._depth: list[Positions] = []
        self._found = False
        self._array = 0  # depth of the array; 0: in none
        self._next = part_bytes  # so much is held before an element is divided

    def feed(self, block: bytes) -> Iterator[Run]:
        """Yield the runs that a block completes; raises DocumentError."""
        at, depth = self._brackets.feed(block)
        if len(depth) and depth.min() < 0:
            wrong = int(at[depth < 0][0])
            msg = "a bracket closes that was never opened"
            raise DocumentError(msg, self._base + len(self._held) + wrong)
        self._at.append(at + len(self._held))
        self._depth.append(depth)
        self._held += block
        is_within = self._array and len(depth) and depth.min() > self._array
        while not is_within and (self._array or self._find()):
            yield from self._complete()
            if self._array:
                break
        if self._array and len(self._held) > self._next:
            yield from self._divide()

    def end(self) -> None:
        """Raise DocumentError where a document is not closed, or there was none, or something stands behind it."""
        end = self._base + len(self._held)
        if self._array or self._brackets.is_open:
            msg = "it ends in the middle"
            raise DocumentError(msg, end)
        at, _ = self._joined()
        rest = bytes(self._held[int(at[-1]) + 1 if len(at) else 0 :]).strip()
        if not self._found:
            msg = f"it holds no array {self._called}"
            raise DocumentError(msg, end)
        if rest:
            msg = "something that is no JSON stands behind the document"
            raise DocumentError(msg, end - len(rest))

    @property
    def _called(self) -> str:
        return f"called {' or '.join(sorted(name.decode() for name in self._names))}" if self._names else "of spans"

    def _joined(self) -> tuple[Positions, Positions]:
        if len(self._at) != 1:
            none = np.zeros(0, np.int64)
            self._at, self._depth = [np.concatenate([none, *self._at])], [np.concatenate([none, *self._depth])]
        return self._at[0], self._depth[0]

    def _find(self) -> bool:
        at, depth = self._joined()
        for position, level in zip(*(found[depth <= _DEEPEST_ARRAY].tolist() for found in (at, depth)), strict=True):
            if self._held[position] != _OPENING:
                continue
            key = _KEY.search(self._held, max(position - _KEY_BYTES, 0), position + 1)
            if key[1] in self._names if key and self._names else level == 1 and not self._names:
                self._array, self._found = level, True
                self._drop(position + 1)
                return True
        self._drop(max(len(self._held) - _KEY_BYTES, 0))
        if not self._found and self._base > self._limit:
            msg = f"its first {self._limit} bytes hold no array {self._called}"
            raise DocumentError(msg, self._base)
        return False

    def _drop(self, count: int) -> None:
        at, depth = self._joined()
        rest = at >= count
        self._at, self._depth = [at[rest] - count], [depth[rest]]
        del self._held[:count]
        self._base += count
        self._next = self._part

    def _complete(self) -> Iterator[Run]:
        at, depth = self._joined()
        left = np.flatnonzero(depth < self._array)
        over = int(at[left[0]]) if len(left) else None
        if over is not None:
            at, depth = at[: left[0]], depth[: left[0]]
        ends = at[depth == self._array]
        if len(ends):
            cut = int(ends[-1]) + 1
            yield self._run(bytes(self._held[:cut]), b"]")
            self._drop(cut)
            over = None if over is None else over - cut
        if over is not None:
            self._drop(over + 1)
            self._array = 0

    def _run(self, text: bytes, closing: bytes) -> Run:
        elements = text.lstrip(_BETWEEN)
        return Run(self._base + len(text) - len(elements), b"[" + elements + closing)

    def _divide(self) -> Iterator[Run]:
        """Yield what of the open element stands before its last part, which is opened anew with the same heads."""
        start, outer, part, parts = self._last_part()
        heads = self._held[: outer + 1] + self._held[part : parts + 1] if start else self._held
        if len(heads) >= max(start, 1):
            if len(self._held) > self._limit:
                msg = f"an element of its array is longer than {self._limit} bytes"
                raise DocumentError(msg, self._base)
            self._next *= 2
            return
        if _RESOURCE not in self._held[:outer]:
            msg = "the resource of its spans stands behind them, and they are too many"
            raise DocumentError(msg, self._base)
        yield self._run(bytes(self._held[:start]).rstrip(_BETWEEN), b"]}]}]")
        at, depth = self._joined()
        moved = at - np.where(at >= start, start - len(heads), np.where(at > outer, part - (outer + 1), 0))
        kept = (at <= outer) | ((at >= part) & (at <= parts)) | (at >= start)
        self._at, self._depth = [moved[kept]], [depth[kept]]
        self._base += start - len(heads)
        self._held = heads + self._held[start:]
        self._next = self._part

    def _last_part(self) -> tuple[int, int, int, int]:
        """Return where the last part begins, and the array, the object and the array that it is in; zeros for none."""
        at, depth = self._joined()
        data = np.frombuffer(bytes(self._held), np.uint8)
        is_opening = data[at] & _CASE == _OPENING
        opened = [at[(depth == self._array + level) & is_opening] for level in range(_DOWN_TO_PARTS + 2)]
        starts = opened[-1]
        for arrays in (opened[2], opened[4]):  # both of them arrays, not the objects that stand as deep elsewhere
            starts = starts[starts > arrays[0]] if len(arrays) else starts[:0]
            starts = starts[data[arrays[np.searchsorted(arrays, starts) - 1]] == _OPENING]
        if not len(starts):
            return 0, 0, 0, 0
        start = int(starts[-1])
        outer, part, parts = (int(found[np.searchsorted(found, start) - 1]) for found in opened[2:5])
        return start, outer, part, parts
