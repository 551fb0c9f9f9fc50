"""Documents as teams have them, built in the shapes of what Sloth, Pyrra and OpenSLO publish, with our own content."""

from __future__ import annotations

from collections.abc import Mapping

from llmslo_rulegen import yaml_text

Data = Mapping[str, object]
WINDOW = "{{.window}}"
FAILED = f'sum(rate(http_seconds_count{{job="shop",code=~"(5..|429)"}}[{WINDOW}]))'
ALL = f'sum(rate(http_seconds_count{{job="shop"}}[{WINDOW}]))'
SLOW = (
    f'(\n  sum(rate(api_seconds_count{{verb!="WATCH"}}[{WINDOW}]))\n  -\n'
    f'  sum(rate(api_seconds_bucket{{le="0.4",verb!="WATCH"}}[{WINDOW}]))\n)\n'
)
CALLS = f'sum(rate(api_seconds_count{{verb!="WATCH"}}[{WINDOW}]))'
UNHAPPY = f"sum_over_time((count(client_satisfaction_ratio < 0.75))[{WINDOW}:]) OR on() vector(0)"
CLIENTS = f"sum_over_time((count(client_satisfaction_ratio))[{WINDOW}:])"
SHARE = (
    f"1 - (\n  sum(sum_over_time(client_satisfaction_ratio[{WINDOW}]))\n  /\n"
    f"  sum(count_over_time(client_satisfaction_ratio[{WINDOW}]))\n)\n"
)
METRICSQL = f"1 - histogram_share(0.2, sum by (vmrange) (rate(request_seconds_bucket[{WINDOW}])))"
PAGE = {"labels": {"severity": "pageteam", "routing_key": "shop"}}
TICKET = {"labels": {"severity": "chat", "channel": "#shop"}}
ALERTING = {
    "name": "ShopHighErrorRate",
    "labels": {"category": "availability"},
    "annotations": {"summary": "Many answers of the shop are errors"},
    "page_alert": PAGE,
    "ticket_alert": TICKET,
}
OFF = {"page_alert": {"disable": True}, "ticket_alert": {"disable": True}}


def text(*documents: Data | list[Data]) -> str:
    """Return documents as one file."""
    return "---\n".join(yaml_text.dump(document) for document in documents)


def sloth(*slos: Data, service: str = "shop", **more: object) -> Data:
    """Return a file of Sloth's."""
    labels = {"owner": "web", "repo": "org/shop"}
    return {"version": "prometheus/v1", "service": service, "labels": labels, **more, "slos": list(slos)}


def slo(name: str = "requests", objective: float = 99.9, **more: object) -> Data:
    """Return one SLO of Sloth's, on events."""
    found = {"name": name, "objective": objective, "description": "Answers of the shop.", **more}
    return {"sli": {"events": {"error_query": FAILED, "total_query": ALL}}, "alerting": ALERTING, **found}


def events(error: str, total: str) -> Data:
    """Return Sloth's SLI of events."""
    return {"events": {"error_query": error, "total_query": total}}


def level(*slos: Data, service: str = "shop") -> Data:
    """Return Sloth's object for Kubernetes, of SLOs in the words of its files."""
    metadata = {"name": "shop", "namespace": "monitoring"}
    spec = {"service": service, "labels": {"owner": "web"}, "slos": [_camel(one) for one in slos]}
    return {"apiVersion": "sloth.slok.dev/v1", "kind": "PrometheusServiceLevel", "metadata": metadata, "spec": spec}


def _camel(data: object) -> object:
    words = {
        "error_query": "errorQuery",
        "total_query": "totalQuery",
        "error_ratio_query": "errorRatioQuery",
        "page_alert": "pageAlert",
        "ticket_alert": "ticketAlert",
    }
    if isinstance(data, Mapping):
        return {words.get(key, key): _camel(value) for key, value in data.items()}
    return [_camel(one) for one in data] if isinstance(data, list) else data


def windows(period: str, *tiers: tuple[float, str, str]) -> Data:
    """Return a catalog of Sloth's: page quick and slow, ticket quick and slow."""
    quick, slow, ticket_quick, ticket_slow = (
        {"errorBudgetPercent": percent, "shortWindow": short, "longWindow": long} for percent, short, long in tiers
    )
    severities = {"page": {"quick": quick, "slow": slow}, "ticket": {"quick": ticket_quick, "slow": ticket_slow}}
    return {"apiVersion": "sloth.slok.dev/v1", "kind": "AlertWindows", "spec": {"sloPeriod": period, **severities}}


