"""SLOs against calls in one pass: the same as counting calls that a fault was put into, one fault at a time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.verify import fault, report, trial
from llmslo_rulegen.verify.striking import struck
from llmslo_rulegen.verify.subject import subject
from llmslo_rulegen.verify.verdict import Verdict
from tests.verify import made
from tests.verify.test_fault import faults

MADE = (
    *made.calls("chat", 90),
    *made.calls("chat", 15, seed=3, error="rate_limited", ttft_s=None, tpot_s=None, finish=""),
    *made.calls("batch", 60, stream=False, ttft_s=None, tpot_s=None, model="m2"),
)
SLOS = made.slos(
    "---\n".join(
        (
            made.text("chat", ("availability", 90, None), ("latency", 90, "5.12"), ("ttft", 90, "0.64")),
            made.text("batch", ("availability", 99, None), ("latency", 95, "10.24")),
            made.text(
                "wire",
                ("availability", 99, None),
                ("completeness", 95, None),
                ("ratelimit", 90, None),
                ("ttft", 90, "0.75"),
                ("throughput", 50, None),
                ("clean_finish", 90, None),
                source="llmslo",
            ).replace("    source: llmslo\n", "    source: llmslo\n    select: {workload: '~.*'}\n"),
        )
    )
)
SUBJECTS = [subject(slo, cross_source=True) for slo in SLOS]
ASKED = [(one.slo, one) for one in SUBJECTS]


def told(found, wanted=(), seed=1, asked=ASKED):
    subjects = [one for _, one in asked if not isinstance(one, str)]
    return report.report(asked, trial.run(found, subjects, wanted, seed))


@settings(deadline=None, max_examples=25)
@given(faults(services=st.sampled_from((None, "chat", "batch"))), st.integers(0, 1000))
def test_under_a_fault_there_are_the_events_of_the_calls_that_it_makes(one, seed):
    under = told(MADE, [one], seed).tested[0]
    alone = told([struck(call, one, seed) for call in MADE])
    for held, other in zip(under.held, alone.held, strict=True):
        counts = {group: (judged.bad, judged.events) for group, judged in held.groups.items() if judged.events}
        assert counts == {group: (judged.bad, judged.events) for group, judged in other.groups.items()}, held.slo.id


@settings(deadline=None, max_examples=25)
@given(faults(services=st.sampled_from(("chat", "batch"))), st.integers(0, 1000))
def test_services_that_a_fault_does_not_touch_keep_their_results(one, seed):
    found = told(MADE, [one], seed)
    for held, under in zip(found.held, found.tested[0].held, strict=True):
        if held.slo.service not in {one.service, "wire"}:
            assert under == held
            assert held.slo not in (*found.tested[0].failed, *found.tested[0].missed)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_calls_does_not_matter(seed):
    shuffled = random.Random(seed).sample(MADE, len(MADE))
    wanted = [fault.parse("latency:service=chat,+1s"), fault.parse("errors")]
    assert told(shuffled, wanted) == told(MADE, wanted)


def test_no_slo_is_left_out_whatever_the_calls_tell():
    asked = [*ASKED[:2], (SLOS[2], "for a reason"), *ASKED[3:]]
    for found in (MADE, (), [Skipped.NOT_LLM] * 3):
        seen = told(found, [fault.parse("errors")], asked=asked)
        assert [held.slo for held in seen.held] == list(SLOS)
        assert [held.slo for held in seen.tested[0].held] == list(SLOS)
        assert seen.held[2].verdict is Verdict.UNVERIFIABLE
        assert SLOS[2] in seen.silent
    assert told(()).silent == SLOS


def test_calls_of_another_source_are_named_and_not_counted():
    mine = [(one, subject(one, cross_source=False)) for one in SLOS[:2]]
    seen = told(made.calls("chat", 50, source="vllm"), asked=mine)
    assert {held.verdict for held in seen.held} == {Verdict.NO_EVENTS}
    assert all("otel-genai-b measures, these traces are vllm" in held.why for held in seen.held)


def test_an_slo_of_a_service_that_nobody_called_says_which_there_are():
    seen = told(made.calls("other", 5), asked=ASKED[:1])
    assert seen.held[0].why == "no call is of service chat; these traces have other"


def test_a_breach_of_one_group_is_the_slos():
    text = made.text("chat", ("availability", 90, None)).replace(
        "select:", "group_by: [gen_ai_request_model]\n    select:"
    )
    slo = made.slos(text)[0]
    found = [*made.calls("chat", 200), *made.calls("chat", 40, model="m2", error="timeout")]
    seen = told(found, asked=[(slo, subject(slo, cross_source=False))]).held[0]
    assert seen.verdict is Verdict.NOT_MET
    assert [judged.verdict for judged in seen.groups.values()] == [Verdict.MET, Verdict.NOT_MET]
    assert seen.worst == seen.groups["m2",]


def test_groups_that_strangers_name_are_bounded():
    text = made.text("chat", ("availability", 90, None)).replace(
        "select:", "group_by: [gen_ai_request_model]\n    select:"
    )
    slo = made.slos(text)[0]
    found = [made.call(model=f"m{number}") for number in range(trial.MOST_GROUPS + 50)]
    seen = told(found, [fault.parse("errors:share=1,during=1")], asked=[(slo, subject(slo, cross_source=False))])
    assert len(seen.held[0].groups) == trial.MOST_GROUPS + 1
    under = seen.tested[0].held[0].groups
    assert sum(judged.bad for judged in under.values()) == sum(judged.events for judged in under.values()) == len(found)


@pytest.mark.parametrize("name", ["usual", "incident"])
def test_recorded_calls_are_all_counted_once(name):
    found = made.recorded(name)
    slos = made.slos(made.own_promises(found))
    seen = told(found, asked=[(slo, subject(slo, cross_source=False)) for slo in slos])
    counted = sum(held.worst.events for held in seen.held if held.slo.name == "availability")
    assert counted == seen.calls == len(found)
