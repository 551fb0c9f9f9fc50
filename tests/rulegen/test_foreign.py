"""Files of Sloth, Pyrra and OpenSLO: what they become, and what is said of those that are wrong, with file and line."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen import api, located, reading
from llmslo_rulegen.finding import Level
from llmslo_rulegen.foreign.node import LOST
from llmslo_rulegen.slo import Calendar, EventFunction, EventsSli, HistogramSli, SlicedSli, Window
from llmslo_rulegen.tier import Severity
from tests.rules import documents
from tests.rules.backend import lacks, run
from tests.rules.documents import GOOD, QUEUE, openslo, pyrra, ratio, slo, sloth, text

DAY_S = 86_400
ALL = [(family, name) for family, found in documents.FAMILIES.items() for name in found]


def read(*given_texts, **more):
    return reading.read({f"{number}.yaml": one.encode() for number, one in enumerate(given_texts)}, **more)


def one(found, **more):
    """Return the only SLO of a document without errors."""
    said = read(found if isinstance(found, str) else text(found), **more)
    assert [str(finding) for finding in said.findings if finding.level is Level.ERROR] == []
    (promise,) = said.slos
    return promise


def errors(found, **more):
    return [str(finding) for finding in read(found, **more).findings if finding.level is Level.ERROR]


def test_sloths_events_become_events():
    promise = one(documents.SLOTH["getting-started"])
    assert dict(promise.labels) == {"owner": "web", "repo": "org/shop", "exported_tier": "2"}
    assert isinstance(promise.sli, EventsSli)
    assert promise.sli.bad == documents.FAILED.replace("{{.window}}", "{{window}}")
    assert (promise.objective, promise.window, promise.id) == (Decimal("99.9"), Window(30 * DAY_S), "shop-requests")


def test_a_file_and_an_object_of_sloths_are_the_same_promise():
    file, object_ = (one(text(found)) for found in (sloth(slo(), labels={"owner": "web"}), documents.level(slo())))
    for key in ("sli", "objective", "alerting", "labels", "description", "group_by"):
        assert getattr(file, key) == getattr(object_, key), key


def test_what_pages_and_tickets_carry_is_kept():
    alerting = one(sloth(slo())).alerting
    assert alerting.name == "ShopHighErrorRate"
    assert dict(alerting.page.labels) == {"severity": "pageteam", "routing_key": "shop"}
    assert dict(alerting.ticket.labels) == {"severity": "chat", "channel": "#shop"}
    assert dict(alerting.annotations) == {"summary": "Many answers of the shop are errors"}


def test_disabled_alerts_stay_disabled():
    assert one(sloth(slo(alerting=documents.OFF))).alerting.disabled == frozenset(Severity)


def test_a_query_that_divides_is_grouped():
    queries = (query.replace("sum(", "sum by (job, code) (") for query in (documents.FAILED, documents.ALL))
    assert one(sloth(slo(sli=documents.events(*queries)))).group_by == ("code", "job")


@pytest.mark.parametrize(
    ("expression", "sli"),
    [
        ("A / B", EventsSli("B", EventFunction.RATE, bad="A")),
        ("1 - A / B", EventsSli("B", EventFunction.RATE, good="A")),
        ("(1 - (A / (B)))", EventsSli("B", EventFunction.RATE, good="A")),
        ("avg_over_time((1 - avg(up))[{{.window}}:1m])", SlicedSli("1 - avg(up)", condition=False)),
        ("1 - avg_over_time((avg(up))[{{.window}}:])", SlicedSli("1 - (avg(up))", condition=False)),
        (
            "1 - avg_over_time(up[{{.window}}])",
            EventsSli(
                "sum(count_over_time(up[{{window}}]))",
                EventFunction.COUNT_OVER_TIME,
                good="sum(sum_over_time(up[{{window}}]))",
            ),
        ),
    ],
)
def test_a_raw_ratio_is_taken_apart(expression, sli):
    part, total = "sum(rate(a[{{.window}}]))", "sum(rate(b[{{.window}}]))"
    found = one(sloth(slo(sli={"raw": {"error_ratio_query": expression.replace("A", part).replace("B", total)}}))).sli
    if isinstance(sli, EventsSli) and sli.total == "B":
        part, total = (query.replace(".window", "window") for query in (part, total))
        sli = EventsSli(total, sli.function, sli.bad and part, sli.good and part)
    assert found == sli


def test_the_period_of_sloths_is_what_its_command_line_says():
    assert one(sloth(slo()), sloth_period=Window(28 * DAY_S)).window == Window(28 * DAY_S)


def test_a_catalog_of_windows_is_for_the_slos_of_its_period():
    """Factors are budget share x period / long window: 3 % of 28 days in an hour is 20.16."""
    catalog = documents.windows("28d", (3, "5m", "1h"), (2, "30m", "6h"), (5, "2h", "1d"), (10, "6h", "3d"))
    found = one(text(catalog, sloth(slo())), sloth_period=Window(28 * DAY_S)).alerting.tiers
    assert [(tier.name, tier.factor, tier.long_s, tier.short_s) for tier in found] == [
        ("page_fast", 20.16, 3600, 300),
        ("page_slow", 2.24, 21_600, 1800),
        ("ticket_fast", 1.4, DAY_S, 7200),
        ("ticket_slow", 0.9333, 3 * DAY_S, 21_600),
    ]
    other = read(text(catalog, sloth(slo())))
    assert other.slos[0].alerting.tiers is None
    assert any("give --sloth-period 28d" in finding.text for finding in other.findings)


def test_pyrras_indicators_become_slis():
    found = {name: one(documents.PYRRA[name]) for name in ("latency", "latencyNative", "ratio, grouped", "bool_gauge")}
    assert found["latency"].sli == HistogramSli('api_seconds{job="shop",verb=~"LIST|GET"}', 5.0)
    assert found["latencyNative"].sli == HistogramSli('api_seconds{job="shop"}', 0.25, native=True)
    assert found["ratio, grouped"].group_by == ("handler", "job")
    gauge = found["bool_gauge"].sli
    assert gauge.good == 'sum by (instance) (sum_over_time(probe_success{job="shop"}[{{window}}]))'
    assert gauge.total == 'sum by (instance) (count_over_time(probe_success{job="shop"}[{{window}}]))'


def test_pyrras_labels_and_links_come_to_the_alerts():
    promise = one(documents.PYRRA["ratio, with labels"])
    assert (promise.service, promise.name) == ("monitoring", "shop-errors")
    assert promise.labels == (("team", "web"),)
    assert promise.runbook_url == "https://example.org/shop"


def test_an_offset_of_pyrras_is_kept():
    assert one(documents.PYRRA["ratio, with offset"]).sli.total.endswith("[{{window}}] offset 1m))")


def test_openslos_counters_become_rates():
    sli = one(documents.OPENSLO["SLO, ratio of counters"]).sli
    assert sli.total == 'sum(rate(http_requests{component="web"}[{{window}}]))'


def test_openslos_budgeting_methods_become_slis():
    threshold = one(documents.OPENSLO["thresholdMetric, Occurrences"]).sli
    assert threshold == SlicedSli('(max(queue_length{job="shop"})) < bool 100', condition=True)
    sliced = one(documents.OPENSLO["ratioMetric, Timeslices"]).sli
    assert sliced.condition
    assert ">= bool 0.95" in sliced.expression
    assert not one(documents.OPENSLO["ratioMetric, RatioTimeslices"]).sli.condition


def test_objectives_are_slos_of_their_own_and_exact():
    found = read(documents.OPENSLO["SLO, several objectives"]).slos
    assert [(promise.name, promise.objective) for promise in found] == [
        ("shop-availability-0", Decimal("99.5")),
        ("shop-availability-1", Decimal(90)),
    ]


def test_calendar_windows_of_openslo():
    assert one(documents.OPENSLO["calendar window, ISO week in UTC"]).window == Window(7 * DAY_S, Calendar.WEEK)
    assert one(documents.OPENSLO["rolling window of a quarter"]).window == Window(90 * DAY_S)


def test_objects_in_other_files_are_found():
    sli, promise = documents.OPENSLO["SLO and SLI, `indicatorRef`"].split("---\n")
    found = read(promise, sli)
    assert [finding.level for finding in found.findings if finding.level is Level.ERROR] == []
    assert len(found.slos) == 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (sloth(slo(objectiv=1)), "0.yaml:28: error: unknown key `objectiv`: did you mean objective?"),
        (sloth(slo(sli={})), "an SLI is one of events, raw and plugin; found nothing"),
        (sloth(slo(objective="ninety")), 'error: `objective`: "ninety" is no objective'),
        (sloth(slo(sli=documents.events("rate(a[5m])", "b"))), "the range [5m] is fixed"),
        (sloth(slo(sli={"raw": {"error_ratio_query": "max(a)"}})), "this error ratio is not understood"),
        (
            sloth(slo(sli=documents.events('a{b="{{.service}}"}[{{.window}}]', "c"))),
            "nothing fills {{.service}}, {{.window}}",
        ),
        (sloth(slo(sli=documents.events("scalar(rate(a[{{.window}}]))", "b"))), "no instant vector but a number"),
        (sloth(slo(), service="a b"), '"a b" cannot be a name'),
        ({"version": "prometheus/v1", "service": "shop", "slos": 3}, "`slos` is needed as a list of one or more"),
        (documents.windows("1h", *[(1, "5m", "1h")] * 4), "a period is needed as whole days"),
        (pyrra({}), "an indicator is one of ratio, latency, latencyNative, bool_gauge; found nothing"),
        (pyrra(ratio("a b", "c")), "this is not PromQL"),
        (pyrra(ratio("a", "c"), target="a lot"), '"a lot" is no objective'),
        (pyrra(ratio("a", "c"), window="1h"), "cannot be a window"),
        (pyrra(ratio("a", "c"), windows="1h"), "unknown key `windows`: did you mean window?"),
        (openslo(GOOD), "`objectives` is needed as a list of one or more"),
        (openslo(GOOD, {"target": 0.3}), "30 is outside of 50 to 99.99"),
        (openslo(GOOD, {"target": 0.99, "targetPercent": 99}), "one of target (a share) and targetPercent"),
        (openslo(GOOD, {"target": 0.99}, method="Sometimes"), "write one of Occurrences, Timeslices"),
        (openslo(GOOD, {"target": 0.99}, method="Timeslices"), "Timeslices need a timeSliceTarget"),
        (openslo(QUEUE, {"target": 0.99}), "a thresholdMetric needs op and value"),
        (openslo(GOOD, {"target": 0.99}, timeWindow=[]), "`timeWindow` is needed as a list of exactly one"),
        ({"apiVersion": "openslo/v1", "kind": "SLOO"}, "write one of SLO, SLI"),
        ({"apiVersion": "openslo/v1beta", "kind": "SLO"}, "openslo/v1beta is not known: did you mean openslo/v1"),
        ({"apiVersion": "pyrra.dev/v1alpha1", "kind": "List"}, "pyrra.dev/v1alpha1 has no List"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(found, expected):
    said = errors(text(found))
    assert any(expected in message for message in said), said
    assert all(message.startswith("0.yaml:") for message in said)


def test_an_error_names_the_line_of_its_key():
    lines = text(sloth(slo(), slo("slow", objective=200))).splitlines()
    (message,) = errors("\n".join(lines))
    number = next(number for number, line in enumerate(lines, 1) if "200" in line)
    assert message.startswith(f"0.yaml:{number}: error: `objective`: 200 is outside")


def test_an_sli_in_another_file_that_is_wrong_is_said_there():
    sli = text(documents.v1("SLI", "requests", {"ratioMetric": {"counter": True}}))
    found = errors(sli) or errors_of(sli, text(openslo(None, {"target": 0.99}, indicatorRef="requests")))
    assert [message.partition(":")[0] for message in found] == ["0.yaml"]


def errors_of(*texts):
    return [str(finding) for finding in read(*texts).findings if finding.level is Level.ERROR]


def test_alert_policies_of_others_are_lost_and_said():
    found = [one for one in read(documents.OPENSLO["AlertPolicy, inline"]).findings if one.check == LOST]
    assert ["an alert over one window" in finding.text for finding in found] == [True]


@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
def test_promtool_takes_the_rules_of_every_document(tmp_path):
    paths = []
    for number, (family, name) in enumerate(ALL):
        slos = read(documents.FAMILIES[family][name]).slos
        for path, content in api.render(slos, tests=False).items():
            if path.startswith("rules/"):
                paths.append(tmp_path / f"{number}-{path.removeprefix('rules/')}")
                paths[-1].write_text(content)
    said = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths, timeout_s=120)
    assert said.count("SUCCESS") == len(paths)


def _values(value):
    """Yield paths to every value of a document."""
    yield ()
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in members:
        yield from ((key, *path) for path in _values(below))


def _replaced(value, path, new):
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copied


WRONG = st.sampled_from(
    (
        *(None, True, 0, -1, 10**12, Decimal("0.5"), "", " ", "a" * 5000, "ü\n\x00", "../../etc"),
        *([], {}, [[]], [None], {"a": {}}),
    )
)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(ALL), st.data())
def test_whatever_stands_in_a_document_is_read_or_refused(which, data):
    """Wrong types everywhere: never an exception, always a place, and only names that stay in a folder."""
    family, name = which
    found = located.read(documents.FAMILIES[family][name].encode(), "a.yaml")
    changed = []
    for document in found:
        path = data.draw(st.sampled_from(list(_values(document.value))))
        changed.append(_replaced(document.value, path, data.draw(WRONG)))
    try:
        written = text(*(one if isinstance(one, (dict, list)) else {"": one} for one in changed))
    except TypeError:
        return
    said = reading.read({"a.yaml": written.encode()})
    assert all(finding.file == "a.yaml" and finding.text for finding in said.findings)
    assert all("/" not in promise.id for promise in said.slos)


SERVED = {
    "uid": "a-b",
    "resourceVersion": "5",
    "generation": 1,
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "finalizers": [],
}


def served(found):
    """Return an object as an API server gives it."""
    return {**found, "metadata": {**found["metadata"], "namespace": "monitoring", **SERVED}, "status": {"ready": True}}


BAD_CALLS = ratio('calls_total{code=~"5.."}', "calls_total")


@pytest.mark.parametrize("made", [documents.level(slo()), pyrra(BAD_CALLS), openslo(GOOD, {"target": 0.99})])
def test_objects_of_a_cluster_are_those_of_files(made):
    alone = {**made, "metadata": {**made["metadata"], "namespace": "monitoring"}}
    wanted = one(text(served(alone)))
    for kind in ("List", f"{made['kind']}List"):
        bare = {key: value for key, value in served(made).items() if key not in {"apiVersion", "kind"}}
        items = [bare] if kind != "List" else [served(made)]
        group = "v1" if kind == "List" else made["apiVersion"]
        found = one(text({"apiVersion": group, "kind": kind, "metadata": {"resourceVersion": ""}, "items": items}))
        for key in ("service", "name", "sli", "objective", "window", "alerting"):
            assert getattr(found, key) == getattr(wanted, key), key


def test_what_else_a_list_of_a_cluster_holds_is_refused_with_its_line():
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    found = {"apiVersion": "v1", "kind": "List", "items": [pyrra(BAD_CALLS), other]}
    line = text(found).splitlines().index("  - apiVersion: v1") + 1
    assert [said.split(": error: ")[0] for said in errors(text(found))] == [f"0.yaml:{line}"]
    assert [said.split(": error: ")[0] for said in errors("{apiVersion: v1, kind: List, items: []}")] == ["0.yaml:1"]


@pytest.mark.parametrize(
    ("target", "said"),
    [(99, "write 0.99, or targetPercent"), (99.9, "write 0.999,"), (1, "write one such as 0.99"), (-1, "such as 0.99")],
)
def test_a_target_in_percent_is_said_to_be_one(target, said):
    (error,) = errors(text(openslo(GOOD, {"target": target})))
    assert f"`target` is {target}, a share above 0 and below 1 is needed: " in error
    assert said in error


def test_a_policy_may_be_referred_to_by_its_name_alone():
    told = [
        read(text(openslo(GOOD, {"target": 0.99}, alertPolicies=[way]))).findings
        for way in ("fast", {"alertPolicyRef": "fast"})
    ]
    assert ["no AlertPolicy is called fast" in " ".join(map(str, each)) for each in told] == [True, True]


BY_JOB = "sum by (job) (rate({}_total[{{{{.window}}}}]))"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (sloth(slo(sli=documents.events(BY_JOB.format("a"), documents.ALL))), ["error_query`: it is summed over job:"]),
        (sloth(slo(sli=documents.events(BY_JOB.format("a"), BY_JOB.format("b")))), []),
        (
            openslo(
                {
                    "ratioMetric": {
                        "counter": True,
                        "good": documents.query(BY_JOB.format("a")),
                        "total": documents.query(BY_JOB.format("b")),
                    }
                },
                {"target": 0.99},
            ),
            [
                "good.metricSource.spec.query`: it is summed over job:",
                "total.metricSource.spec.query`: it is summed over job:",
            ],
        ),
    ],
)
def test_a_query_that_divides_where_no_budget_does_is_said_to_be_summed(found, said):
    notes = [str(each) for each in read(text(found)).findings if "summed over" in str(each)]
    assert len(notes) == len(said)
    assert all(wanted in note for wanted, note in zip(said, notes, strict=True)), notes
