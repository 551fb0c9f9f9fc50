"""States of an automaton over bytes, by name, as they are being put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

WHITE = b" \t"
DIGITS = b"0123456789"
NEWLINE, RETURN = 0x0A, 0x0D


COLUMNS = 256
# While it is put together an automaton has more states than the kernel's table has rows.
_ACTION_SHIFT = 32


def move(target: int, action: int = 0) -> int:
    """Return a state's cell: the state that a byte leads to, and the actions that it raises."""
    return target | action << _ACTION_SHIFT


def target_of(cell: int) -> int:
    """Return the state to which a cell leads."""
    return cell & (1 << _ACTION_SHIFT) - 1


def action_of(cell: int) -> int:
    """Return the actions that a cell raises."""
    return cell >> _ACTION_SHIFT


@dataclass(slots=True)
class State:
    """One state: its cell for every byte."""

    name: str
    moves: list[int]


@dataclass(slots=True)
class Builder:
    """States by name. A new one stays where it is whatever comes."""

    states: list[State] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def state(self, name: str) -> int:
        """Return the number of the state called `name`, making it when it is new."""
        if name not in self.names:
            number = len(self.states)
            self.names[name] = number
            self.states.append(State(name, [move(number)] * COLUMNS))
        return self.names[name]

    def on(self, source: int, bytes_: Iterable[int], target: int, action: int = 0) -> None:
        """Let each of `bytes_` lead from `source` to `target`."""
        moves, cell = self.states[source].moves, move(target, action)
        for byte in bytes_:
            moves[byte] = cell

    def otherwise(self, source: int, target: int, action: int = 0) -> None:
        """Let every byte lead from `source` to `target`; call before `on`."""
        self.states[source].moves = [move(target, action)] * COLUMNS

    def like(self, source: int, model: int, *, but: Iterable[int] = (), extra: int = 0) -> None:
        """Give `source` the moves of `model`, except for the bytes in `but`; `extra` actions come on top."""
        state, copied = self.states[source], self.states[model].moves
        moves = [cell | move(0, extra) for cell in copied] if extra else copied.copy()
        for byte in but:
            moves[byte] = state.moves[byte]
        state.moves = moves

    def spell(
        self, name: str, root: int, words: Iterable[bytes], other: int, *, fold: bool = False
    ) -> dict[bytes, int]:
        """Give each prefix of `words` a state, `root` the empty one; a byte that spells none moves as in `other`.

        Returns the states by prefix. `fold`: upper case spells as well.
        """
        prefixes = {word[:i] for word in words for i in range(len(word) + 1)} | {b""}
        numbers = {prefix: self.state(f"{name}:{prefix!r}") if prefix else root for prefix in sorted(prefixes)}
        for number in numbers.values():
            self.like(number, other)
        for prefix, number in numbers.items():
            if prefix:
                letter = prefix[-1:]
                self.on(numbers[prefix[:-1]], letter.lower() + letter.upper() if fold else letter, number)
        return numbers

    def literal(self, name: str, text: bytes, source: int, target: int, bad: tuple[int, int]) -> None:
        """Let exactly `text` lead from `source` to `target`, anything else to the state and action of `bad`."""
        here = source
        for i, byte in enumerate(text):
            there = target if i == len(text) - 1 else self.state(f"{name}:{i}")
            self.otherwise(here, *bad)
            self.on(here, [byte], there)
            here = there

    def search(
        self, name: str, patterns: Mapping[bytes, int], stop: Mapping[int, int], *, fold: bool
    ) -> dict[bytes, int]:
        """States that look for any of `patterns` (Aho-Corasick) until a byte of `stop` (byte -> state) leads away.

        A pattern's last byte raises its action. Returns the states by what has been matched.
        """
        prefixes = {p[:i] for p in patterns for i in range(len(p) + 1)} | {b""}
        numbers = {p: self.state(f"{name}:{p!r}") for p in sorted(prefixes)}
        for prefix, number in numbers.items():
            for byte in range(256):
                found = prefix + (bytes([byte]).lower() if fold else bytes([byte]))
                action = 0
                for pattern, raised in patterns.items():
                    action |= raised if found.endswith(pattern) else 0
                while found not in numbers:
                    found = found[1:]
                self.on(number, [byte], numbers[found], action)
            for byte, target in stop.items():
                self.on(number, [byte], target)
        return numbers
