"""The generated promtool tests: they hold on the rules, on every kind of SLO, and say what was asked for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmslo_rulegen import unit_tests, yaml_text
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import Alerting, HistogramSli, SlicedSli
from tests.rules.examples import AVAILABILITY, EXAMPLES, own, slo
from tests.rules.killing import data, last_instant, promtool

FEWEST_CASES = 8
RUN = ("ttft by model", "throughput, 1 d", "own, two metrics", "50 %, a year", "ratio")  # a second or two each


def first_file(*words, **options):
    return next(unit_tests.test_files(*words, **options))


def texts(file):
    return [case["name"] for case in file["tests"]]


@pytest.mark.parametrize("name", RUN)
def test_the_rules_pass_their_own_tests(name, tmp_path):
    found = EXAMPLES[name]
    (tmp_path / "rules.json").write_text(json.dumps(data(groups(found))))
    for file in unit_tests.test_files(found, "rules.json"):
        (tmp_path / "tests.yaml").write_text(yaml_text.dump(file))
        verdict = promtool(tmp_path, "tests.yaml")
        assert verdict.passed, verdict.text[:3000]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_kind_of_slo_has_its_cases(name):
    found = first_file(EXAMPLES[name], "rules.yaml")
    assert len(found["tests"]) >= FEWEST_CASES
    for case in found["tests"]:
        assert case["input_series"], case["name"]
        assert case.get("alert_rule_test") or case.get("promql_expr_test"), case["name"]


def test_each_tier_is_seen_firing_and_silent():
    found = first_file(AVAILABILITY, "rules.yaml")
    checks = [check for case in found["tests"] for check in case.get("alert_rule_test", ())]
    fired = [{alert["exp_labels"].get("tier") for alert in check["exp_alerts"]} for check in checks]
    for tier in ("page_fast", "page_slow", "ticket_fast", "ticket_slow"):
        assert any(tier in names for names in fired)
        assert any(names and tier not in names for names in fired), "another one fires alone"


@pytest.mark.parametrize(
    "part",
    [
        "idle night",
        "appears late",
        "target is down",
        "recovery",
        "idle hours",
        "two replicas",
        "only 3 bad events",
        "restarted",
    ],
)
def test_the_usual_accidents_are_there(part):
    assert any(part in text for text in texts(first_file(AVAILABILITY, "rules.yaml")))


def test_expected_alerts_carry_labels_and_annotations_of_the_rule_and_the_group():
    found = first_file(EXAMPLES["own, by group"], "rules.yaml")
    alerts = [
        alert
        for case in found["tests"]
        for check in case.get("alert_rule_test", ())
        for alert in check["exp_alerts"]
        if alert
    ]
    grouped = [alert for alert in alerts if "svc" in alert["exp_labels"]]
    assert {alert["exp_labels"]["svc"] for alert in grouped} == {"one", "two"}
    for alert in grouped:
        assert alert["exp_labels"]["slo"] == "chat"
        assert f"svc {alert['exp_labels']['svc']}" in alert["exp_annotations"]["summary"]


def test_many_slos_in_one_file_leave_the_long_cases_out():
    alone = first_file(AVAILABILITY, "rules.yaml")
    shared = first_file(AVAILABILITY, "rules.yaml", rules_in_file=500)
    assert len(shared["tests"]) >= FEWEST_CASES
    assert len(shared["tests"]) < len(alone["tests"])
    assert sum(map(last_instant, shared["tests"])) < sum(map(last_instant, alone["tests"]))


@pytest.mark.parametrize(
    ("sli", "why"),
    [
        (HistogramSli("rpc_seconds", 0.5, native=True), "native"),
        (own(total="sum(count_over_time(x[{{window}}]))"), "count_over_time"),
        (SlicedSli("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) < 2", condition=True), "Call"),
    ],
)
def test_what_cannot_be_tested_is_said(sli, why):
    assert why in (unit_tests.skipped(slo(sli)) or "")
    assert unit_tests.skipped(AVAILABILITY) is None


def test_the_file_is_the_same_every_time():
    assert first_file(AVAILABILITY, "r.yaml") == first_file(replace(AVAILABILITY), "r.yaml")


@pytest.mark.parametrize("text", ["{{ $value | humanize }}", "{{ $labels.slo }}", "a {{ if true }}b{{ end }}"])
def test_templates_of_a_team_do_not_make_its_tests_fail(text, tmp_path):
    alerting = Alerting("ChatBurns", annotations=(("note", text),), labels=(("who", "{{ $labels.slo }}"),))
    found = slo(own(), "99", 7, alerting=alerting, runbook_url="https://x/{{ $labels.service }}")
    (tmp_path / "rules.json").write_text(json.dumps(data(groups(found))))
    file = first_file(found, "rules.json", rules_in_file=500)
    (tmp_path / "tests.json").write_text(json.dumps(file))
    verdict = promtool(tmp_path, "tests.json")
    assert verdict.passed, verdict.text[:3000]
    assert any("count(ALERTS" in check["expr"] for case in file["tests"] for check in case.get("promql_expr_test", ()))


def test_without_sloth_nothing_of_sloth_is_expected():
    text = json.dumps(first_file(AVAILABILITY, "r.yaml", sloth=False))
    assert "sloth" not in text
