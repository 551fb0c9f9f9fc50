"""How bpf/scan.h runs the automaton: in blocks, eight bytes at a time, integers as wide as there.

A reference for tests: what the kernel counts in a read is what these functions count. A block is padded with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmslo_exporter import actions
from llmslo_exporter.automaton import Automaton

HEAD_BLOCK, STREAM_BLOCK, WORD = 32, 64, 8  # bpf/scan.h
DECIMAL, HEX = 10, 16  # base of Content-Length, of a chunk's size
U16, U64 = 2**16 - 1, 2**64 - 1


@dataclass(slots=True)
class Message:
    """What scan_head() reads and writes of `struct message`."""

    row: int
    value: int = 0
    flags: int = 0
    path: int = 0


@dataclass(slots=True)
class Tally:
    """`struct tally`: where a stream stands."""

    row: int
    open: int = 0
    content: int = 0
    output: int = 0
    choices: int = 0
    seen: int = 0
    finishes: int = 0

    def finish(self, reason: int) -> int:
        """Return how often the stream finished with a reason's number."""
        return self.finishes >> (8 * reason) & 0xFF


def read_head(table: Automaton, message: Message, data: bytes, base: int) -> int:
    """Read the bytes of one call as step_head() does; return how many belonged to the head or size line."""
    used = 0
    for at in range(0, len(data), HEAD_BLOCK):
        part = _scan_head(table, message, data[at : at + HEAD_BLOCK].ljust(HEAD_BLOCK, b"\0"), base)
        used += part
        if message.flags & (actions.BAD | actions.HEAD_END):
            break
        if part != len(data[at : at + HEAD_BLOCK]):  # a zero byte: no head that can be followed
            message.flags |= actions.BAD
            break
    return used


def _scan_head(table: Automaton, message: Message, block: bytes, base: int) -> int:
    used = 0
    for byte in block:
        message.row, action = table.step(message.row, byte)
        if action & actions.LENGTH:  # the first digit of the header's value
            message.value = 0
        if action & actions.DIGIT:
            message.value = (message.value * base + (byte & 15) + 9 * (byte >> 6)) & U64
        if action & actions.LLM:
            message.path = message.row
        message.flags |= action
        used += action & actions.USED
    return used


def read_stream(table: Automaton, tally: Tally, data: bytes, ends: int) -> None:
    """Read the bytes of one call as watch() does; `ends` is EVENT or LINE."""
    for at in range(0, len(data), STREAM_BLOCK):
        block = data[at : at + STREAM_BLOCK].ljust(STREAM_BLOCK, b"\0")
        for word in range(0, STREAM_BLOCK, WORD):
            _scan_word(table, tally, block[word : word + WORD], ends)


def _scan_word(table: Automaton, tally: Tally, word: bytes, ends: int) -> None:
    act = 0
    for byte in word:
        tally.row, action = table.step(tally.row, byte)
        act |= action
    tally.open |= act & (actions.OUTPUT | actions.REASONING | actions.TERMINAL)
    ended = ((act & ends) + 15) >> 4
    tally.content += (tally.open | tally.open >> 1) & ended
    tally.output += tally.open & ended
    tally.seen |= act & ~actions.TERMINAL | tally.open & actions.TERMINAL & (-ended & U64)
    tally.open &= (ended - 1) & U64
    number = act >> actions.NUMBER_SHIFT
    tally.choices = (tally.choices | (act >> 7 & 1) << (number & 15)) & U16
    tally.finishes = (tally.finishes + ((act >> 6 & 1) << (8 * (number & 7)))) & U64
