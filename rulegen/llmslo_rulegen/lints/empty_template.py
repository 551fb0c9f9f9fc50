"""An annotation that names a label which the alert does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmslo_exporter import catalog
from llmslo_rulegen import names
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import Slo

_LABEL = re.compile(r"\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)|\.Labels\.([a-zA-Z_][a-zA-Z0-9_]*)")
_SET = (
    *("alertname", catalog.SERVICE_LABEL, catalog.SLO_LABEL, catalog.SEVERITY, catalog.TIER, catalog.LONG_WINDOW),
    *(catalog.SHORT_WINDOW, catalog.BURN_RATE, catalog.KIND),
)
_SLOTHS = (catalog.SLOTH_ID, catalog.SLOTH_SERVICE, catalog.SLOTH_SLO, catalog.SLOTH_SEVERITY)


def ask(case: Case) -> Iterator[Spot]:
    """Ask each `{{ $labels.x }}` for a label that the alerts carry: others are empty, and nobody is told."""
    for slo in case.slos:
        carried = {*_SET, *slo.group_by, *(_SLOTHS if case.sloth else ()), *dict((*slo.labels, *slo.alerting.labels))}
        for at, text in _texts(slo):
            for match in _LABEL.finditer(text):
                label = match[1] or match[2]
                if label not in carried:
                    near = names.nearest(label, carried)
                    fix = f"write `{near}`" if near else f"write a label that there is, or add {label[:60]} to group_by"
                    yield Spot(slo.place, f"no alert of this SLO has a label {label[:60]}", fix, at, label)


def _texts(slo: Slo) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, text in slo.alerting.annotations:
        yield ("alerting", "annotations", name), text
    for key, url in (("runbook_url", slo.runbook_url), ("dashboard_url", slo.dashboard_url)):
        if url is not None:
            yield (key,), url


LINT = Lint("alert/template", Level.WARNING, "a template of a label that no alert has", ask)
