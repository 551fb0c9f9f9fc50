"""Pyrra's `ServiceLevelObjective` objects, all four indicators (slo-rules 4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import promql_parser as ast

from llmslo_rulegen import durations, names, promql, templates, terms
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import Node
from llmslo_rulegen.located import Map
from llmslo_rulegen.slo import Matcher, Op
from llmslo_rulegen.tier import Severity

GROUP, KIND = "pyrra.dev/v1alpha1", "ServiceLevelObjective"
PREFIX = "pyrra.dev/"  # of labels and annotations that go to rules and alerts
SERVICE = PREFIX + "service"
_ALERTING = ("disabled", "burnrates", "absent", "name", "absentName", "severities")
# Pyrra's tiers and the severity of ours that stand for them.
_SEVERITIES = {
    "fastBurn": Severity.PAGE,
    "mediumBurn": Severity.PAGE,
    "slowBurn": Severity.TICKET,
    "longTermBurn": Severity.TICKET,
    "absent": Severity.TICKET,
}
_EDGE = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric as an object names it; `offset` in seconds."""

    name: str
    matchers: tuple[Matcher, ...]
    offset: float


def draft(top: Node) -> Draft | None:
    """Return the SLO of an object; None: the findings say why not."""
    if not top.keys("apiVersion", "kind", "metadata", "spec", "status"):
        return None
    spec = top.at("spec")
    if not spec.keys(
        "target", "window", "description", "indicator", "alerting", "performanceOverAccuracy",
        "partial_response_strategy", "rulenamespace",
    ):  # fmt: skip
        return None
    found = Draft(top)
    _metadata(found, top.at("metadata"))
    found.put("description", spec.at("description").text(), spec.at("description"))
    found.put("objective", _target(spec.at("target")), spec.at("target"))
    _window(found, spec.at("window"))
    _indicator(found, spec.at("indicator"))
    _alerting(found, spec.at("alerting"))
    _of_rules(spec)
    return found


def _metadata(found: Draft, metadata: Node) -> None:
    name, labels = metadata.at("name"), metadata.at("labels")
    found.put("name", name.needed(), name)
    service = metadata.at("labels", SERVICE)
    of = next((node for node in (service, metadata.at("namespace"), name) if node.text()), name)
    found.put("service", of.text(), of, of=found.file)
    own = _prefixed(labels, lambda key: key != SERVICE)
    if own.value:
        found.labels(own)
    if any(not key.startswith(PREFIX) for key, _ in labels.members()):
        labels.changed("labels of the Kubernetes object: give them to `render --format prometheusrule --label`")
    annotations = metadata.at("annotations")
    notes = _prefixed(annotations, lambda _: True)
    if notes.value:
        found.annotations(notes)
    if any(not key.startswith(PREFIX) for key, _ in annotations.members()):
        annotations.changed(f"annotations without {PREFIX} are about the Kubernetes object, alerts do not carry them")


def _prefixed(node: Node, takes: Callable[[str], bool]) -> Node:
    """Return the members whose names begin with Pyrra's prefix, without it."""
    found = Map()
    for key, value in node.members():
        if key.startswith(PREFIX) and takes(key):
            found[key.removeprefix(PREFIX)] = value.value
            found.lines[key.removeprefix(PREFIX)] = value.line
    return Node(node.document, found, node.path, node.findings)


def _target(node: Node) -> object:
    text = node.word()
    if not text:
        node.error("`target` is missing: add it, in percent")
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _window(found: Draft, node: Node) -> None:
    text = node.needed()
    length = durations.parse(text) if text else None
    if length is None:
        if text:
            found.put("window", text, node)  # refused where windows are read
        return
    found.put("window", durations.show(length), node)


def _indicator(found: Draft, node: Node) -> None:
    kinds = {"ratio": _ratio, "latency": _latency, "latencyNative": _native, "bool_gauge": _gauge}
    if not node.keys(*kinds):
        return
    given = [kind for kind in kinds if kind in node]
    if len(given) != 1:
        node.error(f"an indicator is one of {', '.join(kinds)}; found {', '.join(given) or 'nothing'}: keep one")
        return
    kind = node.at(given[0])
    labels = tuple(label.needed() for label in kind.at("grouping").items())
    found.group_by(labels, kind.at("grouping"))
    kinds[given[0]](found, kind, labels)


def _ratio(found: Draft, node: Node, labels: tuple[str, ...]) -> None:
    if not node.keys("errors", "total", "grouping"):
        return
    bad, total = (_selector(node.at(key, "metric")) for key in ("errors", "total"))
    if bad is not None and total is not None:
        found.sli(node, bad=_summed(bad, "rate", labels), total=_summed(total, "rate", labels))


