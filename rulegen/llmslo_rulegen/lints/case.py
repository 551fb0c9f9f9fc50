"""All that lints may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmslo_rulegen.rule import Rule
from llmslo_rulegen.slo import Matcher, Place, Slo


@dataclass(frozen=True, slots=True)
class Answer:
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


class Server(Protocol):
    """A Prometheus that can be asked; each raises ServerError."""

    def ask(self, expression: str) -> Sequence[Answer]:
        """Return what `expression` is worth at this moment."""
        ...

    def types(self, metric: str) -> frozenset[str]:
        """Return the types under which targets expose `metric`; none where nobody knows."""
        ...

    def interval_s(self, group: str) -> float | None:
        """Return how often a group of rules is evaluated; None: it is not loaded."""
        ...

    def retention_s(self) -> float | None:
        """Return for how long data is kept; None: no limit of time, or nobody says."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule of a team's own rule file. `interval_s` is its group's, None where that has none."""

    place: Place
    group: str
    rule: Rule
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A node of Alertmanager's tree; all of its matchers have to match."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """An Alertmanager's configuration: its root, and the receivers that tell nobody."""

    file: str
    root: Route
    silent: frozenset[str]


@dataclass(frozen=True, slots=True)
class Case:
    """SLOs, and what the command line gave beside them."""

    slos: tuple[Slo, ...]
    rules: tuple[PlacedRule, ...] = ()
    routing: Routing | None = None
    retention_s: float | None = None
    events_per_hour: float | None = None
    server: Server | None = None
    sloth: bool = True
