"""Acceptance: healthy calls pass their own SLOs, and each fault fails exactly the SLOs of the fault table."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.verify import fault, fault_table, report, trial
from llmslo_rulegen.verify.fault import Fault, FaultKind
from llmslo_rulegen.verify.subject import subject
from llmslo_rulegen.verify.verdict import Verdict, judge
from tests.verify import made

MADE = (
    *made.calls("chat", 300),
    *made.calls("batch", 200, stream=False, ttft_s=None, tpot_s=None),
    *made.calls("chat", 6, seed=3, error="timeout", ttft_s=None, tpot_s=None, output_tokens=None, finish=""),
)
WORLDS = {"recorded": made.recorded(), "made": MADE}
worlds = pytest.mark.parametrize("world", WORLDS)
DELAYS = (FaultKind.LATENCY, FaultKind.SLOW_FIRST_TOKEN)


def own(found):
    """Return the SLOs that these calls keep, with what each asks of a call."""
    return [(slo, subject(slo, cross_source=False)) for slo in made.slos(made.own_promises(found))]


def under(found, asked, faults):
    told = report.report(asked, trial.run(found, [one for _, one in asked], faults, 1))
    return told, {str(tested.fault): {slo.id for slo in tested.failed} for tested in told.tested}


def crossed(found, slo, added_s, kind):
    """Tell from the values alone whether a delay leaves too few within an SLO's threshold."""
    mine = [call for call in found if call.service == slo.service]
    hit = [call.stream or kind is FaultKind.LATENCY for call in mine]
    if slo.sli.name == "latency":
        values = [None if call.error else call.duration_s for call in mine]
    elif slo.sli.name == "ttft":
        values = [call.ttft_s for call in mine]
    else:
        return False
    late = [
        value + added_s * is_hit > slo.sli.threshold
        for value, is_hit in zip(values, hit, strict=True)
        if value is not None
    ]
    return judge(sum(late), len(late), slo.objective).verdict is Verdict.NOT_MET


@worlds
def test_healthy_calls_pass_their_own_slos(world):
    told, _ = under(WORLDS[world], own(WORLDS[world]), [])
    assert {held.verdict for held in told.held} == {Verdict.MET}


@worlds
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_a_delay_fails_exactly_the_slos_whose_threshold_it_crosses(world, data):
    found = WORLDS[world]
    asked = own(found)
    service = data.draw(st.sampled_from(sorted({call.service for call in found})))
    added_s = Decimal(data.draw(st.integers(1, 30_000))) / 1000
    kind = data.draw(st.sampled_from(DELAYS))
    _, failed = under(found, asked, [one := Fault(kind, service, added_s)])
    expected = {slo.id for slo, _ in asked if slo.service == service and crossed(found, slo, float(added_s), kind)}
    assert failed[str(one)] == expected


@worlds
def test_a_longer_delay_fails_what_a_shorter_one_fails(world):
    found = WORLDS[world]
    service = found[0].service
    delays = [Fault(FaultKind.LATENCY, service, Decimal(ms) / 1000) for ms in (1, 100, 500, 2000, 5000, 20_000)]
    _, failed = under(found, own(found), delays)
    sets = [failed[str(one)] for one in delays]
    assert all(less <= more for less, more in pairwise(sets))
    assert sets[0] == set()
    assert sets[-1]


@worlds
def test_errors_outages_and_cut_streams_fail_availability_and_nothing_else(world):
    found = WORLDS[world]
    streams = {call.service for call in found if call.stream}
    for service in sorted({call.service for call in found}):
        faults = [
            Fault(FaultKind.ERRORS, service, share=0.75, during=0.4, outcome="rate_limited"),
            Fault(FaultKind.OUTAGE, service, share=0.75, during=0.4, outcome="connection_error"),
            Fault(FaultKind.TRUNCATED_STREAMS, service, share=0.3, outcome="stream_interrupted"),
        ]
        told, failed = under(found, own(found), faults)
        assert failed[str(faults[0])] == failed[str(faults[1])] == {f"{service}-availability"}
        assert failed[str(faults[2])] == ({f"{service}-availability"} if service in streams else set())
        assert [one.strays for one in told.tested] == [()] * 3


@worlds
def test_every_built_in_fault_is_told_of_by_all_slos_at_risk_and_no_other(world):
    found = WORLDS[world]
    asked = own(found)
    faults = list(fault_table.every_fault([one for _, one in asked]))
    services = {call.service for call in found}
    assert {(one.service, one.kind) for one in faults} == {(name, kind) for name in services for kind in FaultKind}
    told, failed = under(found, asked, faults)
    assert told.unproven == ()
    table = {
        FaultKind.LATENCY: {"latency", "ttft"},
        FaultKind.SLOW_FIRST_TOKEN: {"latency", "ttft"},
        FaultKind.ERRORS: {"availability"},
        FaultKind.OUTAGE: {"availability"},
        FaultKind.TRUNCATED_STREAMS: {"availability"},
    }
    for tested in told.tested:
        one = tested.fault
        at_risk = {slo.id for slo, _ in asked if slo.service == one.service and slo.name in table[one.kind]}
        assert failed[str(one)] == (at_risk if tested.hit else set())


