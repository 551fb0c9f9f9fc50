"""Lengths of time as people write them: `30d`, `1h30m`, `450ms`, `0.5s`."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(7 * 86400),
    "y": Decimal(365 * 86400),
}
DAY_S = 86400
# As many decimals as a number in floating point may need: some servers compute their bucket edges.
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,25})?)(ms|[smhdwy])")
# The same as one pattern: what the JSON Schema says of a duration.
PATTERN = r"^([0-9]{1,9}(\.[0-9]{1,25})?(ms|[smhdwy]))+$"
_WHOLE = re.compile(PATTERN)
_MAX_LENGTH = 64  # `9` x 10 000 is no duration


def parse(text: str) -> Decimal | None:
    """Return the seconds of `text`, exact; None when it is no duration."""
    if len(text) > _MAX_LENGTH or not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    names = [unit for _, unit in parts]
    if names != sorted(set(names), key=lambda unit: -UNITS[unit]):
        return None
    return sum((Decimal(number) * UNITS[unit] for number, unit in parts), Decimal(0))


def show(seconds: float | Decimal) -> str:
    """Return the shortest exact form with at most one decimal fraction, `450ms`, `1.5s`, `1h30m`; 0 is `0s`."""
    left = Decimal(str(seconds))
    if left < 1 and left * 1000 == int(left * 1000) and left:
        return f"{int(left * 1000)}ms"
    parts = []
    for unit in ("d", "h", "m"):
        whole = int(left // UNITS[unit])
        if whole:
            parts.append(f"{whole}{unit}")
            left -= whole * UNITS[unit]
    if left or not parts:
        parts.append(f"{left.normalize():f}s")
    return "".join(parts)
