"""What a lint is: a code, a weight, and a question asked of all that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.slo import Place

ROOT = "/"  # a way that begins with it leads from the document, not from the SLO


class Need(Enum):
    """What a lint cannot do without, as the command line gives it."""

    FILES = "SLO files"
    RULES = "--rules"
    LOADED = "--rules or --prometheus"
    ALERTMANAGER = "--alertmanager"
    RETENTION = "--retention or --prometheus"
    TRAFFIC = "--events-per-hour or --prometheus"
    PROMETHEUS = "--prometheus"


@dataclass(frozen=True, slots=True)
class Spot:
    """What is wrong where, and what to write instead.

    `at` leads from `place` to a key of the file, `token` is a word near it to point at.
    """

    place: Place
    text: str
    fix: str
    at: tuple[str | int, ...] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Lint:
    """One question. `code` never changes; `title` says in a few words what is wrong when it is asked with reason."""

    code: str
    level: Level
    title: str
    ask: Callable[[Case], Iterator[Spot]]
    need: Need = Need.FILES
