"""What the node's LLM calls are doing, workload by workload: exchanges in, rows for a person out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median
from threading import Lock

from llmslo_exporter import catalog
from llmslo_exporter.admission import Admission, Place, is_name
from llmslo_exporter.catalog import Limits
from llmslo_exporter.exchange import Exchange, Outcome
from llmslo_exporter.identity import Workload
from llmslo_exporter.observe import InFlight, is_answered, observe
from llmslo_exporter.summary import Role

MAX_ROWS = 1_000  # a screen has 50; beyond it the row that was idle longest goes
MAX_UNANSWERED = 50  # models in flight that nobody has answered yet are named up to here
RECENT = 64  # exchanges of which a row tells the median
RECENT_S = 60.0

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One workload's calls of one model, in one role. Labels are those of the metrics.

    `ttft_s`, `duration_s` and `tokens_per_s` are medians of the calls that ended in the last minute, at most 64 of
    them; None: there was none that has it.
    """

    namespace: str
    workload: str
    provider: str
    model: str
    operation: str
    role: str
    in_flight: int
    oldest_s: float | None  # age of the oldest call in flight; None: none is
    calls: int  # ended
    failed: int  # of them, with another outcome than ok
    ttft_s: float | None
    duration_s: float | None
    tokens_per_s: float | None
    outcome: str | None  # of the last that ended; None: none has


@dataclass(slots=True)
class _Calls:
    active_s: float
    calls: int = 0
    failed: int = 0
    outcome: str | None = None
    recent: deque[tuple[float, dict[str, float | None]]] = field(default_factory=lambda: deque(maxlen=RECENT))
    ages_s: list[float] = field(default_factory=list)


class Activity:
    """Rows of calls, bounded, as the tracer's sink; safe to use from several threads. `clock` gives seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._admission = Admission(limits, clock)
        self._clock = clock
        self._calls: dict[Key, _Calls] = {}
        self._lock = Lock()

    def record(self, exchange: Exchange, workload: Workload) -> None:
        """Count an exchange that ended."""
        with self._lock:
            place = self._place(workload, exchange, answered=is_answered(exchange))
            calls = self._of(place.exchange)
            calls.calls += 1
            calls.failed += exchange.outcome is not Outcome.OK
            calls.outcome = exchange.outcome.value
            # As the metrics have it: a rate of few tokens is none, and only a good call has a duration.
            calls.recent.append((self._clock(), {step.metric.name: step.value for step in observe(exchange)}))

    def record_tls_failure(self, provider: str, role: Role, workload: Workload) -> None:
        """Leave a failed handshake to the metrics: no call has come of it."""

    def under_way(self, flights: Iterable[InFlight]) -> None:
        """Replace what is in flight."""
        with self._lock:
            for calls in self._calls.values():
                calls.ages_s.clear()
            unanswered: set[str] = set()
            for flight in flights:
                place = self._place(flight.workload, flight, answered=False)
                name = flight.model
                if place.model == catalog.OTHER and name is not None and is_name(name):
                    unanswered |= {name} if len(unanswered) < MAX_UNANSWERED else set()
                    place = replace(place, model=name) if name in unanswered else place
                self._of(place.exchange).ages_s.append(flight.age_s)
            # A model that nobody answered has no row of its own any more: its end counts as `_other`.
            self._calls = {key: calls for key, calls in self._calls.items() if calls.calls or calls.ages_s}

    def rows(self) -> tuple[Row, ...]:
        """Return the rows: those with calls in flight first, then the latest active."""
        with self._lock:
            order = sorted(self._calls.items(), key=lambda item: (-len(item[1].ages_s), -item[1].active_s, item[0]))
            since_s = self._clock() - RECENT_S
            return tuple(_row(key, calls, since_s) for key, calls in order)

    def _place(self, workload: Workload, call: Exchange | InFlight, *, answered: bool) -> Place:
        return self._admission.place(workload, call.provider, call.model, call.operation, call.role, answered=answered)

    def _of(self, key: Key) -> _Calls:
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= MAX_ROWS:
                del self._calls[min(self._calls, key=lambda known: self._calls[known].active_s)]
            calls = self._calls[key] = _Calls(0.0)
        calls.active_s = self._clock()
        return calls


def _row(key: Key, calls: _Calls, since_s: float) -> Row:
    recent = [values for at_s, values in calls.recent if at_s >= since_s]
    namespace, workload, provider, model, operation, role = key
    return Row(
        namespace=namespace,
        workload=workload,
        provider=provider,
        model=model,
        operation=operation,
        role=role,
        in_flight=len(calls.ages_s),
        oldest_s=max(calls.ages_s, default=None),
        calls=calls.calls,
        failed=calls.failed,
        ttft_s=_median(values.get(catalog.TTFT.name) for values in recent),
        duration_s=_median(values.get(catalog.DURATION.name) for values in recent),
        tokens_per_s=_median(values.get(catalog.THROUGHPUT.name) for values in recent),
        outcome=calls.outcome,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
