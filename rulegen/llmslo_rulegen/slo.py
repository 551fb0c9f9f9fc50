"""What a team promises, as values: checked once where a file is read, never changed after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from llmslo_rulegen.tier import Severity, Tier


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands; lines count from 1, `path` leads to it from the root of its document."""

    file: str
    line: int
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Op(Enum):
    """How PromQL compares a label."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCH = "=~"
    NO_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; `value` is unescaped."""

    label: str
    op: Op
    value: str


@dataclass(frozen=True, slots=True)
class CatalogSli:
    """An SLI of the catalog, measured by one source.

    `threshold` is a bucket edge in the metric's unit (seconds, tokens per second), None where no histogram decides.
    `native`: the histogram is a native one.
    """

    name: str
    source: str
    select: tuple[Matcher, ...] = ()
    threshold: float | None = None
    native: bool = False


class EventFunction(Enum):
    """What turns counters into events within a template."""

    RATE = "rate"
    INCREASE = "increase"
    COUNT_OVER_TIME = "count_over_time"
    SUM_OVER_TIME = "sum_over_time"

    @property
    def is_sampled(self) -> bool:
        """Samples are counted or summed, nothing is extrapolated: the two may stand side by side."""
        return self in {EventFunction.COUNT_OVER_TIME, EventFunction.SUM_OVER_TIME}


@dataclass(frozen=True, slots=True)
class EventsSli:
    """Two PromQL templates with `{{window}}` in place of the range; exactly one of `bad` and `good` is set."""

    total: str
    function: EventFunction
    bad: str | None = None
    good: str | None = None


@dataclass(frozen=True, slots=True)
class HistogramSli:
    """Observations of the histogram that `selector` names (its base name, no `_bucket`) within `threshold` are good."""

    selector: str
    threshold: float
    native: bool = False


@dataclass(frozen=True, slots=True)
class SlicedSli:
    """One PromQL expression judged slice by slice of time: every evaluation counts once.

    `condition`: the slice is good when the expression has a value that is not 0 (`good_when`); otherwise the value is
    the slice's bad share, 0 to 1 (`ratio`).
    """

    expression: str
    condition: bool


Sli = CatalogSli | EventsSli | HistogramSli | SlicedSli


class Calendar(Enum):
    """A window that begins anew: ISO week, month, quarter from January; UTC."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Window:
    """The time a budget is for. `seconds` is its length, of a calendar window the longest one."""

    seconds: int
    calendar: Calendar | None = None


@dataclass(frozen=True, slots=True)
class LowTraffic:
    """What keeps few events from paging: least bad events in a tier's long window (None: solved), or Wilson's bound."""

    min_bad: int | None = None
    wilson: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What the alerts of one severity carry beside what all of the SLO's carry; a label `severity` replaces ours."""

    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alerting:
    """How the alerts of one SLO are called and what they carry beside what rulegen sets."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    disabled: frozenset[Severity] = frozenset()
    tiers: tuple[Tier, ...] | None = None  # None: solved
    page: Notice = Notice()
    ticket: Notice = Notice()

    def notice(self, severity: Severity) -> Notice:
        """Return what the alerts of `severity` carry further."""
        return self.page if severity is Severity.PAGE else self.ticket


@dataclass(frozen=True, slots=True)
class Slo:
    """One promise. `objective` is in percent, exact: 99.9 is Decimal("99.9")."""

    service: str
    name: str
    sli: Sli
    objective: Decimal
    window: Window
    alerting: Alerting
    place: Place
    description: str = ""
    labels: tuple[tuple[str, str], ...] = ()  # of the file: on alerts and the info series
    group_by: tuple[str, ...] = ()
    scrape_interval_s: int = 60
    low_traffic: LowTraffic = field(default_factory=LowTraffic)
    runbook_url: str | None = None
    dashboard_url: str | None = None

    @property
    def id(self) -> str:
        """Service and name in one word, as Sloth writes it."""
        return f"{self.service}-{self.name}"

    @property
    def budget(self) -> Decimal:
        """The share of events that may be bad: 0.001 at 99.9 %."""
        return 1 - self.objective / 100