def test_a_truncated_stream_is_not_complete_and_was_in_time():
    text = made.text("chat", ("completeness", 95, None), ("ttft", 90, "1.5"), source="llmslo")
    asked = [(slo, subject(slo, cross_source=True)) for slo in made.slos(text)]
    told, failed = under(made.calls("chat", 200), asked, [fault.parse("truncated-streams:service=chat,share=30%")])
    assert list(failed.values()) == [{"chat-completeness"}]
    assert told.unproven == ()


@pytest.mark.parametrize("outcome", [one for one in catalog.OUTCOMES if one != "ok"])
def test_which_class_of_errors_puts_which_slo_at_risk(outcome):
    names = ("availability", "ratelimit", "quota", "overload", "completeness", "latency", "ttft")
    text = "version: llmslo/v1\nservice: chat\nslos:\n" + "".join(
        f"  - name: {name}\n    sli: {name}\n    objective: 90\n" for name in names
    )
    one = Fault(FaultKind.ERRORS, outcome=outcome)
    subjects = [subject(slo, cross_source=True) for slo in made.slos(text)]
    at_risk = {asked.slo.name for asked in subjects if fault_table.is_at_risk(one, asked)}
    callers_own = {"client_cancelled", "invalid_request", "auth", "not_found", "content_filter"}
    special = {"rate_limited": "ratelimit", "quota_exhausted": "quota", "overloaded": "overload"}
    expected = (set() if outcome in callers_own else {"availability"}) | {special.get(outcome, "availability")}
    assert at_risk == (expected if outcome not in callers_own else set())


def test_an_slo_that_a_fault_should_fail_and_does_not_is_named():
    text = made.text("chat", ("latency", 50, "81.92"))
    asked = [(slo, subject(slo, cross_source=False)) for slo in made.slos(text)]
    told, _ = under(made.calls("chat", 100), asked, [fault.parse("latency:service=chat,+1s")])
    assert [slo.id for slo in told.tested[0].missed] == ["chat-latency"]
    assert told.unproven == told.tested


def test_an_slo_that_selects_another_services_calls_is_at_risk_with_it():
    text = made.text("chat", ("availability", 90, None)).replace("{job: chat}", "{job: '~chat|batch'}")
    slos = made.slos(text + "---\n" + made.text("batch", ("availability", 90, None)))
    asked = [(slo, subject(slo, cross_source=False)) for slo in slos]
    _, failed = under(MADE, asked, [fault.parse("errors:service=batch,share=90%,during=90%")])
    assert list(failed.values()) == [{"chat-availability", "batch-availability"}]


def test_more_is_broken_where_a_budget_is_large():
    asked = [subject(slo, cross_source=False) for slo in made.slos(made.text("chat", ("availability", 60, None)))]
    sized = {one.kind: one for one in fault_table.every_fault(asked)}
    assert sized[FaultKind.ERRORS].share * sized[FaultKind.ERRORS].during >= 0.8
    told, failed = under(made.calls("chat", 200), [(one.slo, one) for one in asked], list(sized.values()))
    assert told.unproven == ()
    assert failed[str(sized[FaultKind.ERRORS])] == {"chat-availability"}


def test_classes_of_errors_with_an_slo_of_their_own_are_tried_too():
    names = ("availability", "ratelimit", "quota", "overload")
    text = made.text("chat", *((name, 90, None) for name in names), source="llmslo")
    asked = [(slo, subject(slo, cross_source=True)) for slo in made.slos(text)]
    faults = list(fault_table.every_fault([one for _, one in asked]))
    told, failed = under(made.calls("chat", 200), asked, faults)
    assert (told.unproven, told.untested) == ((), ())
    of_errors = {one.outcome: failed[str(one)] for one in faults if one.kind is FaultKind.ERRORS}
    assert of_errors == {
        "server_error": {"chat-availability"},
        "rate_limited": {"chat-availability", "chat-ratelimit"},
        "quota_exhausted": {"chat-availability", "chat-quota"},
        "overloaded": {"chat-availability", "chat-overload"},
    }


def test_what_no_fault_puts_at_risk_is_named():
    text = made.text("chat", ("availability", 90, None), ("throughput", 90, None), source="llmslo")
    asked = [(slo, subject(slo, cross_source=True)) for slo in made.slos(text)]
    told, _ = under(made.calls("chat", 400), asked, list(fault_table.every_fault([one for _, one in asked])))
    assert [slo.id for slo in told.untested] == ["chat-throughput"]


def test_whoever_is_hit_a_built_in_fault_is_large_enough():
    found = (*made.calls("chat", 60, minutes=20), *made.calls("batch", 50, minutes=10, stream=False, ttft_s=None))
    asked = own(found)
    subjects = [one for _, one in asked]
    faults = list(fault_table.every_fault(subjects))
    for seed in range(30):
        assert report.report(asked, trial.run(found, subjects, faults, seed)).unproven == ()
