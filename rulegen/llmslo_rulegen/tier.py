"""One burn-rate condition: how fast, over how long, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """Wake somebody, or leave them a note."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Tier:
    """Fires when the bad share is `factor` x budget or more over the long and over the short window.

    `name` is stable and unique in an SLO (`page_fast`, `page_slow`, `ticket_fast`, `ticket_slow`). `min_bad` is the
    least count of bad events in the long window with which the tier starts to fire, `min_bad_short` that of the short
    window; 0 where traffic does not matter.
    """

    name: str
    severity: Severity
    factor: float
    long_s: int
    short_s: int
    min_bad: int = 0
    min_bad_short: int = 0
