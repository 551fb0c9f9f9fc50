"""What others accept, as JSON Schema, rebuilt from their published types and rules; unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping

Schema = Mapping[str, object]
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_SUBDOMAIN = r"^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
LABEL_KEY, LABEL_VALUE = f"^{_PREFIX}{_KEY}$", f"^({_KEY})?$"
PROMETHEUS_DURATION = r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
OPENSLO_DURATION = r"^[1-9][0-9]*[mhdwMQY]$"


def closed(required: str = "", **properties: object) -> dict[str, object]:
    """Return a mapping of these members and no others; `required` names those that have to be there."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def items(of: Schema, least: int = 0, most: int | None = None) -> dict[str, object]:
    """Return a list."""
    return {"type": "array", "items": of, "minItems": least} | ({} if most is None else {"maxItems": most})


def one_of(*required: str) -> dict[str, object]:
    """Return that exactly one of these groups of keys is given."""
    return {"oneOf": [{"required": keys.split()} for keys in required]}


TEXT: Schema = {"type": "string"}
NON_EMPTY: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}


def pattern(text: str) -> Schema:
    """Return text of a pattern."""
    return {"type": "string", "pattern": text}


def kubernetes(api: str, kind: str, spec: Schema) -> Schema:
    """Return an object of Kubernetes as its server takes it."""
    labels = {
        "type": "object",
        "propertyNames": {"pattern": LABEL_KEY},
        "additionalProperties": pattern(LABEL_VALUE),
    }
    annotations = {"type": "object", "propertyNames": {"pattern": LABEL_KEY}, "additionalProperties": TEXT}
    metadata = closed(
        "name", name=pattern(DNS_SUBDOMAIN), namespace=pattern(DNS_LABEL), labels=labels, annotations=annotations
    )
    return closed(
        "apiVersion kind metadata spec", apiVersion={"const": api}, kind={"const": kind}, metadata=metadata, spec=spec
    )


_RULE = closed(
    "expr",
    record=TEXT,
    alert=TEXT,
    expr={"type": ["string", "integer"]},
    **{"for": pattern(PROMETHEUS_DURATION)},
    keep_firing_for={"type": "string", "minLength": 1, "pattern": PROMETHEUS_DURATION},
    labels=TEXTS,
    annotations=TEXTS,
) | one_of("record", "alert")
_GROUP = closed(
    "name",
    name=NON_EMPTY,
    interval=pattern(PROMETHEUS_DURATION),
    limit={"type": "integer"},
    labels=TEXTS,
    partial_response_strategy=pattern("^(abort|warn)?$"),
    query_offset=pattern(PROMETHEUS_DURATION),
    rules=items(_RULE),
)
PROMETHEUSRULE = kubernetes("monitoring.coreos.com/v1", "PrometheusRule", closed(groups=items(_GROUP)))
_VM_GROUP = closed(
    "name rules",
    name=TEXT,
    interval=TEXT,
    concurrency={"type": "integer"},
    labels=TEXTS,
    limit={"type": "integer"},
    params=TEXTS,
    rules=items(_RULE),
    tenant=TEXT,
    type=TEXT,
)
VMRULE = kubernetes("operator.victoriametrics.com/v1beta1", "VMRule", closed("groups", groups=items(_VM_GROUP)))
MIMIR = closed("namespace groups", namespace=NON_EMPTY, groups=items(_GROUP, 1))
THANOS = closed("groups", groups=items(_GROUP | {"required": ["name", "partial_response_strategy"]}, 1))

_ALERT = closed(disable=FLAG, labels=TEXTS, annotations=TEXTS)
_SLOTH_SLI = closed(
    events=closed("error_query total_query", error_query=NON_EMPTY, total_query=NON_EMPTY),
    raw=closed("error_ratio_query", error_ratio_query=NON_EMPTY),
) | one_of("events", "raw")
SLOTH = closed(
    "version service slos",
    version={"const": "prometheus/v1"},
    service=pattern("^[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]$"),
    labels=TEXTS,
    slos=items(
        closed(
            "name objective sli alerting",
            name=pattern("^[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]$"),
            description=TEXT,
            objective={"type": "number", "exclusiveMinimum": 0, "maximum": 100},
            labels=TEXTS,
            sli=_SLOTH_SLI,
            alerting=closed(name=TEXT, labels=TEXTS, annotations=TEXTS, page_alert=_ALERT, ticket_alert=_ALERT),
        ),
        1,
    ),
)
_METRIC = closed("metric", metric=NON_EMPTY)
_GROUPING = items(TEXT)
_INDICATOR = closed(
    ratio=closed("errors total", errors=_METRIC, total=_METRIC, grouping=_GROUPING),
    latency=closed("success total", success=_METRIC, total=_METRIC, grouping=_GROUPING),
    latencyNative=closed("latency total", latency=pattern(PROMETHEUS_DURATION), total=_METRIC, grouping=_GROUPING),
    bool_gauge=closed("metric", metric=NON_EMPTY, grouping=_GROUPING),
) | one_of("ratio", "latency", "latencyNative", "bool_gauge")
_TIERS = ("fastBurn", "mediumBurn", "slowBurn", "longTermBurn", "absent")
PYRRA = kubernetes(
    "pyrra.dev/v1alpha1",
    "ServiceLevelObjective",
    closed(
        "target window indicator",
        target=pattern(r"^[0-9]{1,2}(\.[0-9]+)?$"),
        window=pattern(PROMETHEUS_DURATION),
        description=TEXT,
        indicator=_INDICATOR,
        alerting=closed(burnrates=FLAG, absent=FLAG, name=TEXT, severities=closed("", **dict.fromkeys(_TIERS, TEXT))),
    ),
)


