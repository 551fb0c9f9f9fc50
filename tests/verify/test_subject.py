"""Which calls an SLO counts: its selectors as the rules have them, and a reason where spans cannot say."""

from __future__ import annotations

import pytest

from llmslo_rulegen.verify.subject import UnverifiableError, subject
from tests.verify import made

HEAD = "version: llmslo/v1\nservice: chat\nslos:\n  - name: one\n    objective: 95\n"


def one(body, *, cross_source=False):
    return subject(made.slos(HEAD + body)[0], cross_source=cross_source)


@pytest.mark.parametrize(
    ("select", "taken"),
    [
        ("{job: chat}", {"a", "b"}),
        ("{job: '~cha.*'}", {"a", "b", "c"}),
        ("{job: '~cha'}", set()),  # anchored, as Prometheus does
        ("{job: chat, gen_ai_request_model: m1}", {"a"}),
        ("{gen_ai_request_model: [m1, m2]}", {"a", "b"}),  # names no service: its own
        ("{gen_ai_provider_name: azure}", set()),
        ("{gen_ai_operation_name: chat, job: chatty}", {"c"}),
    ],
)
def test_selectors_take_the_calls_that_the_rules_would_count(select, taken):
    found = {
        "a": made.call("chat", model="m1"),
        "b": made.call("chat", model="m2"),
        "c": made.call("chatty", model="m1"),
    }
    asked = one(f"    sli: availability\n    source: {made.SOURCE}\n    select: {select}\n")
    assert {name for name, call in found.items() if asked.takes(call)} == taken


def test_services_that_an_slo_names():
    source = f"    sli: availability\n    source: {made.SOURCE}\n"
    assert one(f"{source}    select: {{job: batch}}\n").services == ("batch",)
    assert one(source).services == ("chat",)
    assert one(f"{source}    select: {{job: '~a|b'}}\n").services == ()


def test_groups_are_values_of_calls():
    asked = one(f"    sli: availability\n    source: {made.SOURCE}\n    group_by: [gen_ai_request_model]\n")
    assert asked.group(made.call(model="m7")) == ("m7",)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    sli: {bad: 'rate(x_total[{{window}}])', total: 'rate(y_total[{{window}}])'}\n", "PromQL of its own"),
        ("    sli: {good_when: 'up == 1'}\n", "slice by slice"),
        ("    sli: {histogram: x_seconds}\n    threshold: 1s\n", "PromQL of its own"),
        ("    sli: gap\n", "the longest wait within a stream"),
        ("    sli: tls\n    objective: 95\n".replace("    objective: 95\n", ""), "handshakes"),
        ("    sli: availability\n    select: {namespace: prod}\n", "namespace, which no span tells"),
        ("    sli: availability\n    select: {role: server}\n", "from the other side"),
        (
            f"    sli: availability\n    source: {made.SOURCE}\n    group_by: [gen_ai_response_model]\n",
            "gen_ai_response_model, which no span tells",
        ),
        (
            f"    sli: availability\n    source: {made.SOURCE}\n    select: {{job: '~(?i)\\pL+'}}\n",
            "cannot be used here",
        ),
    ],
)
def test_what_calls_cannot_say_is_refused_with_the_reason(body, why):
    with pytest.raises(UnverifiableError, match=why.replace("(", r"\(")):
        one(body, cross_source=True)


def test_the_exporters_slos_count_the_callers_side():
    asked = one("    sli: completeness\n    select: {workload: chat}\n", cross_source=True)
    assert asked.takes(made.call())
    assert asked.is_good(made.call())
    assert asked.is_good(made.call(error="stream_interrupted")) is False
    assert asked.is_good(made.call(stream=False, ttft_s=None)) is None