def pyrra(indicator: Data, name: str = "shop-errors", **spec: object) -> Data:
    """Return an object of Pyrra's."""
    metadata = {"name": name, "namespace": "monitoring"}
    found = {"target": "99", "window": "2w", "description": "", "indicator": indicator, **spec}
    return {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "metadata": metadata, "spec": found}


def ratio(errors: str, total: str, *grouping: str) -> Data:
    """Return Pyrra's indicator of errors."""
    found: dict[str, object] = {"errors": {"metric": errors}, "total": {"metric": total}}
    return {"ratio": found | ({"grouping": list(grouping)} if grouping else {})}


def latency(success: str, total: str) -> Data:
    """Return Pyrra's indicator of buckets."""
    return {"latency": {"success": {"metric": success}, "total": {"metric": total}}}


def openslo(indicator: Data | None, *objectives: Data, method: str = "Occurrences", **spec: object) -> Data:
    """Return an SLO of OpenSLO v1; without an indicator `spec` refers to one."""
    given = {} if indicator is None else {"indicator": {"metadata": {"name": "requests"}, "spec": indicator}}
    found: dict[str, object] = {
        "service": "shop",
        "description": "Answers of the shop.",
        **given,
        "timeWindow": [{"duration": "4w", "isRolling": True}],
        "budgetingMethod": method,
        "objectives": list(objectives),
        **spec,
    }
    return v1("SLO", "shop-availability", found)


def v1(kind: str, name: str, spec: Data) -> Data:
    """Return an object of OpenSLO v1."""
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def query(promql: str, kind: str = "Prometheus", **more: object) -> Data:
    """Return a metric of OpenSLO's."""
    return {"metricSource": {"type": kind, "spec": {"query": promql}, **more}}


GOOD = {
    "ratioMetric": {
        "counter": True,
        "good": query('sum(http_requests{component="web",code=~"2xx|4xx"})'),
        "total": query('sum(http_requests{component="web"})'),
    }
}
QUEUE = {"thresholdMetric": query('max(queue_length{job="shop"})')}


def alpha(*objectives: Data, **spec: object) -> Data:
    """Return an SLO of OpenSLO v1alpha, as Sloth's examples have it."""
    found = {"service": "shop", "description": "x", "objectives": list(objectives), **spec}
    metadata = {"name": "requests", "displayName": "Requests of the shop"}
    return {
        "apiVersion": "openslo/v1alpha",
        "kind": "SLO",
        "metadata": metadata,
        "spec": {**found, "timeWindows": [{"count": 30, "unit": "Day"}]},
    }


def alpha_ratio(good: str, total: str, target: float) -> Data:
    """Return an objective of v1alpha."""
    good_, total_ = ({"source": "prometheus", "queryType": "promql", "query": one} for one in (good, total))
    return {"ratioMetrics": {"good": good_, "total": total_}, "target": target}


def policy(**more: object) -> Data:
    """Return a policy over one window, inline."""
    condition = {"kind": "burnrate", "op": "gt", "threshold": 2, "lookbackWindow": "1h", "alertAfter": "5m"}
    one = {"kind": "AlertCondition", "metadata": {"name": "fast"}, "spec": {"severity": "page", "condition": condition}}
    spec = {"alertWhenBreaching": True, "conditions": [one], "notificationTargets": [{"targetRef": "oncall"}], **more}
    return {"kind": "AlertPolicy", "metadata": {"name": "fast"}, "spec": spec}


def plugins(*ids: str) -> Data:
    """Return a chain of Sloth's plugins."""
    return {"chain": [{"id": one, "config": {"a": "b"}} for one in ids]}


