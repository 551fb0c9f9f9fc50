"""What holds or lacks on this machine, as data, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a condition means for the exporter."""

    OK = "ok"
    WARN = "warn"  # something is not seen, or costs more
    FAIL = "fail"  # the exporter cannot run
    UNKNOWN = "unknown"  # could not be told, for lack of rights


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that was looked at: what was found, and what to do where it is not as it should be."""

    name: str
    level: Level
    found: str
    todo: str = ""
