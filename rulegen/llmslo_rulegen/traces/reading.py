"""The calls of trace files, one after the other, in the order of the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from llmslo_rulegen.traces import files, readers
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.files import Piece, Tell, TraceFileError


def calls(paths: Sequence[Path], tell: Tell) -> Iterator[Call | Skipped]:
    """Yield what each span of these files tells, in their order; raises TraceFileError."""
    for path in files.listed(paths):
        for piece in files.pieces(path, tell):
            yield from of_piece(piece)


def of_piece(piece: Piece) -> Iterator[Call | Skipped]:
    """Yield what each span of a piece tells; raises TraceFileError with the place in the file."""
    try:
        yield from readers.calls(piece.format, piece.data)
    except DocumentError as error:
        msg = f"{piece.file}: {error}"
        raise TraceFileError(msg) from error
