"""Brings exchanges into the store: caps first, then every series of an exchange under one label set."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from llmslo_exporter import catalog
from llmslo_exporter.admission import Admission, Place
from llmslo_exporter.catalog import Limits
from llmslo_exporter.exchange import Exchange
from llmslo_exporter.identity import Workload
from llmslo_exporter.observe import InFlight, is_answered, observe, observe_in_flight
from llmslo_exporter.series import Store, Update
from llmslo_exporter.summary import Role


class Recorder:
    """The one writer of traffic's series; safe to use from several threads."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store = store
        self._admission = admission
        self._lock = Lock()

    def resize(self, limits: Limits) -> None:
        """Take other caps from now on; what is held beyond them stays until it is idle."""
        with self._lock:
            self._admission.resize(limits)
        self._store.resize(limits)

    def record(self, exchange: Exchange, workload: Workload) -> None:
        """Count one ended exchange."""
        with self._lock:
            place = self._admission.place(
                workload,
                exchange.provider,
                exchange.model,
                exchange.operation,
                exchange.role,
                answered=is_answered(exchange),
            )
        self._count_drops(place)
        updates = observe(exchange)
        for labels, values in (
            (catalog.EXCHANGE_LABELS, place.exchange),
            (catalog.CONNECTION_LABELS, place.connection),
            ((), ()),
        ):
            steps = [update for update in updates if update.metric.shared == labels]
            if steps:
                self._store.apply(values, steps)

    def record_tls_failure(self, provider: str, role: Role, workload: Workload) -> None:
        """Count one failed handshake with a known provider."""
        with self._lock:
            place = self._admission.place(workload, provider, None, catalog.OTHER, role, answered=False)
        self._count_drops(place)
        # The histogram too: the SLI adds both, and a sum with an absent part is absent.
        self._store.apply(place.connection, (Update(catalog.TLS_FAILURES), Update(catalog.HANDSHAKE, (), None)))

    def show_in_flight(self, flights: Iterable[InFlight]) -> None:
        """Set the gauges to what is under way now; all others become 0."""
        # Whoever knows them may hold a lock while it tells, under which it also records: not both in two orders.
        flights = tuple(flights)
        with self._lock:
            placed = [
                (
                    self._admission.place(f.workload, f.provider, f.model, f.operation, f.role, answered=False),
                    observe_in_flight(f),
                )
                for f in flights
            ]
        self._store.replace_gauges((place.exchange, updates) for place, updates in placed)

    def _count_drops(self, place: Place) -> None:
        for reason in place.dropped:
            self._store.count(catalog.SERIES_DROPPED, reason)
