"""SLOs as OpenSLO v1: the SLO, a policy and a condition for each window of each alert, and who is notified.

One condition has one window and one policy has one condition (slo-rules 9), so that an alert over two windows is two
policies: whoever alerts from OpenSLO hears of each window apart. Annotations `llmslo/...` tell which belong together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from llmslo_rulegen import durations, yaml_text
from llmslo_rulegen.alerts import tiers_of, word
from llmslo_rulegen.exports.loss import Exported, Losses, default_name, export
from llmslo_rulegen.exports.written import written
from llmslo_rulegen.slo import Calendar, SlicedSli, Slo
from llmslo_rulegen.templates import WINDOW
from llmslo_rulegen.tier import Severity, Tier

_API = "openslo/v1"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_MOST_TEXT, _MOST_NAME, _DIGEST = 1050, 63, 8
_TARGETS = {
    Severity.PAGE: ("slo-page", "wakes somebody"),
    Severity.TICKET: ("slo-ticket", "leaves a note"),
}
_CALENDARS = {Calendar.WEEK: "1w", Calendar.MONTH: "1M", Calendar.QUARTER: "1Q"}
_BEGIN = {"startTime": "2024-01-01 00:00:00", "timeZone": "UTC"}  # a Monday, and the first of a quarter
_MINUTE_S = 60
_WINDOWS = ("long", "short")


def write(slos: Sequence[Slo]) -> Exported:
    """Return all objects: targets first, then each SLO with what it refers to."""
    seen: dict[str, str] = {}
    found, losses = export(slos, lambda slo, here: _objects(slo, here, seen))
    objects: list[object] = []
    used = {severity for slo, _ in found for severity in Severity if severity not in slo.alerting.disabled}
    if used:
        objects += [_target(severity) for severity in Severity if severity in used]
    for _, data in found:
        objects += data if isinstance(data, list) else []
    texts = [yaml_text.dump(one) for one in objects if isinstance(one, dict)]
    return Exported("---\n".join(texts), tuple(slo for slo, _ in found), tuple(losses))


def dns(text: str) -> str:
    """Return a name of Kubernetes, the same for the same text: lower case letters, digits and -, at most 63."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
    if len(found) <= _MOST_NAME:
        return found
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{found[: _MOST_NAME - _DIGEST - 1].rstrip('-')}-{digest}"


def _objects(slo: Slo, here: Losses, seen: dict[str, str]) -> list[object]:
    here.unless_default("OpenSLO")
    name = slo.name
    if not _NAME.fullmatch(name):
        name = dns(slo.name)
        here.lost("name", f"names of OpenSLO are lower case letters, digits and -: it is {name}")
    if seen.setdefault(name, slo.id) != slo.id:
        here.lost("name", f"{name} is also the name of {seen[name]}, objects of OpenSLO have names of their own")
        name = dns(slo.id)
    if slo.group_by:
        here.lost("group_by", "OpenSLO has no groups: it is one budget for all of them")
    policies, names = list(_policies(slo, here)), list(_names(slo))
    _notices(slo, here)
    spec: dict[str, object] = {
        "description": _description(slo, here),
        "service": slo.service,
        "indicator": {"metadata": {"name": name}, "spec": {"ratioMetric": _metric(slo)}},
        "timeWindow": [_window(slo)],
        "budgetingMethod": "RatioTimeslices" if isinstance(slo.sli, SlicedSli) else "Occurrences",
        "objectives": [_objective(slo)],
        "alertPolicies": [{"alertPolicyRef": policy} for policy in names],
    }
    return [_object("SLO", _metadata(slo, name, here), _filled(spec)), *policies]


def _object(kind: str, metadata: dict[str, object], spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def _metadata(slo: Slo, name: str, here: Losses) -> dict[str, object]:
    labels = {}
    if slo.alerting.labels:
        here.changed("alerting.labels", "they stand among the labels")
    for key, value in (dict(slo.labels) | dict(slo.alerting.labels)).items():
        if _KEY.fullmatch(key):
            labels[key] = value
        else:
            where = "labels" if key in dict(slo.labels) else "alerting.labels"
            here.lost(where, f"{key} cannot be a label of OpenSLO")
    annotations = {}
    for key, value in here.links().items():
        if _KEY.fullmatch(key):
            annotations[key] = value
        else:
            here.lost("alerting.annotations", f"{key} cannot be an annotation of OpenSLO")
    return _filled({"name": name, "labels": labels, "annotations": annotations})


def _description(slo: Slo, here: Losses) -> str:
    if len(slo.description) > _MOST_TEXT:
        here.lost("description", f"a description of OpenSLO has at most {_MOST_TEXT} characters: it is cut")
    return slo.description[:_MOST_TEXT]


def _metric(slo: Slo) -> dict[str, object]:
    if isinstance(slo.sli, SlicedSli):
        if not slo.sli.condition:
            return {"counter": False, "rawType": "failure", "raw": _source(slo.sli.expression)}
        return {"counter": False, "rawType": "success", "raw": _source(f"({slo.sli.expression}) != bool 0")}
    found = written(replace(slo, group_by=()))
    if found is None:
        msg = "events that are no slices have templates"
        raise TypeError(msg)
    part = {"good" if found.is_good else "bad": _source(found.part)}
    return {"counter": True, **part, "total": _source(found.total)}


def _source(query: str) -> dict[str, object]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query.replace(WINDOW, "{{.window}}")}}}


