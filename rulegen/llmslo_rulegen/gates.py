"""Lints that no SLO may trip, since its rules could not work: asked wherever SLOs are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmslo_rulegen.finding import Finding
from llmslo_rulegen.lints import short_window, tier_windows, unreachable_tier
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.located import Document
from llmslo_rulegen.pointing import Pointer
from llmslo_rulegen.slo import Slo

GATES = (unreachable_tier.LINT, tier_windows.LINT, short_window.LINT)


def findings(slos: Iterable[Slo], documents: Iterable[Document]) -> Iterator[Finding]:
    """Yield an error for each tier of a team's own that cannot work."""
    case = Case(tuple(slo for slo in slos if slo.alerting.tiers))
    if not case.slos:
        return
    pointer = Pointer(documents, {})
    for lint in GATES:
        for spot in lint.ask(case):
            line = pointer.point(spot).line
            yield Finding(lint.code, spot.place.file, line, lint.level, spot.text, spot.fix)
