"""PromQL as a list of words, so that one word can be changed; `"".join` of the words is the expression again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SET_OPS = {"and", "or", "unless"}
COMPARISONS = (">=", "<=", "==", "!=", ">", "<")
ARITHMETIC = ("+", "-", "*", "/")
OPENING, CLOSING = {"(", "{", "["}, {")", "}", "]"}
# How tightly an operator binds: a right side ends at the next one that binds no tighter.
BINDS = {"or": 1, "and": 2, "unless": 2} | dict.fromkeys(COMPARISONS, 3) | {"+": 4, "-": 4, "*": 5, "/": 5}

_WORD = re.compile(
    r"""
      "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'          # strings
    | \[[^\]]*\]                                     # ranges and subqueries
    | [0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdwy]))*  # durations, after `offset`
    | [0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?            # numbers
    | [a-zA-Z_:][a-zA-Z0-9_:]*
    | =~ | !~ | >= | <= | == | !=
    | \s+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Word:
    """`depth` counts open parentheses and braces; `inside` is the innermost open one."""

    text: str
    depth: int
    inside: str

    @property
    def is_operator(self) -> bool:
        return self.text in BINDS and self.inside != "{"


def words(expression: str) -> tuple[Word, ...]:
    """Return the words of an expression."""
    return tuple(_words(expression))


def _words(expression: str) -> Iterator[Word]:
    open_: list[str] = []
    for found in _WORD.finditer(expression):
        text = found.group()
        if text in CLOSING:
            open_.pop()
        yield Word(text, len(open_), open_[-1] if open_ else "")
        if text in OPENING:
            open_.append(text)


def joined(parts: tuple[Word, ...] | list[Word]) -> str:
    """Return the expression."""
    return "".join(part.text for part in parts)


def replaced(parts: tuple[Word, ...], index: int, text: str) -> str:
    """Return the expression with one word changed."""
    return joined(parts[:index]) + text + joined(parts[index + 1 :])


def right_end(parts: tuple[Word, ...], index: int) -> int:
    """Return where the right side of the operator at `index` ends."""
    operator = parts[index]
    for at in range(index + 1, len(parts)):
        if parts[at].depth < operator.depth:
            return at
        beside = parts[at].depth == operator.depth and parts[at].is_operator and _is_binary(parts, at)
        if beside and BINDS[parts[at].text] <= BINDS[operator.text]:
            return at
    return len(parts)


def left_start(parts: tuple[Word, ...], index: int) -> int:
    """Return where the left side of the operator at `index` starts."""
    operator = parts[index]
    for at in range(index - 1, -1, -1):
        if parts[at].depth < operator.depth:
            return at + 1
        beside = parts[at].depth == operator.depth and parts[at].is_operator and _is_binary(parts, at)
        if beside and BINDS[parts[at].text] < BINDS[operator.text]:
            return at + 1
    return 0


def _is_binary(parts: tuple[Word, ...], index: int) -> bool:
    before = next((part for part in reversed(parts[:index]) if not part.text.isspace()), None)
    return before is not None and not before.is_operator and before.text not in OPENING | {","}
