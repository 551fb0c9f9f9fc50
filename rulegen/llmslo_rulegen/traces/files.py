"""Trace files from the disk: opened, unzipped, cut into pieces; a folder means its files, a `-` standard input."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.traces import packing
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.packing import Format

STDIN = Path("-")
BLOCK_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib: with the header of gzip

Tell = Callable[[str, int], None]  # the file, and how many of its bytes were read


class TraceFileError(RulegenError):
    """A trace file cannot be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a file's spans, as one array or message of its format."""

    file: str
    format: Format
    data: bytes


def listed(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files: a folder's in order of their names, hidden ones left out; raises TraceFileError."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
            if not inside:
                msg = f"{path}: no file is in this folder; give trace files or a folder of them"
                raise TraceFileError(msg)
            found += inside
        else:
            found.append(path)
    return tuple(found)


def pieces(path: Path, tell: Tell) -> Iterator[Piece]:
    """Yield a file's pieces; raises TraceFileError with the place where it stopped making sense."""
    read = 0

    def counted(file: BinaryIO) -> Iterator[bytes]:
        nonlocal read
        while block := file.read(BLOCK_BYTES):
            read += len(block)
            tell(str(path), read)
            yield block

    try:
        with sys.stdin.buffer if path == STDIN else path.open("rb") as file:
            walk = _plain(counted(file))
            begin = _beginning(walk)
            if not begin:
                msg = f"{path}: it is empty; a trace file holds spans"
                raise TraceFileError(msg)
            found = packing.sniff(begin)
            for data in packing.pieces(_again(begin, walk), found):
                yield Piece(str(path), found, data)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise TraceFileError(msg) from error
    except packing.UnknownFormatError as error:
        msg = f"{path}: {error}"
        raise TraceFileError(msg) from error
    except (DocumentError, zlib.error) as error:
        msg = f"{path}: after {read} bytes: {error}"
        raise TraceFileError(msg) from error


def _again(begin: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield begin
    yield from rest


def _beginning(walk: Iterator[bytes]) -> bytes:
    begin = b""
    for block in walk:
        begin += block
        if len(begin) >= packing.SNIFFED_BYTES:
            break
    return begin


def _plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks unzipped where they are gzip (several members too), at most `BLOCK_BYTES` at once."""
    first = next(blocks, b"")
    if not first.startswith(_GZIP):
        yield first
        yield from blocks
        return
    member = zlib.decompressobj(_GZIP_WBITS)
    for block in _again(first, blocks):
        rest = block
        while rest:
            yield member.decompress(rest, BLOCK_BYTES)
            rest = member.unconsumed_tail
            if member.eof:
                rest = member.unused_data.lstrip(b"\0")
                member = zlib.decompressobj(_GZIP_WBITS)
    yield member.flush()
