"""Faults as text: what is written is what is meant, and what nobody can follow is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.verify import fault
from llmslo_rulegen.verify.fault import Fault, FaultError, FaultKind

SERVICES = st.none() | st.sampled_from(("chat", "batch"))
SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


@st.composite
def faults(draw, services=SERVICES):
    kind = draw(st.sampled_from(FaultKind))
    usual = fault.usual(kind, draw(services))
    added_s = Decimal(draw(st.integers(1, 100_000))) / 1000 if kind.is_delay else Decimal(0)
    outcome = usual.outcome
    if kind is FaultKind.ERRORS:
        outcome = draw(st.sampled_from([one for one in catalog.OUTCOMES if one != "ok"]))
    return Fault(kind, usual.service, added_s, draw(SHARES), draw(SHARES), outcome)


@settings(deadline=None)
@given(faults())
def test_a_fault_reads_back_as_it_is_written(one):
    written = f"{one}" if one.share < 1 else f"{one}{',' if ':' in str(one) else ':'}share=100%"
    written = written if one.during < 1 else f"{written},during=100%"
    assert fault.parse(written) == one


def test_a_delay_is_what_the_issue_writes():
    assert fault.parse("latency:service=chat,+2s") == Fault(FaultKind.LATENCY, "chat", Decimal(2))
    assert fault.parse("truncated-streams").outcome == "stream_interrupted"
    assert fault.parse("errors:service=a,class=rate_limited,share=0.25").share == 0.25


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no fault is called"),
        ("latecy:+2s", "known are latency, errors, outage, slow-first-token, truncated-streams"),
        ("latency", "needs what it adds"),
        ("latency:+0s", "is no time"),
        ("latency:+fast", "is no time"),
        ("errors:+2s", "adds no time"),
        ("errors:share=0", "is no share"),
        ("errors:share=nan", "is no share"),
        ("errors:share=1.1", "is no share"),
        ("errors:class=ok", "a class is one of"),
        ("outage:class=timeout", "only errors have a class"),
        ("errors:service=", "says nothing of a fault"),
        ("errors:service=a,service=b", "twice"),
        ("errors:\x1b[31m", "says nothing"),
    ],
)
def test_what_nobody_can_follow_is_refused_in_one_line(text, said):
    with pytest.raises(FaultError) as refused:
        fault.parse(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