def _openslo(kind: str, spec: Schema) -> Schema:
    labels = {
        "type": "object",
        "propertyNames": {"pattern": "^[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$"},
        "additionalProperties": {"anyOf": [TEXT, items(TEXT)]},
    }
    annotations = {"type": "object", "propertyNames": {"pattern": LABEL_KEY}, "additionalProperties": TEXT}
    metadata = closed(
        "name",
        name=pattern(DNS_LABEL),
        displayName={"type": "string", "maxLength": 63},
        labels=labels,
        annotations=annotations,
    )
    return closed(
        "apiVersion kind metadata spec",
        apiVersion={"const": "openslo/v1"},
        kind={"const": kind},
        metadata=metadata,
        spec=spec,
    )


_DESCRIPTION = {"type": "string", "maxLength": 1050}
_SOURCE = closed(
    "metricSource",
    metricSource=closed(
        "spec", metricSourceRef=pattern(DNS_LABEL), type=TEXT, spec={"type": "object", "minProperties": 1}
    ),
)
_RATIO = closed(
    counter=FLAG, good=_SOURCE, bad=_SOURCE, total=_SOURCE, raw=_SOURCE, rawType={"enum": ["success", "failure"]}
) | one_of("good total", "bad total", "raw rawType")
_WINDOW = closed(
    "duration isRolling",
    duration=pattern(OPENSLO_DURATION),
    isRolling=FLAG,
    calendar=closed(
        "startTime timeZone",
        startTime=pattern(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"),
        timeZone=NON_EMPTY,
    ),
) | {
    "if": {"properties": {"isRolling": {"const": True}}},
    "then": {"not": {"required": ["calendar"]}},
    "else": {"required": ["calendar"]},
}
_OBJECTIVE = closed(
    displayName=TEXT,
    target={"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    targetPercent={"type": "number", "minimum": 0, "exclusiveMaximum": 100},
    timeSliceTarget={"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    timeSliceWindow=pattern(OPENSLO_DURATION),
) | one_of("target", "targetPercent")
_SLICED = {
    "if": {"properties": {"budgetingMethod": {"const": "RatioTimeslices"}}},
    "then": {"properties": {"objectives": items({"required": ["timeSliceWindow"]})}},
}
OPENSLO = {
    "SLO": _openslo(
        "SLO",
        closed(
            "service indicator budgetingMethod timeWindow objectives",
            description=_DESCRIPTION,
            service=NON_EMPTY,
            indicator=closed(
                "metadata spec",
                metadata=closed("name", name=pattern(DNS_LABEL)),
                spec=closed("ratioMetric", ratioMetric=_RATIO),
            ),
            budgetingMethod={"enum": ["Occurrences", "Timeslices", "RatioTimeslices"]},
            timeWindow=items(_WINDOW, 1, 1),
            objectives=items(_OBJECTIVE, 1),
            alertPolicies=items(closed("alertPolicyRef", alertPolicyRef=pattern(DNS_LABEL))),
        )
        | _SLICED,
    ),
    "AlertPolicy": _openslo(
        "AlertPolicy",
        closed(
            "conditions notificationTargets",
            description=_DESCRIPTION,
            alertWhenNoData=FLAG,
            alertWhenBreaching=FLAG,
            alertWhenResolved=FLAG,
            conditions=items(closed("conditionRef", conditionRef=pattern(DNS_LABEL)), 1, 1),
            notificationTargets=items(closed("targetRef", targetRef=pattern(DNS_LABEL)), 1),
        ),
    ),
    "AlertCondition": _openslo(
        "AlertCondition",
        closed(
            "severity condition",
            severity=NON_EMPTY,
            description=_DESCRIPTION,
            condition=closed(
                "kind op threshold lookbackWindow",
                kind={"const": "burnrate"},
                op={"enum": ["lte", "gte", "lt", "gt"]},
                threshold=NUMBER,
                lookbackWindow=pattern(OPENSLO_DURATION),
                alertAfter=pattern(OPENSLO_DURATION),
            ),
        ),
    ),
    "AlertNotificationTarget": _openslo(
        "AlertNotificationTarget", closed("target", target=NON_EMPTY, description=_DESCRIPTION)
    ),
}