def _latency(found: Draft, node: Node, labels: tuple[str, ...]) -> None:
    if not node.keys("success", "total", "grouping"):
        return
    where = node.at("success", "metric")
    good, total = _selector(where), _selector(node.at("total", "metric"))
    if good is None or total is None:
        return
    edges = [matcher.value for matcher in good.matchers if matcher.label == "le" and matcher.op is Op.EQUAL]
    if len(edges) != 1 or not _EDGE.fullmatch(edges[0]):
        where.error('the success metric of a latency needs the edge of a bucket, such as le="0.5": add it')
        return
    edge = Decimal(edges[0])
    rest = tuple(matcher for matcher in good.matchers if matcher.label != "le")
    base = good.name.removesuffix("_bucket")
    if (base, f"{base}_count", sorted(rest, key=str)) == (base, total.name, sorted(total.matchers, key=str)) and not (
        good.name == base or good.offset or total.offset
    ):
        found.sli(where, histogram=promql.selector(base, rest))
        found.put("threshold", edge, where)
        return
    within = Selector(good.name, (*rest, promql.upper_edge(float(edge))), good.offset)
    found.sli(where, good=_summed(within, "rate", labels), total=_summed(total, "rate", labels))


def _native(found: Draft, node: Node, labels: tuple[str, ...]) -> None:
    del labels  # they group the SLO
    if not node.keys("latency", "total", "grouping"):
        return
    total, limit = _selector(node.at("total", "metric")), node.at("latency").needed()
    if total is not None:
        found.sli(node.at("total"), histogram=promql.selector(total.name, total.matchers), native=True)
        found.put("threshold", limit, node.at("latency"))


def _gauge(found: Draft, node: Node, labels: tuple[str, ...]) -> None:
    if not node.keys("metric", "grouping"):
        return
    metric = _selector(node.at("metric"))
    if metric is not None:
        good, total = (_summed(metric, f"{what}_over_time", labels) for what in ("sum", "count"))
        found.sli(node.at("metric"), good=good, total=total)


def _selector(node: Node) -> Selector | None:
    text = node.needed()
    if not text:
        return None
    try:
        tree = templates.parse(text.strip())
        if isinstance(tree, ast.VectorSelector):
            name, matchers = terms.selected(tree)
            return Selector(name, matchers, tree.offset.total_seconds() if tree.offset is not None else 0)
    except ExpressionError as error:
        node.error(str(error), "slo/promql")
        return None
    except terms.NotLinearError:
        pass
    node.error("a metric is needed as its name and labels, nothing around them: write `name{label=...}`")
    return None


def _summed(selector: Selector, function: str, labels: tuple[str, ...]) -> str:
    offset = f" offset {promql.duration(selector.offset)}" if selector.offset else ""
    return promql.summed(
        f"{function}({promql.selector(selector.name, selector.matchers)}[{templates.WINDOW}]{offset})", labels
    )


def _alerting(found: Draft, node: Node) -> None:
    if node.value is None or not node.keys(*_ALERTING):
        return
    found.alert_name(node.at("name"))
    burns = node.at("burnrates").flag(default=True) and not node.at("disabled").flag()
    absent = node.at("absent").flag(default=True) and not node.at("disabled").flag()
    words = _words(node.at("severities"))
    for severity in Severity:
        found.severity(severity, node, labels=words.get(severity), off=not burns)
    if burns and not absent:
        node.at("absent").lost("the alert on missing data goes with the other tickets, it has no switch of its own")
    if absent and not burns:
        node.at("burnrates").changed("the alert on missing data is a ticket, and goes with the burn alerts")
    if "absentName" in node:
        node.at("absentName").lost("the alert on missing data is called after the burn alerts, with Absent behind")


def _words(node: Node) -> dict[Severity, Node]:
    """Return, per severity, a mapping with the one label that is its word."""
    found: dict[Severity, Node] = {}
    if node.value is None or not node.keys(*_SEVERITIES):
        return found
    for key, value in node.members():
        severity, word = _SEVERITIES.get(key), value.text()
        if severity is None or not word:
            continue
        if severity in found and (other := found[severity].at("severity").value) != word:
            value.lost(f"all alerts of one severity carry one word, that of {severity.value}s is {other}")
        elif not names.WORD.fullmatch(word):
            value.lost("a severity is needed as letters, digits, -, _ and .")
        elif severity not in found:
            labels = Map()
            labels["severity"] = word
            labels.lines["severity"] = value.line
            found[severity] = Node(node.document, labels, value.path, node.findings)
    return found


def _of_rules(spec: Node) -> None:
    """Say what of the object is about how rules are made, not about the promise."""
    if "performanceOverAccuracy" in spec:
        spec.at("performanceOverAccuracy").changed("rules are cheap and exact here, there is nothing to choose")
    if "partial_response_strategy" in spec:
        spec.at("partial_response_strategy").lost("give it to `render --format thanos --partial-response`")
    if "rulenamespace" in spec:
        spec.at("rulenamespace").lost("give it to `render --format mimir --namespace`")
