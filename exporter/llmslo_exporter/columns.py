"""Text in the columns of a terminal: what a stranger named stays within its column and does nothing else."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MAX_MARKS = 2  # combining marks after one character; scripts need one or two, a tower of them covers other rows
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Cut:
    """A text within its columns, and how many of them it takes."""

    text: str
    width: int


def harmless(text: str) -> str:
    """Return `text` without what a terminal would obey: controls, escapes, changes of direction, lone surrogates."""
    return "".join(char if char.isprintable() else _REPLACEMENT for char in text)


def width(char: str) -> int:
    """Return the columns of one printable character: 0 combining, 2 East Asian wide, else 1 (Unicode annex 11)."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def cut(text: str, columns: int) -> Cut:
    """Return as much of `text` as fits, with an ellipsis where something is missing."""
    whole = _fitting(text, columns)
    if whole is not None:
        return whole
    begin = _beginning(text, max(0, columns - 1))
    return Cut(begin.text + _ELLIPSIS * (columns > 0), begin.width + (columns > 0))


def left(text: str, columns: int) -> str:
    """Return `text` cut and filled to exactly `columns`, at the left."""
    found = cut(text, columns)
    return found.text + " " * (columns - found.width)


def right(text: str, columns: int) -> str:
    """Return `text` cut and filled to exactly `columns`, at the right."""
    found = cut(text, columns)
    return " " * (columns - found.width) + found.text


def _fitting(text: str, columns: int) -> Cut | None:
    found = _beginning(text, columns)
    return found if found.text == harmless(text) else None


def _beginning(text: str, columns: int) -> Cut:
    kept: list[str] = []
    taken = marks = 0
    for char in harmless(text):
        size = width(char)
        marks = marks + 1 if not size else 0
        if taken + size > columns or marks > _MAX_MARKS:
            break
        kept.append(char)
        taken += size
    return Cut("".join(kept), taken)