def _window(slo: Slo) -> dict[str, object]:
    if slo.window.calendar is None:
        return {"duration": f"{slo.window.seconds // durations.DAY_S}d", "isRolling": True}
    return {"duration": _CALENDARS[slo.window.calendar], "isRolling": False, "calendar": dict(_BEGIN)}


def _objective(slo: Slo) -> dict[str, object]:
    found: dict[str, object] = {"target": slo.objective / 100}
    return found | {"timeSliceWindow": "1m"} if isinstance(slo.sli, SlicedSli) else found


def _notices(slo: Slo, here: Losses) -> None:
    """Say what of the alerts OpenSLO has no word for."""
    alerting = slo.alerting
    for severity in Severity:
        notice = alerting.notice(severity)
        if any(label != "severity" for label, _ in notice.labels) or notice.annotations:
            here.lost(f"alerting.{severity.value}", "conditions of OpenSLO carry a severity, no labels and annotations")
        if severity in alerting.disabled and notice.labels:
            here.lost(f"alerting.{severity.value}", "there is no condition that could carry it")
    if alerting.disabled == frozenset(Severity):
        here.lost("alerting", "an SLO without policies has the usual alerts: turn them off where it is read")
        if alerting.name != default_name(slo):
            here.lost("alerting.name", "there is no policy that could carry it")
    elif Severity.TICKET not in alerting.disabled:
        here.changed("alerting", "the alerts on a spent budget and on nonsense data have no condition in OpenSLO")
    if any(tier.min_bad for tier in alerting.tiers or ()):
        here.lost("alerting.tiers", "conditions of OpenSLO have no least count of bad events")


def _policies(slo: Slo, here: Losses) -> Iterator[dict[str, object]]:
    """Yield a policy and a condition for each window of each tier, then one for missing data."""
    for tier in tiers_of(slo):
        if tier.long_s % _MINUTE_S or tier.short_s % _MINUTE_S:
            here.lost("alerting.tiers", f"windows of OpenSLO are whole minutes: those of {tier.name} are cut")
        for window in _WINDOWS:
            yield from _alert(slo, tier, window)
    if tiers_of(slo):
        here.changed("alerting.tiers", "an alert over two windows is two policies of one window, each may fire alone")
    if Severity.TICKET not in slo.alerting.disabled:
        yield from _absent(slo)


def _names(slo: Slo) -> Iterator[str]:
    """Yield the names of an SLO's policies."""
    for tier in tiers_of(slo):
        yield from (dns(f"{slo.id}-{tier.name}-{window}") for window in _WINDOWS)
    if Severity.TICKET not in slo.alerting.disabled:
        yield dns(f"{slo.id}-absent")


def _alert(slo: Slo, tier: Tier, window: str) -> Iterator[dict[str, object]]:
    name, seconds = dns(f"{slo.id}-{tier.name}-{window}"), tier.long_s if window == "long" else tier.short_s
    annotations = {
        "llmslo/alert": slo.alerting.name,
        "llmslo/severity": tier.severity.value,
        "llmslo/tier": tier.name,
        "llmslo/window": window,
    }
    length = f"{max(1, seconds // _MINUTE_S)}m"
    condition = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": Decimal(repr(tier.factor)).normalize() + 0,
        "lookbackWindow": f"{seconds // 3600}h" if seconds % 3600 == 0 else length,
    }
    yield _object(
        "AlertPolicy",
        {"name": name, "annotations": annotations},
        _policy(name, tier.severity, breaching=True),
    )
    yield _object(
        "AlertCondition",
        {"name": name, "annotations": annotations},
        {"severity": word(slo, tier.severity), "condition": condition},
    )


def _policy(condition: str, severity: Severity, *, breaching: bool) -> dict[str, object]:
    return {
        "alertWhenBreaching": breaching,
        "alertWhenNoData": not breaching,
        "alertWhenResolved": True,
        "conditions": [{"conditionRef": condition}],
        "notificationTargets": [{"targetRef": _TARGETS[severity][0]}],
    }


def _absent(slo: Slo) -> Iterator[dict[str, object]]:
    name = dns(f"{slo.id}-absent")
    metadata: dict[str, object] = {"name": name, "annotations": {"llmslo/kind": "absent"}}
    yield _object("AlertPolicy", metadata, _policy(name, Severity.TICKET, breaching=False))
    condition = {"kind": "burnrate", "op": "gt", "threshold": 1, "lookbackWindow": "1h", "alertAfter": "10m"}
    severity = word(slo, Severity.TICKET)
    yield _object("AlertCondition", metadata, {"severity": severity, "condition": condition})


def _target(severity: Severity) -> dict[str, object]:
    name, what = _TARGETS[severity]
    return _object("AlertNotificationTarget", {"name": name}, {"target": "alertmanager", "description": what})


def _filled(found: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in found.items() if value not in ("", {}, [])}
