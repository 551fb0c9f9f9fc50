"""Compile dialects into the tables that the kernel runs over heads, chunk sizes and event streams.

A deterministic automaton over bytes, a row per state. The kernel reads it without a branch per byte (bpf/scan.h), so
what differs between dialects is data, not BPF code. A zero byte changes nothing in any state: short blocks are padded
with zeros.

The path of a request decides which wire reads the stream that answers it. The rows of heads stand at the same places in
every table, so that an exchange may go from the first one to the table of its wire when its request's head has ended.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from llmslo_exporter.actions import QUIET
from llmslo_exporter.errors import ExporterError
from llmslo_exporter.heads import Starts, build_heads
from llmslo_exporter.partition import partition
from llmslo_exporter.states import COLUMNS, Builder, action_of, target_of
from llmslo_exporter.streams import build_stream
from llmslo_exporter.wire import Wire

COLUMN_BITS = 8
ACTION_SHIFT = 19
ROW_MASK = (1 << ACTION_SHIFT) - 1
ROWS = 2048
TABLES = 4
WIRES = 16  # the rows after a path come first, so that the kernel finds a wire by its row
PACKED_BYTES = ROWS * COLUMNS * 4 + 96  # struct automaton


@dataclass(frozen=True, slots=True)
class Automaton:
    """The compiled tables: `tables[n][row | byte]`, rows premultiplied by COLUMNS, actions above ACTION_SHIFT.

    Outside of a table, a row carries the table's number in its low bits.
    """

    tables: tuple[array[int], ...]
    start_request: int
    start_response: int
    start_chunk: int
    start_next_chunk: int
    streams: tuple[int, ...]  # where the streams of each wire start

    @property
    def start_stream(self) -> int:
        """Where a stream starts whose request was not seen."""
        return self.streams[0]

    @property
    def rows(self) -> tuple[int, ...]:
        """How many rows each table has."""
        return tuple(len(table) >> COLUMN_BITS for table in self.tables)

    def pack(self) -> tuple[bytes, ...]:
        """Return each `struct automaton` of bpf/events.h."""
        starts = (self.start_request, self.start_response, self.start_chunk, self.start_next_chunk, *[0] * 4)
        streams = (*self.streams, *[0] * (WIRES - len(self.streams)))
        tail = struct.pack(f"<{8 + WIRES}I", *starts, *streams)
        return tuple(table.tobytes().ljust(ROWS * COLUMNS * 4, b"\0") + tail for table in self.tables)

    def step(self, row: int, byte: int) -> tuple[int, int]:
        """Return the next row and the actions, as the kernel computes them."""
        number = row & COLUMNS - 1
        entry = self.tables[number][(row ^ number) | byte]
        return entry & ROW_MASK | number, entry >> ACTION_SHIFT

    def stream_of(self, path: str) -> int:
        """Return where the stream starts that answers a request to `path`; 0: it is none of ours."""
        row = self.start_request
        for byte in b"POST %b " % path.encode():
            row, _ = self.step(row, byte)
        return self.streams[row >> COLUMN_BITS] if row >> COLUMN_BITS < len(self.streams) else 0


def compile_wires(wires: Sequence[Wire]) -> Automaton:
    """Return the automaton of all `wires` together; dialects may share one.

    Raises ExporterError when they need more rows or tables than the kernel has.
    """
    wires = tuple({wire.name: wire for wire in wires}.values())
    if len(wires) > WIRES:
        msg = f"there are {len(wires)} wires, the kernel tells {WIRES} apart: enlarge WIRES in bpf/events.h"
        raise ExporterError(msg)
    b = Builder()
    heads = build_heads(b, wires)
    parts = [0] * len(b.states)
    streams = []
    for number, wire in enumerate(wires, 1):
        streams.append(build_stream(b, wire))
        parts += [number] * (len(b.states) - len(parts))
    return _lay_out(_Classes.of(b, parts, heads.paths), heads, streams)


@dataclass(frozen=True, slots=True)
class _Classes:
    """The states that are left once those that do the same are one; part 0 are the heads, then come the wires."""

    of_state: Sequence[int]
    moves: Mapping[int, Sequence[int]]
    parts: Mapping[int, Sequence[int]]  # a part's classes

    @classmethod
    def of(cls, b: Builder, parts: Sequence[int], paths: Sequence[int]) -> _Classes:
        # What follows a path does the same for all, and yet tells them apart.
        apart: list[Hashable] = list(parts)
        for number, path in enumerate(paths):
            apart[path] = ("path", number)
        of_state = partition(b.states, apart)
        moves: dict[int, Sequence[int]] = {}
        members: dict[int, list[int]] = {part: [] for part in parts}
        # The paths' rows come first.
        for state in (*paths, *range(len(b.states))):
            if of_state[state] not in moves:
                moves[of_state[state]] = b.states[state].moves
                members[parts[state]].append(of_state[state])
        return cls(of_state, moves, members)

    def rows(self, numbers: Mapping[int, int], part: int) -> list[list[int]]:
        """Return the rows of a part whose classes stand at `numbers`."""
        rows = []
        for one in self.parts[part]:
            row = []
            for cell in self.moves[one]:
                target = self.of_state[target_of(cell)]
                row.append(numbers[target] << COLUMN_BITS | action_of(cell) << ACTION_SHIFT)
            row[0] = numbers[one] << COLUMN_BITS  # the zero byte
            rows.append(row)
        return rows


def _lay_out(classes: _Classes, heads: Starts, streams: Sequence[int]) -> Automaton:
    """Put the heads into every table, and each wire into the first that has room."""
    head_rows = {one: row for row, one in enumerate(classes.parts[0])}
    first = array("I", chain.from_iterable(classes.rows(head_rows, 0)))
    tables = [array("I", first)]
    starts = []
    for part, start in enumerate(streams, 1):
        need = len(classes.parts[part])
        if len(head_rows) + need > ROWS:
            msg = f"a dialect needs {len(head_rows) + need} rows, a table of the kernel has {ROWS}: see bpf/events.h"
            raise ExporterError(msg)
        table = next((n for n, cells in enumerate(tables) if (len(cells) >> COLUMN_BITS) + need <= ROWS), len(tables))
        if table == len(tables):
            tables.append(array("I", first))
        begin = len(tables[table]) >> COLUMN_BITS
        numbers = {one: row for row, one in enumerate(classes.parts[part], begin)}
        rows = classes.rows(numbers, part)
        _mark_quiet(rows, begin)
        tables[table].extend(chain.from_iterable(rows))
        starts.append(numbers[classes.of_state[start]] << COLUMN_BITS | table)
    if len(tables) > TABLES:
        msg = f"the dialects need {len(tables)} tables of {ROWS} rows, the kernel has {TABLES}: see bpf/events.h"
        raise ExporterError(msg)
    request, response, chunk, next_chunk = (head_rows[classes.of_state[state]] << COLUMN_BITS for state in heads.rows)
    return Automaton(tuple(tables), request, response, chunk, next_chunk, tuple(starts))


def _mark_quiet(rows: list[list[int]], begin: int) -> None:
    """Let the kernel pass over words in states where only quotes, backslashes and line ends do anything."""
    quiet = {
        stay for stay, row in zip(count(begin << COLUMN_BITS, COLUMNS), rows, strict=False) if _is_quiet(row, stay)
    }
    for row in rows:
        for byte in range(1, COLUMNS):
            if row[byte] & ROW_MASK in quiet:
                row[byte] |= QUIET << ACTION_SHIFT


def _is_quiet(row: Sequence[int], stay: int) -> bool:
    calm = list(row)
    for byte in b'\0"\\\n\r':
        calm[byte] = stay
    return calm == [stay] * COLUMNS
