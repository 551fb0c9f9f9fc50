"""Comments that turn a finding off: `# llmslo-ignore CODE: reason`, on a line or above it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmslo_rulegen import names
from llmslo_rulegen.finding import Finding, Level

REASON, UNKNOWN, UNUSED = "ignore/reason", "ignore/unknown", "ignore/unused"
# What comments are wrong about, for the page that lists all codes.
TITLES = {
    REASON: "a comment that ignores without a reason",
    UNKNOWN: "a comment that ignores a code which there is not",
    UNUSED: "a comment that ignores nothing",
}
_COMMENT = re.compile(r"(?:^|\s)#\s*llmslo-ignore\b(.*)")
_SAID = re.compile(r"\s+([\w/*-]+(?:\s*,\s*[\w/*-]+)*)\s*(?::\s*(.*?))?\s*")
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment. `last` is the line that it is about: its own, or the next that is no comment."""

    line: int
    last: int
    codes: tuple[str, ...]
    reason: str


def ignores(text: str) -> tuple[Ignore, ...]:
    """Return the comments of a file."""
    if "llmslo-ignore" not in text:
        return ()
    lines = text.split("\n")
    return tuple(_ignores(lines))


def _ignores(lines: list[str]) -> Iterator[Ignore]:
    for number, line in enumerate(lines, 1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        said = _SAID.fullmatch(found[1].rstrip("\r"))
        codes = tuple(code.strip() for code in said[1].split(",")) if said else ()
        last = number
        while last <= len(lines) and lines[last - 1].lstrip().startswith("#"):
            last += 1
        yield Ignore(number, last, codes, (said[2] or "").strip() if said else "")


class Ignored:
    """Applies the comments of all files, and knows which of them were of use."""

    def __init__(self, texts: Mapping[str, str], known: Collection[str]) -> None:
        self._comments = {file: found for file, text in texts.items() if (found := ignores(text))}
        self._known = known
        self._used: set[tuple[str, int, str]] = set()

    def reason(self, code: str, file: str, around: Iterable[int]) -> str | None:
        """Return why a finding of `code` at one of the lines `around` is ignored; None: it is not."""
        comments = self._comments.get(file)
        if not comments:
            return None
        lines = set(around)
        for comment in comments:
            if comment.reason and code in comment.codes and comment.last in lines:
                self._used.add((file, comment.line, code))
                return comment.reason
        return None

    def findings(self, asked: Collection[str]) -> Iterator[Finding]:
        """Yield what is wrong with the comments; only codes that were `asked` for can have been of no use."""
        for file, comments in self._comments.items():
            for comment in comments:
                yield from self._wrong(file, comment, asked)

    def _wrong(self, file: str, comment: Ignore, asked: Collection[str]) -> Iterator[Finding]:
        if not comment.codes or not comment.reason:
            example = comment.codes[0] if comment.codes else "CODE"
            text = "this ignores without a reason, so it ignores nothing"
            yield _finding(
                REASON, file, comment, text, f"write `# llmslo-ignore {example[:_MAX_SHOWN]}: why it is fine`"
            )
            return
        for code in comment.codes:
            if code not in self._known:
                hint = names.hint(code, self._known)
                yield _finding(
                    UNKNOWN, file, comment, f"no lint that can be ignored is called {code[:_MAX_SHOWN]}", hint
                )
            elif code in asked and (file, comment.line, code) not in self._used:
                yield _finding(UNUSED, file, comment, f"there is no {code} here to ignore", "take the comment out")


def _finding(check: str, file: str, comment: Ignore, text: str, fix: str) -> Finding:
    return Finding(check, file, comment.line, Level.WARNING, text, fix)
