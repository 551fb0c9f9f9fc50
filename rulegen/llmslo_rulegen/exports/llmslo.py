"""SLOs as a file of ours, `llmslo/v1`; what is as it would be anyway is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from llmslo_exporter import catalog
from llmslo_rulegen import durations, measures, yaml_text
from llmslo_rulegen.exports.loss import DEFAULT_SCRAPE_S, Exported, default_name
from llmslo_rulegen.slo import (
    Alerting,
    CatalogSli,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Notice,
    Op,
    SlicedSli,
    Slo,
)
from llmslo_rulegen.spec import VERSION
from llmslo_rulegen.tier import Severity, Tier

_DEFAULT_WINDOW_S = 30 * durations.DAY_S


def write(slos: Sequence[Slo]) -> Exported:
    """Return a document for each service and what its SLOs share."""
    documents: dict[tuple[object, ...], list[Slo]] = {}
    for slo in slos:
        documents.setdefault((slo.service, slo.labels, slo.scrape_interval_s), []).append(slo)
    order = tuple(slo for members in documents.values() for slo in members)
    return Exported("---\n".join(map(_document, documents.values())), order, ())


def _document(slos: Sequence[Slo]) -> str:
    first = slos[0]
    interval = first.scrape_interval_s
    found = {
        "version": VERSION,
        "service": first.service,
        "labels": dict(first.labels),
        "scrape_interval": durations.show(interval) if interval != DEFAULT_SCRAPE_S else None,
        "slos": [_slo(slo) for slo in slos],
    }
    return yaml_text.dump(_filled(found))


def _slo(slo: Slo) -> dict[str, object]:
    window = slo.window.calendar.value if slo.window.calendar else f"{slo.window.seconds // durations.DAY_S}d"
    found = {
        "name": slo.name,
        "description": slo.description,
        **_sli(slo.sli),
        "group_by": list(slo.group_by),
        "objective": slo.objective,
        "window": window if slo.window.calendar or slo.window.seconds != _DEFAULT_WINDOW_S else None,
        "low_traffic": _low_traffic(slo.low_traffic),
        "alerting": _alerting(slo),
        "runbook_url": slo.runbook_url,
        "dashboard_url": slo.dashboard_url,
    }
    return _filled(found)


def _sli(sli: CatalogSli | EventsSli | HistogramSli | SlicedSli) -> dict[str, object]:
    if isinstance(sli, CatalogSli):
        return _of_catalog(sli)
    if isinstance(sli, HistogramSli):
        native = True if sli.native else None
        return {"sli": _filled({"histogram": sli.selector, "native": native}), "threshold": _number(sli.threshold)}
    if isinstance(sli, EventsSli):
        return {"sli": _filled({"bad": sli.bad, "good": sli.good, "total": sli.total})}
    return {"sli": {"good_when" if sli.condition else "ratio": sli.expression}}


def _of_catalog(sli: CatalogSli) -> dict[str, object]:
    measure = measures.measure(sli.name, sli.source)
    threshold: object = None
    if sli.threshold is not None and measure is not None:
        threshold = _number(sli.threshold)
        if measure.is_time:
            threshold = durations.show(threshold)
        if sli.threshold == measure.threshold:
            threshold = None
    usual = catalog.ONE_OF.get(sli.source)
    default = None if usual is None else Matcher(usual[0].name, Op.EQUAL, usual[1])
    select = {one.label: f"~{one.value}" if one.op is Op.MATCH else one.value for one in sli.select if one != default}
    return {
        "sli": sli.name,
        "source": sli.source if sli.source != catalog.OWN else None,
        "native": True if sli.native else None,
        "select": select,
        "threshold": threshold,
    }


def _number(value: float) -> Decimal:
    return Decimal(repr(value)).normalize() + 0


def _low_traffic(low: LowTraffic) -> dict[str, object]:
    return _filled({"min_bad": low.min_bad, "wilson": low.wilson})


def _alerting(slo: Slo) -> dict[str, object]:
    alerting = slo.alerting
    found = {
        "name": alerting.name if alerting.name != default_name(slo) else None,
        "labels": dict(alerting.labels),
        "annotations": dict(alerting.annotations),
        "page": _notice(alerting.page, alerting, Severity.PAGE),
        "ticket": _notice(alerting.ticket, alerting, Severity.TICKET),
        "tiers": [_tier(tier) for tier in alerting.tiers or ()],
    }
    return _filled(found)


def _notice(notice: Notice, alerting: Alerting, severity: Severity) -> dict[str, object]:
    off = True if severity in alerting.disabled else None
    return _filled({"disable": off, "labels": dict(notice.labels), "annotations": dict(notice.annotations)})


def _tier(tier: Tier) -> dict[str, object]:
    found = {
        "name": tier.name,
        "severity": tier.severity.value,
        "factor": _number(tier.factor),
        "long": durations.show(tier.long_s),
        "short": durations.show(tier.short_s),
        "min_bad": tier.min_bad or None,
    }
    return _filled(found)


def _filled(found: Mapping[str, object]) -> dict[str, object]:
    """Return the members that hold something; an annotation may be empty text, a key of ours may not."""
    return {key: value for key, value in found.items() if value not in (None, "", {}, [])}
