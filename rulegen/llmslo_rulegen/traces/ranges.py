"""A large file as ranges that are read apart, each by a process of its own that opens the file itself.

Lines are cut at line ends. A document is cut where an element of its array seems to begin: `,{"resource":` stands in no
string, where quotes are escaped, but may stand deeper in an unusual document. Then a range is no list of elements, its
reader says so, and the file is read anew from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llmslo_rulegen.traces import packing
from llmslo_rulegen.traces.document import Runs
from llmslo_rulegen.traces.packing import Format, Piece

RANGE_BYTES = 8 << 20
FEWEST_BYTES = 16 << 20  # of a file; a smaller one is read before other processes have started
_MOST_BYTES = 4 * RANGE_BYTES  # a range without an end: the file is read in one go
_WINDOW_BYTES = 1 << 18
_OVERLAP = 64  # an end may lie across two windows
_BLOCK_BYTES = 1 << 18
_LINE = re.compile(rb"\n")
_ELEMENT = re.compile(rb",\s{0,20}(?=\{\s{0,20}\"resource\"\s{0,5}:)")
_DOCUMENT = re.compile(
    rb"\s{0,99}\{\s{0,99}\"(?:resourceSpans|batches)\"\s{0,9}:\s{0,9}\[\s{0,99}\{\s{0,99}\"resource\""
)
_HEAD = b'{"resourceSpans":['


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a file, from `begin` to before `end`: whole lines, or whole elements of its array."""

    path: Path
    begin: int
    end: int
    has_lines: bool
    is_last: bool


def ranges(path: Path) -> tuple[Range, ...]:
    """Return a file's ranges; none where it has to be read in one go. Raises OSError."""
    if not path.is_file() or path.stat().st_size < FEWEST_BYTES:
        return ()
    with path.open("rb") as file:
        begin = file.read(packing.SNIFFED_BYTES)
        has_lines = packing.has_lines(begin)
        if not has_lines and not _DOCUMENT.match(begin):
            return ()
        found = tuple(_cut(file, path, has_lines=has_lines))
        return found if all(one.end - one.begin <= _MOST_BYTES for one in found) else ()


def _cut(file: BinaryIO, path: Path, *, has_lines: bool) -> Iterator[Range]:
    size = path.stat().st_size
    begin = 0
    while begin < size:
        end = _end(file, begin + RANGE_BYTES, _LINE if has_lines else _ELEMENT)
        yield Range(path, begin, size if end is None else end, has_lines, is_last=end is None)
        if end is None:
            return
        begin = end


def _end(file: BinaryIO, at: int, mark: re.Pattern[bytes]) -> int | None:
    """Return where the first mark after `at` ends; None: the file does before."""
    file.seek(at)
    held = b""
    while window := file.read(_WINDOW_BYTES):
        base = file.tell() - len(window) - len(held)
        held += window
        found = mark.search(held)
        if found:
            return base + found.end()
        held = held[-_OVERLAP:]
    return None


def pieces(found: Range) -> Iterator[Piece]:
    """Yield a range's pieces; raises DocumentError where it is none after all, OSError."""
    name = str(found.path)
    with found.path.open("rb") as file:
        file.seek(found.begin)
        if found.has_lines:
            yield from packing.lines(name, _blocks(file, found))
        elif found.begin and not found.is_last:
            text = file.read(found.end - found.begin).rstrip(b", \t\r\n")
            yield Piece(name, Format.OTLP, b"[" + text + b"]", found.begin)
        else:
            runs = Runs(("resourceSpans", "batches"), packing.PART_BYTES, packing.ELEMENT_BYTES)
            if found.begin:
                tuple(runs.feed(_HEAD))
            for block in _blocks(file, found):
                for run in runs.feed(block):
                    yield Piece(name, Format.OTLP, run.data, found.begin + run.at)
            if found.is_last:
                runs.end()


def _blocks(file: BinaryIO, found: Range) -> Iterator[bytes]:
    left = found.end - found.begin
    while left and (block := file.read(min(_BLOCK_BYTES, left))):
        left -= len(block)
        yield block
