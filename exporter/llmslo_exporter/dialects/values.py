"""Single values of foreign JSON, taken only where they are what they should be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmslo_exporter.dialects.dialect import ErrorFacts
from llmslo_exporter.tokens import token_count

# Words of an error are compared with a closed list: the longest is under 50 characters, codes are three digits.
MAX_WORD_CHARS = 128
MAX_CODE = 10**6


def text(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def word(value: object) -> str:
    """Return a word or number of an error as text; empty: it is neither."""
    if isinstance(value, str):
        return value[:MAX_WORD_CHARS]
    return str(value) if type(value) is int and abs(value) < MAX_CODE else ""


def members(value: object) -> dict[str, Any]:
    """Return an object, or one without members."""
    return value if isinstance(value, dict) else {}


def elements(value: object) -> list[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else []


def first_count(*values: object) -> int | None:
    """Return the first of `values` that is a token count."""
    counts: Iterable[int | None] = (token_count(value) for value in values)
    return next((count for count in counts if count is not None), None)


def added(*counts: int | None) -> int | None:
    """Return the sum of the counts that are there; None: there is none."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def error_of(value: object) -> ErrorFacts | None:
    """Return the words of a body whose `error` is an object or a text; None when there is no error."""
    error = members(value).get("error")
    if isinstance(error, dict):
        code = error.get("code")
        return ErrorFacts(word(error.get("type")), word(error.get("status") if code is None else code))
    return ErrorFacts(word(members(value).get("error_type"))) if error else None
