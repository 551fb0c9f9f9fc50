"""A page that does not say what to do."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.tier import Severity

_KEY = "runbook_url"
_FIX = "add `runbook_url: https://...` to the SLO or to the file; `render` writes a page to put there, runbooks/"


def ask(case: Case) -> Iterator[Spot]:
    """Ask each SLO that wakes somebody for a runbook."""
    for slo in case.slos:
        pages = any(tier.severity is Severity.PAGE for tier in tiers_of(slo))
        if pages and slo.runbook_url is None and _KEY not in dict(slo.alerting.annotations):
            yield Spot(slo.place, "pages wake somebody and do not say what to do", _FIX)


LINT = Lint("alert/runbook", Level.WARNING, "a page without a runbook", ask)
