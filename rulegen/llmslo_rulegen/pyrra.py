"""Pyrra's generic records, by which its Grafana pages find an SLO: its names, our values (slo-rules 4.4).

Its pages know an SLO by the label `slo` alone, so that it holds service and name; where there are groups, which Pyrra's
generic records do not know, all of them are one.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter import catalog
from llmslo_rulegen import promql
from llmslo_rulegen.records import IDS, named, period
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.slo import Slo

RATE_S = 300


def records(slo: Slo) -> Iterator[RecordingRule]:
    """Yield the five records; they read ours."""
    labels = ((catalog.SERVICE_LABEL, slo.service), (catalog.SLO_LABEL, slo.id))
    bad, total = (f"sum({name}{period(slo.window)}{IDS})" for name in (catalog.BAD, catalog.TOTAL))
    errors, requests = (
        f"sum({name}{catalog.INCREASE}{promql.duration(RATE_S)}{IDS}) / {RATE_S}"
        for name in (catalog.BAD, catalog.TOTAL)
    )
    for record, expression in (
        (catalog.PYRRA_OBJECTIVE, f"vector({promql.number(slo.objective / 100)})"),
        (catalog.PYRRA_WINDOW, f"vector({slo.window.seconds})"),
        # Nothing happened, nothing was bad.
        (catalog.PYRRA_AVAILABILITY, f"1 - {bad} / ({total} > 0) or 1 + 0 * {total}"),
        (catalog.PYRRA_REQUESTS, requests),
        (catalog.PYRRA_ERRORS, errors),
    ):
        yield RecordingRule(record, named(expression, slo), labels)
