"""Label values that a matcher takes, and values that it refuses: test input must meet the selectors of a rule."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, product

from llmslo_rulegen.slo import Matcher, Op

MOST = 24  # values of one label: an outcome list has 14; a test file has to stay readable
STRANGERS = ("something-else", "1", "")  # values that hardly anybody lists
_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_MAX_PATTERN, _MAX_VALUE = 1_000, 300
_MAX_REPEATS = 3  # of one alternative: each more is a power of the value's length
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEATS = re.compile(r"[*+]|\{\d+,\}")
_LETTERS = string.ascii_lowercase + string.digits


def is_tame(matcher: Matcher) -> bool:
    """Return whether a matcher can be tried: Python's regexes backtrack, for hours if a pattern repeats repetitions."""
    if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
        return True
    return _is_tame(matcher.value)


@lru_cache(maxsize=1024)
def _is_tame(pattern: str) -> bool:
    if len(pattern) > _MAX_PATTERN or _REPEATED_GROUP.search(pattern):
        return False
    return all(len(_REPEATS.findall(part)) <= _MAX_REPEATS for part in pattern.split("|"))


def matches(matcher: Matcher, value: str) -> bool:
    """Say whether Prometheus would take `value` (an absent label is an empty one); regexes are anchored.

    A pattern that cannot be tried takes nothing that anybody knows of.
    """
    if not is_tame(matcher) or (len(value) > _MAX_VALUE and matcher.op in {Op.MATCH, Op.NO_MATCH}):
        return False
    match matcher.op:
        case Op.EQUAL:
            return value == matcher.value
        case Op.NOT_EQUAL:
            return value != matcher.value
        case Op.MATCH:
            return re.fullmatch(matcher.value, value, re.DOTALL) is not None
        case Op.NO_MATCH:
            return re.fullmatch(matcher.value, value, re.DOTALL) is None


def accepted(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    """Return values that all of the matchers (on one label) take, one per alternative of a regex."""
    return tuple(value for value in _candidates(matchers) if all(matches(each, value) for each in matchers))


def refused(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    """Return values that at least one of the matchers refuses; empty where they take everything."""
    return tuple(value for value in _candidates(matchers) if not all(matches(each, value) for each in matchers))


def _candidates(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for matcher in matchers:
        if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
            found[matcher.value] = None
        else:
            found.update(dict.fromkeys(strings(matcher.value)))
    found.update(dict.fromkeys(STRANGERS))
    return tuple(found)


def strings(pattern: str) -> tuple[str, ...]:
    """Return strings that the RE2 `pattern` matches as a whole, one or more per alternative; empty if none is found."""
    if not _is_tame(pattern):
        return ()
    try:
        made = dict.fromkeys(islice(_Pattern(pattern).alternatives(), MOST))
        return tuple(each for each in made if re.fullmatch(pattern, each, re.DOTALL))
    except (re.error, IndexError, ValueError):
        return ()


class _Pattern:
    """A reader of the common part of RE2: literals, classes, groups, alternatives and counts.

    It may be wrong about rare syntax: `strings` keeps only what the pattern matches.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def alternatives(self) -> Iterator[str]:
        """Yield the strings of everything up to the end or a closing parenthesis."""
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        for option in options:
            yield from ("".join(parts) for parts in islice(product(*option), MOST))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _sequence(self) -> list[tuple[str, ...]]:
        parts: list[tuple[str, ...]] = []
        while self._peek() not in {"", "|", ")"}:
            atom = self._atom()
            parts.append(self._counted(atom))
        return parts

    def _atom(self) -> tuple[str, ...]:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return (self._class(),)
            case "\\":
                escaped = self._next()
                return (_CLASSES.get(escaped, escaped),)
            case ".":
                return ("0",)
            case "^" | "$":
                return ("",)
            case _:
                return (char,)

    def _group(self) -> tuple[str, ...]:
        if self._peek() == "?":
            while self._next() not in {":", ">", ")"}:
                pass
        inner = tuple(islice(self.alternatives(), MOST))
        self._at += 1  # the closing parenthesis
        return inner

    def _class(self) -> str:
        end = self._text.index("]", self._at + 1)
        one = re.compile("[" + self._text[self._at : end + 1])
        self._at = end + 1
        return next((char for char in _LETTERS + string.printable if one.fullmatch(char)), "")

    def _counted(self, atom: tuple[str, ...]) -> tuple[str, ...]:
        count = self._peek()
        if count in {"*", "?"}:
            self._at += 1
            return (*atom, "") if count == "?" else ("", *atom)
        if count == "+":
            self._at += 1
        elif count == "{":
            least = re.match(r"\{(\d+)[^}]*\}", self._text[self._at :])
            if least:
                self._at += least.end()
                return tuple(each * int(least[1]) for each in atom)
        if self._peek() == "?":
            self._at += 1
        return atom
