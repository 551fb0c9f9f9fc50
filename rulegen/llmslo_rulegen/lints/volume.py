"""How many events an SLO has: of slices of time it is known, else the command line or a Prometheus says."""

from __future__ import annotations

from decimal import Decimal

from llmslo_rulegen import events
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.slo import SlicedSli, Slo

_DAY_S = 86_400
_USUAL = tuple(map(Decimal, ("99.99", "99.95", "99.9", "99.5", "99", "98", "95", "90", "80", "75", "50")))


def per_hour(slo: Slo, case: Case) -> float | None:
    """Return events per hour, of the quietest group; None: nobody says."""
    if isinstance(slo.sli, SlicedSli):
        return 3600 / events.SLICE_S
    if case.events_per_hour is not None or case.server is None:
        return case.events_per_hour
    answers = case.server.ask(f"min({events.total(slo, _DAY_S)}) / 24")
    return answers[0].value if answers else None


def objective_for(count: float) -> Decimal | None:
    """Return the highest usual objective that allows one bad event among `count`."""
    return next((one for one in _USUAL if count * float(1 - one / 100) >= 1), None)
