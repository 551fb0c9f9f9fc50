"""The time that is asked for, and how people write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from llmslo_rulegen import durations

_NS = 1_000_000_000
_HOUR_NS = 3600 * _NS


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin_ns` to before `end_ns`, nanoseconds since the epoch; None: without a bound."""

    begin_ns: int | None = None
    end_ns: int | None = None

    def has(self, instant_ns: int) -> bool:
        """Tell whether an instant lies within."""
        is_late = self.begin_ns is None or instant_ns >= self.begin_ns
        return is_late and (self.end_ns is None or instant_ns < self.end_ns)

    def has_hour(self, hour: int) -> bool:
        """Tell whether an hour (its number since the epoch) begins within."""
        return self.has(hour * _HOUR_NS)

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is left out."""
        return self.begin_ns is None and self.end_ns is None


ALWAYS = Period()


def instant_ns(text: str, now_ns: int) -> int:
    """Return what `2026-11-01`, `2026-11-01T12:00:00Z` (UTC where no zone is given) or `30d` (ago) means.

    Raises ValueError.
    """
    ago_s = durations.parse(text)
    if ago_s is not None:
        return now_ns - int(ago_s * _NS)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text[:60]!r} is no time: write 2026-11-01, 2026-11-01T12:00:00Z or, for so long ago, 30d"
        raise ValueError(msg) from error
    at = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(at.timestamp()) * _NS + at.microsecond * 1000
