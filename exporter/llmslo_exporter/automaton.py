"""Compile dialects into the one table that the kernel runs over heads, chunk sizes and event streams.

A deterministic automaton over bytes, a row per state. The kernel reads it without a branch per byte (bpf/scan.h), so
what differs between dialects is data, not BPF code. A zero byte changes nothing in any state: short blocks are padded
with zeros.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from llmslo_exporter.errors import ExporterError
from llmslo_exporter.heads import Starts, build_heads
from llmslo_exporter.states import ACTION_SHIFT, COLUMN_BITS, COLUMNS, ROW_MASK, Builder, move
from llmslo_exporter.streams import build_stream
from llmslo_exporter.wire import Wire

ROWS = 2048
PACKED_BYTES = ROWS * COLUMNS * 4 + 32  # struct automaton


@dataclass(frozen=True, slots=True)
class Automaton:
    """The compiled table: `next[row | byte]`, rows premultiplied by COLUMNS, actions above ACTION_SHIFT."""

    next: array[int]
    start_request: int
    start_response: int
    start_chunk: int
    start_next_chunk: int
    start_stream: int
    rows: int

    def pack(self) -> bytes:
        """Return `struct automaton` of bpf/events.h."""
        starts = (self.start_request, self.start_response, self.start_chunk, self.start_next_chunk, self.start_stream)
        return self.next.tobytes().ljust(ROWS * COLUMNS * 4, b"\0") + struct.pack("<8I", *starts, 0, 0, 0)

    def step(self, row: int, byte: int) -> tuple[int, int]:
        """Return the next row and the actions, as the kernel computes them."""
        entry = self.next[row | byte]
        return entry & ROW_MASK, entry >> ACTION_SHIFT


def compile_wires(wires: Sequence[Wire]) -> Automaton:
    """Return the automaton of all `wires` together.

    Raises ExporterError when they need more rows than the kernel's table has.
    """
    b = Builder()
    starts = build_heads(b, [path for wire in wires for path in wire.paths])
    return _pack(b, starts, build_stream(b, wires))


def _pack(b: Builder, starts: Starts, stream: int) -> Automaton:
    if len(b.states) > ROWS:
        msg = f"the dialects need {len(b.states)} rows, the kernel's table has {ROWS}: enlarge it in bpf/events.h"
        raise ExporterError(msg)
    cells = array("I")
    for number, state in enumerate(b.states):
        cells.extend(state.moves)
        cells[number << COLUMN_BITS] = move(number)  # the zero byte
    return Automaton(
        next=cells,
        start_request=starts.request << COLUMN_BITS,
        start_response=starts.response << COLUMN_BITS,
        start_chunk=starts.chunk << COLUMN_BITS,
        start_next_chunk=starts.next_chunk << COLUMN_BITS,
        start_stream=stream << COLUMN_BITS,
        rows=len(b.states),
    )
