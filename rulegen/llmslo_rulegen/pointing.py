"""From what a lint says to where it stands: a line, a column, and the lines around that a comment may stand at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmslo_rulegen.lints.lint import ROOT, Spot
from llmslo_rulegen.located import Document, member
from llmslo_rulegen.slo import Place

# What a key of ours is called in other formats.
_ALSO = {
    "objective": ("target", "targetPercent"),
    "bad": ("error_query", "errorQuery", "errors"),
    "total": ("total_query", "totalQuery"),
    "ratio": ("error_ratio_query", "errorRatioQuery"),
}
_MAX_SEARCHED = 200  # lines of one value


@dataclass(frozen=True, slots=True)
class Point:
    """Line, column and length of what is meant, all from 1; `around` are the lines of all that it is part of."""

    line: int
    column: int
    length: int
    around: tuple[int, ...]


class Pointer:
    """Knows the files that were read, as documents and as text."""

    def __init__(self, documents: Iterable[Document], texts: Mapping[str, str]) -> None:
        self._documents: dict[str, list[Document]] = {}
        for document in documents:
            self._documents.setdefault(document.file, []).append(document)
        self._lines = {file: text.split("\n") for file, text in texts.items()}

    def point(self, spot: Spot) -> Point:
        """Return where `spot` is: at its token, else at its key, else where its place begins."""
        place = spot.place
        lines = self._lines.get(place.file, [])
        around = self._around(place, spot.at)
        line = around[-1]
        key = next((step for step in reversed(spot.at) if isinstance(step, str)), "")
        for word in filter(None, (spot.token, key, *_ALSO.get(key, ()))):
            found = _find(lines, line, word)
            if found is not None:
                return Point(*found, len(word), around)
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        return Point(line, len(text) - len(text.lstrip(" -")) + 1, 1, around)

    def line(self, file: str, number: int) -> str | None:
        """Return the text of a line; None: nobody read that file."""
        lines = self._lines.get(file, [])
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else None

    def _around(self, place: Place, at: Sequence[str | int]) -> tuple[int, ...]:
        document = self._document(place)
        if document is None:
            return (place.line,)
        way = tuple(at[1:]) if at[:1] == (ROOT,) else (*place.path, *at)
        found, here = [document.line], document.value
        for step in way:
            names = (step, *_ALSO.get(step, ())) if isinstance(step, str) else (step,)
            below = next((one for name in names if (one := member(here, name)) is not None), None)
            if below is None:
                break
            line, here = below
            found.append(line)
        # An alias leads to where its anchor is.
        return tuple(found) if found[-1] >= place.line or at[:1] == (ROOT,) else (*found, place.line)

    def _document(self, place: Place) -> Document | None:
        before = [one for one in self._documents.get(place.file, ()) if one.line <= place.line]
        return before[-1] if before else None


def _find(lines: Sequence[str], first: int, word: str) -> tuple[int, int] | None:
    """Return line and column of `word` in the value that begins in line `first`."""
    if not 0 < first <= len(lines):
        return None
    deep = _indent(lines[first - 1])
    for number in range(first, min(first + _MAX_SEARCHED, len(lines) + 1)):
        text = lines[number - 1]
        if number > first and text.strip() and _indent(text) <= deep:
            break
        column = text.find(word)
        if column >= 0:
            return number, column + 1
    return None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
