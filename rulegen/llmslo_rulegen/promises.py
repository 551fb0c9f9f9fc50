"""From what a file says to what a team promises: `Slo` values, or findings that say why not.

Form is checked by then (`spec`); here it is decided whether there is such an SLI, source, label, bucket edge.
"""

from __future__ import annotations

from llmslo_rulegen import catalog_slis, notices, own_slis
from llmslo_rulegen.finding import Finding, has_errors
from llmslo_rulegen.located import Document
from llmslo_rulegen.remarks import Remarks
from llmslo_rulegen.slo import LowTraffic, Place, Slo
from llmslo_rulegen.spec import FileShape, SloShape


def promises(shape: FileShape, document: Document, *, snap: bool) -> tuple[tuple[Slo, ...], tuple[Finding, ...]]:
    """Return the SLOs of a document that can be kept, and what is wrong with it; `snap` moves thresholds."""
    top = Remarks(document)
    notices.check_labels(top, shape.labels, "labels")
    slos: list[Slo] = []
    findings = top.findings
    for number, one in enumerate(shape.slos):
        here = Remarks(document, ("slos", number))
        slo = _slo(shape, one, here, snap=snap)
        findings += here.findings
        if slo is not None:
            slos.append(slo)
    return tuple(slos), tuple(findings)


def _slo(file: FileShape, one: SloShape, here: Remarks, *, snap: bool) -> Slo | None:
    sli = catalog_slis.catalog_sli(one, here, snap=snap) if isinstance(one.sli, str) else own_slis.own_sli(one, here)
    notices.check_groups(file, one, here)
    alerting = notices.alerting(one, here)
    if one.low_traffic.wilson is not None and "min_bad" in one.low_traffic.model_fields_set:
        here.error("low-traffic", "min_bad and wilson are two ways of one thing: keep one", "low_traffic")
    if sli is None or has_errors(here.findings):
        return None
    return Slo(
        service=file.service,
        name=one.name,
        sli=sli,
        objective=one.objective,
        window=one.window,
        alerting=alerting,
        place=Place(here.document.file, here.document.line_of(here.path), here.path),
        description=one.description.strip(),
        labels=tuple(sorted(file.labels.items())),
        group_by=tuple(one.group_by),
        scrape_interval_s=file.scrape_interval,
        low_traffic=LowTraffic(one.low_traffic.min_bad, one.low_traffic.wilson),
        runbook_url=one.runbook_url or file.runbook_url,
        dashboard_url=one.dashboard_url or file.dashboard_url,
    )
