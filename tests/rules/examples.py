"""SLOs of every kind, as values: what the trials of the generated tests run over."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from llmslo_exporter import catalog
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Op,
    Place,
    Sli,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.tier import Severity, Tier

DAY_S = 86_400
CLIENT = Matcher("role", Op.EQUAL, "client")
TOTAL = 'sum(rate(http_requests_total{job="web"}[{{window}}]))'
FAILED = 'sum(rate(http_requests_total{job="web",code=~"5..|429"}[{{window}}]))'


def slo(sli: Sli, objective: str = "99.9", days: int = 30, **other: object) -> Slo:
    """Return an SLO of a service called shop."""
    window = Window(days * DAY_S)
    found = Slo("shop", "chat", sli, Decimal(objective), window, Alerting("ChatBurns"), Place("slo.yaml", 1))
    return replace(found, **other)


def promise(source: str, name: str, objective: str = "99.9", days: int = 30, **other: object) -> Slo:
    """Return an SLO on an SLI of the catalog, with its usual threshold."""
    select = (CLIENT,) if source == "llmslo" else ()
    threshold = catalog.source(source).sli(name).threshold
    return slo(CatalogSli(name, source, select, threshold), objective, days, **other)


def own(bad: str = FAILED, total: str = TOTAL, function: EventFunction = EventFunction.RATE) -> EventsSli:
    """Return an own SLI of bad and total."""
    return EventsSli(total, function, bad=bad)


GROUPED = EventsSli(
    "sum by (svc) (increase(calls_total[{{window}}]))",
    EventFunction.INCREASE,
    good="sum by (svc) (increase(calls_good_total[{{window}}]))",
)
AVAILABILITY = promise("llmslo", "availability")
EXAMPLES = {
    "availability": AVAILABILITY,
    "ttft by model": replace(
        promise("llmslo", "ttft", "95", 7),
        sli=CatalogSli("ttft", "llmslo", (CLIENT, Matcher("model", Op.MATCH, "gpt-4o.*")), 2.0),
        group_by=("model",),
    ),
    "throughput, 1 d": promise("llmslo", "throughput", "80", 1),
    "vllm ttft": promise("vllm", "ttft", "90"),
    "litellm": promise("litellm", "availability", "99", 28),
    "otel": promise("otel-genai-b", "availability", "99.5", 90),
    "own": slo(own(), labels=(("team", "web"),), description="what the shop promises"),
    "own, two metrics": slo(
        own("sum(rate(failures_total[{{window}}]))", "sum(rate(attempts_total[{{window}}]))"), "99", 7
    ),
    "own, by group": slo(GROUPED, "99", 7, group_by=("svc",)),
    "own histogram": slo(HistogramSli('rpc_seconds{job="web"}', 0.5), "99.99"),
    "50 %, a year": slo(own(), "50", 365),
    "wilson": slo(own(), "99", low_traffic=LowTraffic(wilson=0.95)),
    "gate of 10": slo(own(), "99", low_traffic=LowTraffic(min_bad=10)),
    "no pages": slo(own(), "99", alerting=Alerting("ChatBurns", disabled=frozenset({Severity.PAGE}))),
    "no tickets": slo(own(), "99", alerting=Alerting("ChatBurns", disabled=frozenset({Severity.TICKET}))),
    "own tiers": slo(
        own(),
        "99",
        alerting=Alerting(
            "ChatBurns",
            tiers=(
                Tier("page_fast", Severity.PAGE, 10, 6000, 600, 3, 1),
                Tier("ticket_slow", Severity.TICKET, 1.5, 36_000, 3600),
            ),
        ),
    ),
    "week": slo(own(), "99", window=Window(7 * DAY_S, Calendar.WEEK)),
    "month": slo(own(), "99", window=Window(31 * DAY_S, Calendar.MONTH)),
    "quarter": slo(own(), "99", window=Window(92 * DAY_S, Calendar.QUARTER)),
    "good when": slo(SlicedSli('max(queue_depth{job="web"}) < 100', condition=True), "99", 7),
    "ratio": slo(SlicedSli('1 - avg(probe_success{job="web"})', condition=False), "99"),
}
