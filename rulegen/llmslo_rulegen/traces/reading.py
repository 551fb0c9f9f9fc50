"""The calls of trace files, one after the other, in the order of the files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmslo_rulegen.traces import files, readers
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.files import Tell, TraceFileError
from llmslo_rulegen.traces.packing import Piece

_BYTE = re.compile(r" \(byte ([0-9]+)\)")


def calls(paths: Sequence[Path], tell: Tell) -> Iterator[Call | Skipped]:
    """Yield what each span of these files tells, in their order; raises TraceFileError."""
    for path in files.listed(paths):
        for piece in files.pieces(path, tell):
            yield from of_piece(piece)


def of_piece(piece: Piece) -> Sequence[Call | Skipped]:
    """Return what each span of a piece tells; raises TraceFileError with the place in the file."""
    try:
        return readers.calls(piece.format, piece.data)
    except DocumentError as error:
        msg = f"{piece.file}: {_place(piece, str(error))}: {_BYTE.sub('', str(error))}"
        raise TraceFileError(msg) from error


def _place(piece: Piece, text: str) -> str:
    found = _BYTE.search(text)
    if not found:
        return f"from line {piece.line} on" if piece.line else f"from byte {piece.at} on"
    byte = int(found[1])
    if piece.line:
        before = piece.data.count(b"\n", 0, byte)
        return f"line {piece.line + before}"
    return f"byte {piece.at + max(byte - 1, 0)}"
