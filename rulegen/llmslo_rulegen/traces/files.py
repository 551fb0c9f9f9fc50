"""Trace files from the disk: opened, unzipped, cut into pieces; a folder means its files, a `-` standard input."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.traces import messages, packing
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.messages import zstd
from llmslo_rulegen.traces.packing import Piece

STDIN = Path("-")
BLOCK_BYTES = 1 << 18
_EXAMPLES = "traces.json, traces-2026-11-22T10-00-00.000.json, spans.jsonl.gz or spans.pb"
# What the collector and log rotation append to a name stays a name of traces.
_NAME = re.compile(
    r"\.(?:json|jsonl|ndjson|pb|bin|otlp|proto|baseline)(?:[.-][0-9][0-9T:.-]*)?(?:\.(?:gz|gzip|zst|zstd))?\Z",
    re.IGNORECASE,
)
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib: with the header of gzip

Tell = Callable[[str, int], None]  # the file, and how many of its bytes were read


class TraceFileError(RulegenError):
    """A trace file cannot be read."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that are read, and those of folders whose names are none of traces."""

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


def listing(given: Sequence[Path]) -> Listing:
    """Return the files: a folder's in order of their names, hidden ones passed over; raises TraceFileError.

    A file that was given twice is read once, one that was given by its own name is always read.
    """
    found: dict[Path, Path] = {}
    left_out: list[Path] = []
    for path in given:
        inside = [path]
        if path.is_dir():
            every = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
            inside = [file for file in every if _NAME.search(file.name)]
            left_out += [file for file in every if not _NAME.search(file.name)]
            if not inside:
                msg = f"{path}: no file of this folder has a name of traces, such as {_EXAMPLES}; give it by its name"
                raise TraceFileError(msg)
        for file in inside:
            found.setdefault(file.resolve(), file)
    return Listing(tuple(found.values()), tuple(left_out))


def listed(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of a listing; raises TraceFileError."""
    return listing(given).files


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


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
            if not begin.strip():
                msg = f"{path}: it is empty; a trace file holds spans"
                raise TraceFileError(msg)
            yield from packing.pieces(str(path), begin, walk, packing.sniff(begin))
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise TraceFileError(msg) from error
    except packing.UnknownFormatError as error:
        msg = f"{path}: {error}"
        raise TraceFileError(msg) from error
    except DocumentError as error:
        msg = f"{path}: byte {error.at}: {error}"
        raise TraceFileError(msg) from error
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        msg = f"{path}: after {read} bytes: its compression is broken or ends in the middle: {error}"
        raise TraceFileError(msg) from error


def _again(begin: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield begin
    yield from rest


def _beginning(walk: Iterator[bytes]) -> bytes:
    begin = bytearray()
    for block in walk:
        begin += block
        if len(begin) >= packing.SNIFFED_BYTES:
            break
    return bytes(begin)


def _plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks unpacked where they are gzip or zstd (several members too), at most `BLOCK_BYTES` at once."""
    first = next(blocks, b"")
    if first.startswith(_GZIP):
        return _unzipped(_again(first, blocks))
    if first.startswith(messages.ZSTD):
        return _unpacked(_again(first, blocks))
    return _again(first, blocks)


def _unzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_WBITS)
    is_begun = False
    for block in blocks:
        rest = block
        while rest:
            is_begun = True
            yield member.decompress(rest, BLOCK_BYTES)
            rest = member.unconsumed_tail
            if member.eof:
                rest = member.unused_data.lstrip(b"\0")  # tar pads so
                member, is_begun = zlib.decompressobj(_GZIP_WBITS), False
    if is_begun:
        msg = "the last member of gzip has no end"
        raise EOFError(msg)


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    frame = zstd.ZstdDecompressor()
    is_begun = False
    for block in blocks:
        rest = block
        while rest or not frame.needs_input:
            is_begun = True
            yield frame.decompress(rest, BLOCK_BYTES)
            rest = b""
            if frame.eof:
                rest = frame.unused_data
                frame, is_begun = zstd.ZstdDecompressor(), False
    if is_begun:
        msg = "the last frame of zstd has no end"
        raise EOFError(msg)
