"""Faults in calls: values stay possible, others' calls stay as they are, and more of a fault is never less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.verify import fault
from llmslo_rulegen.verify.fault import FaultKind
from llmslo_rulegen.verify.striking import struck
from tests.verify import made
from tests.verify.test_fault import SHARES, faults

MADE = [
    *made.calls("chat", 120),
    *made.calls("batch", 60, stream=False, ttft_s=None, tpot_s=None),
    *made.calls("chat", 20, seed=8, error="timeout", ttft_s=None, tpot_s=None, output_tokens=None, finish=""),
    *made.calls("other", 40),
    *made.calls("chat", 20, seed=9, ttft_s=None, tpot_s=None, output_tokens=None),
]
SEEDS = st.integers(-(1 << 70), 1 << 70)


@settings(deadline=None, max_examples=60)
@given(faults(), SEEDS)
def test_a_call_under_a_fault_could_have_been(one, seed):
    for before in MADE:
        after = struck(before, one, seed)
        assert after.duration_s >= 0
        assert after.ttft_s is None or 0 <= after.ttft_s <= after.duration_s
        assert after.tpot_s is None or not after.error
        assert (after.output_tokens or 0) <= (before.output_tokens or 0)
        assert (after.start_ns, after.service, after.model, after.stream) == (
            before.start_ns,
            before.service,
            before.model,
            before.stream,
        )
        if one.kind.is_delay:
            assert after.error == before.error
            assert after.duration_s - (after.ttft_s or 0) == pytest.approx(
                before.duration_s
                - (before.ttft_s or 0)
                + (0 if before.ttft_s is not None or after is before else float(one.added_s))
            )


@settings(deadline=None, max_examples=60)
@given(faults(services=st.just("chat")), SEEDS)
def test_the_calls_of_others_are_the_same_objects(one, seed):
    assert all(struck(before, one, seed) is before for before in MADE if before.service != "chat")


@settings(deadline=None, max_examples=60)
@given(faults(), SHARES, SHARES, SEEDS)
def test_who_is_hit_is_hit_by_a_larger_fault_too(one, share, during, seed):
    larger = replace(one, share=max(one.share, share), during=max(one.during, during))
    for before in MADE:
        after = struck(before, one, seed)
        if after is not before:
            assert struck(before, larger, seed) == after


@settings(deadline=None, max_examples=30)
@given(faults(services=st.none()), SEEDS)
def test_a_call_that_failed_already_keeps_its_error(one, seed):
    assert all(struck(before, one, seed).error == before.error for before in MADE if before.error)


@pytest.mark.parametrize("kind", [FaultKind.ERRORS, FaultKind.OUTAGE, FaultKind.TRUNCATED_STREAMS])
@pytest.mark.parametrize("seed", range(3))
def test_about_as_many_calls_are_hit_as_was_asked_for(kind, seed):
    found = made.calls("chat", 4000, minutes=600)
    one = replace(fault.usual(kind, "chat"), share=0.5, during=0.4)
    hit = sum(struck(before, one, seed) is not before for before in found) / len(found)
    assert 0.17 < hit < 0.23


def test_a_truncated_stream_came_to_its_first_token_and_not_to_its_end():
    one = replace(fault.usual(FaultKind.TRUNCATED_STREAMS), share=1.0)
    before = made.call(ttft_s=0.5, duration_s=2.0)
    after = struck(before, one, 1)
    assert (after.error, after.finish, after.tpot_s, after.ttft_s) == ("stream_interrupted", "", None, 0.5)
    assert 0.5 <= after.duration_s < 2.0
    assert 1 <= after.output_tokens < before.output_tokens


def test_calls_that_are_no_streams_lose_nothing_to_faults_of_streams():
    before = made.call(stream=False, ttft_s=None, tpot_s=None)
    for text in ("truncated-streams:share=100%", "slow-first-token:+9s"):
        assert struck(before, fault.parse(text), 1) is before


def test_an_error_comes_when_the_answer_would_have_and_a_refusal_at_once():
    before = made.call(ttft_s=0.5, duration_s=2.0)
    failed = struck(before, fault.parse("errors:share=1,during=1"), 1)
    refused = struck(before, fault.parse("outage:share=1,during=1"), 1)
    assert (failed.error, failed.duration_s, failed.ttft_s) == ("server_error", 0.5, None)
    assert (refused.error, refused.ttft_s, refused.output_tokens) == ("connection_error", None, None)
    assert refused.duration_s < 0.01
