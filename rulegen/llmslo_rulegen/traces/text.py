"""An attribute's value as the text that a store of strings holds of it, and what such a text says.

The OpenTelemetry collector writes every value as text where a store knows nothing else: `true`, `5`, `["stop"]`. A
value is read as that text, so that a span says the same wherever it was kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import msgspec

from llmslo_rulegen.traces import naming
from llmslo_rulegen.traces.span import Attribute

_NS = 1_000_000_000
_LEAST_PLAIN, _MOST_PLAIN = 1e-6, 1e21  # numbers between are written without an exponent
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(naming.NUMBER_PATTERN)
_INSTANT = re.compile(naming.INSTANT_PATTERN)
_FINISH = re.compile(naming.FINISH_PATTERN)
_STATUS = re.compile(naming.STATUS_PATTERN)
_LIST = re.compile(rf'\["({naming.FINISH_PATTERN})?"')
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def text(value: Attribute) -> str:
    """Return a value as the collector writes it where it must be text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _decimal(value)
    return str(value) if isinstance(value, int) else msgspec.json.encode(value).decode()


def _decimal(value: float) -> str:
    """Return the shortest decimal that is this number, as ECMAScript and the collector write it."""
    found = repr(value).removesuffix(".0")
    mantissa, is_long, exponent = found.partition("e")
    if not is_long:
        return found
    is_plain = _LEAST_PLAIN <= abs(value) < _MOST_PLAIN
    return format(Decimal(found), "f") if is_plain else f"{mantissa}e{int(exponent):+d}"


def first(held: Mapping[str, Attribute], names: Sequence[str]) -> Attribute | None:
    """Return the value of the first name that is there and not empty."""
    for name in names:
        value = held.get(name)
        if value is not None and value != "":
            return value
    return None


def first_text(held: Mapping[str, Attribute], names: Sequence[str]) -> str:
    """Return the first value as text; empty where there is none."""
    value = first(held, names)
    if value is None:
        return ""
    return value if isinstance(value, str) else text(value)


def number(value: Attribute | None) -> float | None:
    """Return a number that is not negative, as a plain decimal says it."""
    kind = type(value)  # exact types: a bool is an int, and there are millions of these
    if kind is int or kind is float:
        found: float = value  # type: ignore[assignment]
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        found = float(value)
    else:
        return None
    return float(found) if 0 <= found < naming.NUMBER_BOUND else None


def status(value: str) -> int | None:
    """Return an HTTP status, three digits."""
    return int(value) if _STATUS.fullmatch(value) else None


def instant_ns(value: Attribute | None) -> int | None:
    """Return an ISO 8601 instant of this century, UTC where it names no zone, in nanoseconds since the epoch."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    day, time, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{time}{zone or 'Z'}")
    except ValueError:  # a day that its month does not have
        return None
    since = at - _EPOCH
    return (since.days * 86400 + since.seconds) * _NS + int((fraction or "").ljust(9, "0"))


@lru_cache(maxsize=256)
def finish(value: str) -> str:
    """Return a finish reason, of a list the first; empty where there is none, `other` where it is no word."""
    if value in {"", "[]"}:
        return ""
    if value.startswith("["):
        found = _LIST.match(value)
        return naming.OTHER_FINISH if found is None else found[1] or ""
    return value if _FINISH.fullmatch(value) else naming.OTHER_FINISH


def lower(value: str) -> str:
    """Return a text with the letters of ASCII in lower case; others have rules that stores do not share."""
    return value.lower() if value.isascii() else value.translate(_LOWER)


def detail(value: Attribute | None, name: str) -> float | None:
    """Return a number that is a member of a JSON object."""
    if not isinstance(value, str):
        return None
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    member = found.get(name) if isinstance(found, dict) else None
    return None if isinstance(member, str) else number(member)
