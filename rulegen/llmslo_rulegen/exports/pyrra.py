"""SLOs as Pyrra's `ServiceLevelObjective` objects, of the indicators that can hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import promql_parser as ast

from llmslo_exporter.catalog import Part
from llmslo_rulegen import durations, events, promql, templates, terms, yaml_text
from llmslo_rulegen.alerts import word
from llmslo_rulegen.exports.loss import Exported, Losses, default_name, export
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Slo
from llmslo_rulegen.tier import Severity

_PREFIX = "pyrra.dev/"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_TIERS = {Severity.PAGE: ("fastBurn", "mediumBurn"), Severity.TICKET: ("slowBurn", "longTermBurn", "absent")}
_RATES = {"rate", "increase"}
_MARK = "7m"


def write(slos: Sequence[Slo]) -> Exported:
    """Return an object for each SLO."""
    found, losses = export(slos, _object)
    texts = [yaml_text.dump(data) for _, data in found if isinstance(data, dict)]
    return Exported("---\n".join(texts), tuple(slo for slo, _ in found), tuple(losses))


def _object(slo: Slo, here: Losses) -> object | None:
    indicator = _indicator(slo)
    if isinstance(indicator, str):
        here.lost("sli", f"{indicator}: the SLO is left out")
        return None
    if slo.window.calendar is not None:
        here.lost("window", f"Pyrra has no calendar windows ({slo.window.calendar.value}): the SLO is left out")
        return None
    here.unless_default("Pyrra")
    if slo.alerting.tiers is not None:
        here.lost("alerting.tiers", "Pyrra's four burn alerts are the same for every objective")
    spec = {
        "description": slo.description,
        "target": promql.number(slo.objective),
        "window": f"{slo.window.seconds // durations.DAY_S}d",
        "indicator": indicator,
        "alerting": _alerting(slo, here),
    }
    return {
        "apiVersion": "pyrra.dev/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": _metadata(slo, here),
        "spec": {key: value for key, value in spec.items() if value not in ("", {})},
    }


def _metadata(slo: Slo, here: Losses) -> dict[str, object]:
    name = slo.name
    if not _NAME.fullmatch(name):
        name = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
        here.lost("name", f"names of Kubernetes are lower case letters, digits, - and .: it is {name}")
    labels = {_PREFIX + "service": slo.service}
    if not _VALUE.fullmatch(slo.service):
        here.lost("service", "values of labels of Kubernetes have at most 63 characters: it is left out")
        labels = {}
    given = dict(slo.labels) | dict(slo.alerting.labels)
    if slo.alerting.labels:
        here.changed("alerting.labels", "they stand among the labels")
    for key, value in given.items():
        if _KEY.fullmatch(key) and _VALUE.fullmatch(value) and key != "service":
            labels[_PREFIX + key] = value
        else:
            where = "labels" if key in dict(slo.labels) else "alerting.labels"
            here.lost(where, f"{key} is no label of Kubernetes, or its value is not")
    annotations = {}
    for key, value in here.links().items():
        if _KEY.fullmatch(key):
            annotations[_PREFIX + key] = value
        else:
            here.lost("alerting.annotations", f"{key} is no annotation of Kubernetes")
    found = {"name": name, "labels": labels, "annotations": annotations}
    return {key: value for key, value in found.items() if value}


def _alerting(slo: Slo, here: Losses) -> dict[str, object]:
    alerting = slo.alerting
    found: dict[str, object] = {}
    if alerting.name != default_name(slo):
        found["name"] = alerting.name
    if alerting.disabled == frozenset(Severity):
        found |= {"burnrates": False, "absent": False}
    elif alerting.disabled:
        off = next(iter(alerting.disabled)).value
        here.lost(f"alerting.{off}.disable", "Pyrra turns burn alerts off together: they stay on")
    severities: dict[str, str] = {}
    for severity, tiers in _TIERS.items():
        notice = alerting.notice(severity)
        if word(slo, severity) != severity.value:
            severities |= dict.fromkeys(tiers, word(slo, severity))
        if any(label != "severity" for label, _ in notice.labels) or notice.annotations:
            here.lost(f"alerting.{severity.value}", "Pyrra's alerts of all severities carry the same labels")
    return found | ({"severities": severities} if severities else {})


def _indicator(slo: Slo) -> Mapping[str, object] | str:
    """Return the indicator of an SLO, or what none of them can hold."""
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        found = _of_catalog(sli)
    elif isinstance(sli, HistogramSli):
        found = _of_histogram(sli)
    elif isinstance(sli, EventsSli):
        found = _of_events(sli)
    else:
        return "none of Pyrra's indicators judges an expression by time"
    if isinstance(found, str) or not slo.group_by:
        return found
    return {kind: dict(members) | {"grouping": list(slo.group_by)} for kind, members in found.items()}


def _of_histogram(sli: HistogramSli) -> Mapping[str, dict[str, object]] | str:
    if not sli.native:
        within, every = events.selectors_of(sli)
        return _latency(within, every, sli.threshold)
    return _latency_native(sli.selector, sli.threshold)


def _latency(within: str, every: str, edge: float) -> Mapping[str, dict[str, object]]:
    # Pyrra itself sees to it that both Prometheus 2 and 3 find the bucket.
    inside = promql.matcher(promql.upper_edge(edge))
    success = within.replace(inside, f'le="{promql.number(edge)}"')
    return {"latency": {"success": {"metric": success}, "total": {"metric": every}}}


def _latency_native(series: str, edge: float) -> Mapping[str, dict[str, object]] | str:
    if edge * 1000 != int(edge * 1000):
        return f"a latency of Pyrra's is whole milliseconds, this is {edge:g} s"
    return {"latencyNative": {"latency": promql.duration(edge), "total": {"metric": series}}}


def _of_catalog(sli: CatalogSli) -> Mapping[str, dict[str, object]] | str:
    found = events.definition(sli)
    if len(found.total) != 1 or len(found.bad or found.good) != 1:
        return f"{sli.name} adds several series up, an indicator of Pyrra's takes one selector"
    total, part = (events.selectors(sli, of)[0] for of in (found.total, found.bad or found.good))
    if found.bad and found.bad[0].part is Part.EVENTS:
        return {"ratio": {"errors": {"metric": part}, "total": {"metric": total}}}
    edge = sli.threshold if sli.threshold is not None else found.threshold
    if not found.good or found.good[0].part is not Part.WITHIN or edge is None:
        return f"{sli.name} counts what is good, an indicator of Pyrra's what is bad"
    if not sli.native:
        return _latency(part, total, edge)
    if found.total[0].metric is not found.good[0].metric:
        return f"{sli.name} takes its events from another metric than its histogram"
    return _latency_native(part, edge)


def _of_events(sli: EventsSli) -> Mapping[str, dict[str, object]] | str:
    total, part = _metric(sli.total), _metric(sli.bad or sli.good or "")
    if total is None or part is None:
        return "an indicator of Pyrra's is made of single selectors, its expressions are more"
    if sli.bad is not None:
        if {total[0], part[0]} <= _RATES:
            return {"ratio": {"errors": {"metric": part[1]}, "total": {"metric": total[1]}}}
    elif (part, total) == (("sum_over_time", total[1]), ("count_over_time", total[1])):
        return {"bool_gauge": {"metric": total[1]}}
    return "an indicator of Pyrra's counts what is bad, and counters"


def _metric(template: str) -> tuple[str, str] | None:
    """Return function and selector of `sum(rate(selector[{{window}}]))`; None: it is more than that."""
    tree = ast.parse(template.replace(templates.WINDOW, _MARK))
    while isinstance(tree, (ast.ParenExpr, ast.AggregateExpr)):
        if isinstance(tree, ast.AggregateExpr) and str(tree.op) != "sum":
            return None
        tree = tree.expr
    if not isinstance(tree, ast.Call) or not isinstance(tree.args[0], ast.MatrixSelector):
        return None
    selector = tree.args[0].vector_selector
    try:
        text = promql.selector(*terms.selected(selector))
    except terms.NotLinearError:
        return None
    offset = f" offset {promql.duration(selector.offset.total_seconds())}" if selector.offset is not None else ""
    return str(tree.func.name), text + offset
