"""OpenSLO's SLOs, v1 and v1alpha, with the objects that they refer to (slo-rules 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from llmslo_rulegen import durations
from llmslo_rulegen.foreign import counted, periods, policies
from llmslo_rulegen.foreign.counted import Indicator, Slice
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import UNSUPPORTED, Node

V1, ALPHA = "openslo/v1", "openslo/v1alpha"
KINDS = ("SLO", "SLI", "DataSource", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
PROMETHEUS = ("prometheus", "thanos", "mimir", "cortex", "victoriametrics")
PERCENT = 100
# What an API server adds to an object that it holds; nothing of it is about the SLO.
OF_A_SERVER = (
    *("namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"),
    *("finalizers", "ownerReferences"),
)
_SLICE = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": durations.DAY_S}

Objects = Mapping[tuple[str, str], Node]


def drafts(top: Node, objects: Objects) -> Iterator[Draft]:
    """Yield one SLO for each objective; of the kinds that are only referred to there are none."""
    if not top.keys("apiVersion", "kind", "metadata", "spec", "status"):
        return
    if top.at("kind").one_of(*KINDS) != "SLO":
        return
    alpha = top.value.get("apiVersion") == ALPHA if isinstance(top.value, dict) else False
    spec = top.at("spec")
    keys = ("timeWindows",) if alpha else ("indicatorRef", "timeWindow", "alertPolicies")
    if not spec.keys("description", "service", "indicator", "budgetingMethod", "objectives", *keys):
        return
    objectives = list(spec.at("objectives").items())
    if not objectives:
        spec.at("objectives").error("`objectives` is needed as a list of one or more")
    for number, objective in enumerate(objectives):
        draft = Draft(objective if len(objectives) > 1 else top)
        # As Sloth names them, which reads v1alpha too.
        suffix = f"-{number}" if alpha or len(objectives) > 1 else ""
        _about(draft, top, suffix)
        _objective(draft, objective)
        windows = spec.at("timeWindows" if alpha else "timeWindow")
        (periods.alpha if alpha else periods.v1)(draft, windows)
        found = _alpha_indicator(spec, objective) if alpha else _indicator(spec, objective, objects)
        if found is not None:
            method = spec.at("budgetingMethod").one_of("Occurrences", "Timeslices", "RatioTimeslices")
            counted.sli(draft, found, _slice(objective, method or "Occurrences"))
        if not alpha and "alertPolicies" in spec:
            policies.read(draft, spec.at("alertPolicies"), objects)
        yield draft


def _about(draft: Draft, top: Node, suffix: str) -> None:
    metadata, spec = top.at("metadata"), top.at("spec")
    if not metadata.keys("name", "displayName", "labels", "annotations", *OF_A_SERVER):
        return
    name, service = metadata.at("name").needed(), spec.at("service").needed()
    draft.put("name", name and name + suffix, metadata.at("name"))
    draft.put("service", service, spec.at("service"), of=draft.file)
    shown, text = metadata.at("displayName").text(), spec.at("description").text()
    if shown and text and shown != text:
        metadata.at("displayName").changed("it stands before the description")
        text = f"{shown}: {text}"
    draft.put("description", text or shown, spec.at("description") if text else metadata.at("displayName"))
    labels = metadata.at("labels")
    for key, value in labels.members():
        if isinstance(value.value, list):
            if len(value.value) == 1:
                labels.value[key] = value.value[0]  # type: ignore[index]  # a mapping, as it has members
            else:
                value.lost("a label of Prometheus has one value")
                labels.value[key] = None  # type: ignore[index]
    draft.labels(labels)
    draft.annotations(metadata.at("annotations"))


def _objective(draft: Draft, objective: Node) -> None:
    known = ("displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow")
    composite = [key for key in ("indicator", "indicatorRef", "compositeWeight") if key in objective]
    if composite:
        text = f"`{composite[0]}` of an objective makes a composite SLO, which is not supported: write an SLO for each"
        objective.at(composite[0]).error(text, UNSUPPORTED)
        return
    if not objective.keys(*known, "ratioMetrics"):
        return
    given = [key for key in ("target", "targetPercent") if key in objective]
    if len(given) != 1:
        objective.error("one of target (a share) and targetPercent is needed")
        return
    found = objective.at(given[0]).number()
    if found is not None and given == ["target"] and not 0 < found < 1:
        fix = f"write {found / 100:f}, or targetPercent" if 1 < found < PERCENT else "write one such as 0.99"
        objective.at("target").error(f"`target` is {found:f}, a share above 0 and below 1 is needed: {fix}")
    elif found is not None:
        percent = found if given == ["targetPercent"] else found * 100
        draft.put("objective", percent.normalize() + 0, objective.at(given[0]))


def _slice(objective: Node, method: str) -> Slice:
    length = objective.at("timeSliceWindow")
    seconds = 60
    if isinstance(length.value, (int, Decimal)) and not isinstance(length.value, bool):
        seconds = int(length.value * 60)
    elif (text := length.text()) is not None:
        found = _SLICE.fullmatch(text)
        if found is None:
            length.error(f"`timeSliceWindow` is {text[:60]}: write minutes, hours or days, such as 1m")
        else:
            seconds = int(found[1]) * _SECONDS[found[2]]
    target = objective.at("timeSliceTarget").number()
    if method == "Timeslices" and (target is None or not 0 < target <= 1):
        objective.error("Timeslices need a timeSliceTarget above 0, at most 1: add it")
    return Slice(method, target or Decimal(1), max(seconds, 60), length)


def _indicator(spec: Node, objective: Node, objects: Objects) -> Indicator | None:
    if any(key in objective for key in ("indicator", "indicatorRef")):
        return None  # a composite SLO, which was said
    sli = _sli(spec, objects)
    if sli is None or not sli.keys("description", "thresholdMetric", "ratioMetric"):
        return None
    metrics = [key for key in ("thresholdMetric", "ratioMetric") if key in sli]
    if len(metrics) != 1:
        sli.error(f"an SLI is a thresholdMetric or a ratioMetric; found {', '.join(metrics) or 'none'}")
        return None
    if metrics == ["ratioMetric"]:
        return _ratio(sli.at("ratioMetric"), objects)
    query = _query(sli.at("thresholdMetric"), objects)
    return None if query is None else counted.threshold(query, objective)


def _sli(spec: Node, objects: Objects) -> Node | None:
    """Return the spec of the SLI that stands here or is referred to."""
    given = [key for key in ("indicator", "indicatorRef") if key in spec]
    if len(given) != 1:
        spec.error(f"one of indicator and indicatorRef is needed; found {', '.join(given) or 'none'}")
        return None
    if given == ["indicator"]:
        return spec.at("indicator", "spec") if spec.at("indicator").keys("metadata", "spec") else None
    name = spec.at("indicatorRef").needed()
    found = objects.get(("SLI", name))
    if found is None:
        spec.at("indicatorRef").error(f"no SLI is called {name[:60]}: give the file that holds it as well")
        return None
    return found.at("spec")


def _ratio(ratio: Node, objects: Objects) -> Indicator | None:
    if not ratio.keys("counter", "good", "bad", "total", "raw", "rawType"):
        return None
    given = tuple(key for key in ("good", "bad", "total", "raw") if key in ratio)
    if given not in {("good", "total"), ("bad", "total"), ("raw",)}:
        ratio.error(
            f"a ratio is good and total, bad and total, or raw; found {', '.join(given) or 'none'}: keep one way"
        )
        return None
    queries = [_query(ratio.at(key), objects) for key in given]
    if given == ("raw",):
        kind = ratio.at("rawType").one_of("success", "failure")
        if kind is None:
            ratio.at("rawType").error("`rawType` is missing: write success or failure")
        return Indicator(kind, queries[0], None, is_counter=False) if kind and queries[0] else None
    part, total = queries
    if part is None or total is None:
        return None
    return Indicator(given[0], part, total, is_counter=ratio.at("counter").flag())


def _query(metric: Node, objects: Objects) -> Node | None:
    """Return the PromQL of a metric."""
    source = metric.at("metricSource")
    if not metric.keys("metricSource") or not source.keys("metricSourceRef", "type", "spec"):
        return None
    ref = source.at("metricSourceRef").text()
    kind = source.at("type").text()
    if ref and not kind:
        data = objects.get(("DataSource", ref))
        kind = data.at("spec", "type").text() if data is not None else None
        if data is None:
            source.at("metricSourceRef").changed("its DataSource is in none of the files: it is taken for Prometheus")
    if kind and kind.casefold() not in PROMETHEUS:
        source.error(f"{kind[:60]} is no Prometheus: its queries cannot be rules", UNSUPPORTED)
        return None
    spec = source.at("spec")
    if not spec.keys("query"):
        return None
    return spec.at("query") if spec.at("query").needed() else None


def _alpha_indicator(spec: Node, objective: Node) -> Indicator | None:
    ratio, threshold = objective.at("ratioMetrics"), spec.at("indicator", "thresholdMetric")
    if (ratio.value is None) == (threshold.value is None):
        objective.error("one of ratioMetrics and, above the objectives, indicator.thresholdMetric is needed")
        return None
    if ratio.value is None:
        query = _alpha_query(threshold)
        return None if query is None else counted.threshold(query, objective)
    if not ratio.keys("good", "total", "incremental", "counter"):
        return None
    good, total = (_alpha_query(ratio.at(key)) for key in ("good", "total"))
    if good is None or total is None:
        return None
    is_counter = ratio.at("incremental").flag() or ratio.at("counter").flag()
    return Indicator("good", good, total, is_counter=is_counter)


def _alpha_query(metric: Node) -> Node | None:
    if not metric.keys("source", "queryType", "query"):
        return None
    source = metric.at("source").needed()
    if source and source.casefold() not in PROMETHEUS:
        metric.at("source").error(f"{source[:60]} is no Prometheus: its queries cannot be rules", UNSUPPORTED)
        return None
    return metric.at("query") if metric.at("query").needed() else None