SLOTH = {
    "getting-started": text(sloth(slo(), labels={"owner": "web", "repo": "org/shop", "tier": "2"})),
    "getting-started, Kubernetes": text(level(slo())),
    "home-wifi (`sum_over_time` of a subquery)": text(
        sloth(slo("wifi", 95, sli=events(UNHAPPY, CLIENTS)), slo("risk", 99.9, sli=events(UNHAPPY, CLIENTS)))
    ),
    "home-wifi, Kubernetes": text(level(slo("wifi", 95, sli=events(UNHAPPY, CLIENTS)))),
    "raw-home-wifi (`1 - sum / count`)": text(sloth(slo("wifi", 95, sli={"raw": {"error_ratio_query": SHARE}}))),
    "kubernetes-apiserver": text(sloth(slo(), slo("latency", 99, sli=events(SLOW, CALLS)))),
    "multifile": text(sloth(slo()), sloth(slo("latency", 99, sli=events(SLOW, CALLS)), service="shop-b")),
    "multifile, Kubernetes": text(level(slo()), level(slo("latency", 99, sli=events(SLOW, CALLS)), service="shop-b")),
    "no-alerts": text(sloth(slo(alerting=OFF))),
    "openslo-getting-started": text(alpha(alpha_ratio(FAILED.replace("=~", "!~"), ALL, 0.999))),
    "openslo-kubernetes-apiserver (two objectives)": text(
        alpha(alpha_ratio(FAILED.replace("=~", "!~"), ALL, 0.99), alpha_ratio(FAILED.replace("=~", "!~"), ALL, 0.999))
    ),
    "contrib-denominator-corrected": text(
        sloth(slo(), slo_plugins=plugins("sloth.dev/contrib/denominator_corrected_rules/v1"))
    ),
    "contrib-slo-plugins": text(sloth(slo(plugins=plugins("sloth.dev/contrib/info_labels/v1")))),
    "plugin-getting-started (a Go plugin's SLI)": text(
        sloth(slo(sli={"plugin": {"id": "getting_started_availability", "options": {"job": "shop"}}}))
    ),
    "plugin-getting-started, Kubernetes": text(level(slo(sli={"plugin": {"id": "getting_started_availability"}}))),
    "slo-plugin-getting-started": text(sloth(slo(), slo_plugins=plugins("integration-tests/plugin1"))),
    "victoria-metrics (MetricsQL)": text(sloth(slo("p90", 90, sli=events(METRICSQL, f"vector(1)[{WINDOW}]")))),
    "windows, 7d": text(
        windows("7d", (8, "5m", "1h"), (12.5, "30m", "6h"), (20, "2h", "1d"), (42, "6h", "3d")), sloth(slo())
    ),
    "windows, custom-30d": text(
        windows("30d", (1, "2m", "30m"), (2, "15m", "3h"), (5, "1h", "12h"), (5, "3h", "36h")), sloth(slo())
    ),
    "windows, custom-30d, at 80 %": text(
        windows("30d", (1, "2m", "30m"), (2, "15m", "3h"), (5, "1h", "12h"), (5, "3h", "36h")), sloth(slo(objective=80))
    ),
}
_HTTP = 'http_requests_total{job="shop"}'
_ERRORS = 'http_requests_total{job="shop",code=~"5.."}'
PYRRA = {
    "ratio": text(pyrra(ratio(_ERRORS, _HTTP))),
    "ratio, with labels": text(
        pyrra(ratio(_ERRORS, _HTTP))
        | {
            "metadata": {
                "name": "shop-errors",
                "namespace": "monitoring",
                "labels": {"role": "alert-rules", "pyrra.dev/team": "web"},
                "annotations": {"pyrra.dev/runbook_url": "https://example.org/shop"},
            }
        }
    ),
    "ratio, grouped": text(pyrra(ratio(_ERRORS, _HTTP, "handler", "job"))),
    "ratio, with offset": text(pyrra(ratio(f"{_ERRORS} offset 1m", f"{_HTTP} offset 1m", "handler"))),
    "ratio, two metrics": text(pyrra(ratio('dropped_total{job="shop"}', 'sent_total{job="shop"}'), window="4w")),
    "latency": text(
        pyrra(
            latency(
                'api_seconds_bucket{job="shop",verb=~"LIST|GET",le="5"}',
                'api_seconds_count{job="shop",verb=~"LIST|GET"}',
            )
        )
    ),
    "latency, success of some codes only": text(
        pyrra(latency('api_seconds_bucket{job="shop",code="200",le="0.1"}', 'api_seconds_count{job="shop"}'))
    ),
    "latency without `le`": text(pyrra(latency("api_seconds_bucket", "api_seconds_count"))),
    "latencyNative": text(
        pyrra({"latencyNative": {"latency": "250ms", "total": {"metric": 'api_seconds{job="shop"}'}}})
    ),
    "bool_gauge": text(pyrra({"bool_gauge": {"metric": 'probe_success{job="shop"}', "grouping": ["instance"]}})),
    "alerting: name, severities": text(
        pyrra(
            ratio(_ERRORS, _HTTP),
            alerting={"name": "ShopBurns", "severities": {"fastBurn": "critical", "slowBurn": "warning"}},
        )
    ),
    "alerting: burnrates and absent off": text(
        pyrra(ratio(_ERRORS, _HTTP), alerting={"burnrates": False, "absent": False})
    ),
    "alerting: absent off": text(pyrra(ratio(_ERRORS, _HTTP), alerting={"absent": False})),
    "performanceOverAccuracy": text(pyrra(ratio(_ERRORS, _HTTP), performanceOverAccuracy=True)),
    "partial_response_strategy": text(pyrra(ratio(_ERRORS, _HTTP), partial_response_strategy="warn")),
    "target 100": text(pyrra(ratio(_ERRORS, _HTTP), target="100")),
    "an expression for a metric": text(pyrra(ratio(f"sum({_ERRORS})", _HTTP))),
}
_MONDAY = {"startTime": "2024-01-01 00:00:00", "timeZone": "UTC"}
_NOON = {"startTime": "2022-01-01 12:00:00", "timeZone": "America/New_York"}
OPENSLO = {
    "SLO, ratio of counters": text(openslo(GOOD, {"target": 0.995})),
    "SLO, several objectives": text(openslo(GOOD, {"targetPercent": 99.5}, {"target": 0.9})),
    "SLO and SLI, `indicatorRef`": text(
        v1("SLI", "requests", GOOD), openslo(None, {"target": 0.99}, indicatorRef="requests")
    ),
    "SLO, `indicatorRef` to nothing": text(openslo(None, {"target": 0.99}, indicatorRef="requests")),
    "DataSource, `metricSourceRef`": text(
        v1("DataSource", "prom", {"type": "Prometheus", "connectionDetails": {"url": "http://prometheus:9090"}}),
        openslo(
            {"thresholdMetric": {"metricSource": {"metricSourceRef": "prom", "spec": {"query": "max(queue_length)"}}}},
            {"op": "lte", "value": 100, "target": 0.99},
        ),
    ),
    "thresholdMetric, Occurrences": text(openslo(QUEUE, {"op": "lt", "value": 100, "target": 0.99})),
    "thresholdMetric, Timeslices of 5m": text(
        openslo(
            QUEUE,
            {"op": "lt", "value": 100, "target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "5m"},
            method="Timeslices",
        )
    ),
    "ratioMetric, Timeslices": text(
        openslo(GOOD, {"target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "1m"}, method="Timeslices")
    ),
    "ratioMetric, RatioTimeslices": text(
        openslo(GOOD, {"target": 0.99, "timeSliceWindow": 1}, method="RatioTimeslices")
    ),
    "ratioMetric, raw": text(
        openslo(
            {"ratioMetric": {"rawType": "success", "raw": query('avg(probe_success{job="shop"})')}}, {"target": 0.99}
        )
    ),
    "calendar window, ISO week in UTC": text(
        openslo(GOOD, {"target": 0.99}, timeWindow=[{"duration": "1w", "isRolling": False, "calendar": _MONDAY}])
    ),
    "calendar window in New York": text(
        openslo(GOOD, {"target": 0.99}, timeWindow=[{"duration": "1M", "isRolling": False, "calendar": _NOON}])
    ),
    "rolling window of a quarter": text(
        openslo(GOOD, {"target": 0.99}, timeWindow=[{"duration": "1Q", "isRolling": True}])
    ),
    "AlertPolicy, inline": text(openslo(GOOD, {"target": 0.99}, alertPolicies=[policy()])),
    "AlertPolicy, AlertCondition, AlertNotificationTarget, Service on their own": text(
        v1("AlertPolicy", "fast", policy()["spec"]),
        v1("AlertCondition", "fast", {"severity": "page", "condition": {"kind": "burnrate"}}),
        v1("AlertNotificationTarget", "oncall", {"target": "email"}),
        v1("Service", "shop", {"description": "sells"}),
        openslo(GOOD, {"target": 0.99}),
    ),
    "a list of objects": text([openslo(GOOD, {"target": 0.99})]),
    "composite SLO": text(
        openslo(
            None,
            {"target": 0.99, "indicator": {"metadata": {"name": "a"}, "spec": GOOD}, "compositeWeight": 1},
            {"target": 0.99, "indicatorRef": "b"},
        )
    ),
    "a Datadog query": text(
        openslo(
            {"ratioMetric": {"counter": True, "good": query("sum:a{b:c}", "Datadog"), "total": query("a", "Datadog")}},
            {"target": 0.99},
        )
    ),
    "v1alpha, thresholdMetric": text(
        alpha(
            {"op": "lte", "value": 0.5, "target": 0.99},
            indicator={
                "thresholdMetric": {"source": "prometheus", "queryType": "promql", "query": "max(queue_length)"}
            },
        )
    ),
    "v2alpha, BudgetAdjustment": text(
        {"apiVersion": "openslo.com/v2alpha", "kind": "BudgetAdjustment", "metadata": {"name": "x"}, "spec": {}}
    ),
}
FAMILIES = {"Sloth": SLOTH, "Pyrra": PYRRA, "OpenSLO": OPENSLO}
