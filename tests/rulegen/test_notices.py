"""What pages and tickets carry apart, as a file says it."""

from __future__ import annotations

import pytest

from llmslo_rulegen import reading
from llmslo_rulegen.alerts import alerts
from llmslo_rulegen.finding import Level

HEAD = "version: llmslo/v1\nservice: shop\nslos:\n  - {name: chat, sli: ttft, objective: 95, alerting: "


def read(alerting):
    return reading.read({"slo.yaml": f"{HEAD}{alerting}}}\n".encode()})


def test_labels_and_annotations_go_to_the_alerts_of_their_severity():
    (slo,) = read(
        "{page: {labels: {severity: critical, key: a}, annotations: {note: b}}, ticket: {labels: {key: c}}}"
    ).slos
    carried = {
        (labels["severity"], labels["sloth_severity"], labels["key"], dict(rule.annotations).get("note"))
        for rule in alerts(slo, with_sloth=True)
        for labels in [dict(rule.labels)]
    }
    assert carried == {("critical", "page", "a", "b"), ("ticket", "ticket", "c", None)}


@pytest.mark.parametrize(
    ("alerting", "text"),
    [
        ("{page: {labels: {severity: ticket}}}", "pages and tickets are both called ticket"),
        ("{ticket: {labels: {severity: page}}}", "pages and tickets are both called page"),
        ("{page: {labels: {severity: 'wake up'}}}", "'wake up' cannot be routed by"),
        ("{page: {labels: {tier: gold}}}", "tier is a label that the rules set"),
        ("{labels: {severity: critical}}", "severity is a label that the rules set"),
        ("{page: {label: {a: b}}}", "unknown key `label`: did you mean labels?"),
    ],
)
def test_what_would_break_routes_is_refused(alerting, text):
    said = [finding for finding in read(alerting).findings if finding.level is Level.ERROR]
    assert [text in finding.text for finding in said] == [True], said


def test_a_label_of_one_severity_cannot_group():
    found = reading.read(
        {"slo.yaml": f"{HEAD}{{page: {{labels: {{model: a}}}}}}, group_by: [model]}}\n".encode()}
    ).findings
    assert "model is fixed by labels and cannot group as well" in found[0].text
