"""A file's bytes read in blocks of any sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from llmslo_rulegen.traces import packing
from llmslo_rulegen.traces.packing import Format, Piece


def pieces(data: bytes, found: Format, cuts: Iterable[int]) -> Iterator[Piece]:
    """Yield the pieces of content without a mark of UTF-8, read as if each block ended at a cut."""
    blocks = iter([data[start:end] for start, end in pairwise((0, *cuts, len(data)))])
    if found is Format.OTLP_PROTO:
        return packing._messages("x", blocks)
    if found is Format.OTLP and packing.has_lines(data):
        return packing.lines("x", blocks)
    return packing._runs("x", found, blocks, packing._NAMES[found] if packing._NAMED.search(data) else ())
