"""The stretch of time that is learnt from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind
from llmslo_rulegen.derive import proposal, reach
from llmslo_rulegen.derive.proposal import Wish
from tests.derive import baselines

KIND = Kind("vllm", "s1", "chat", "p", "m", stream=True)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 300), st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 100))
def test_no_other_stretch_holds_more(counts, most):
    found = Baseline({(KIND, hour): Cell((("ok", count),), ()) for hour, count in counts.items()})
    kept, left_out = reach.reached(found, most)
    hours = kept.hours
    assert hours[-1] - hours[0] < most
    assert kept.count + left_out == found.count
    each = (sum(counts.get(hour, 0) for hour in range(begin, begin + most)) for begin in range(301))
    assert kept.count == max(each)


@pytest.mark.parametrize("wrong_h", [0, 2_500_000])
def test_a_wrong_clock_costs_neither_memory_nor_the_history(wrong_h):
    good = baselines.of_calls(KIND, 200, 10, 1)
    odd = Baseline({(KIND, wrong_h): Cell((("ok", 1),), ())})
    kept, left_out = reach.reached(Baseline.merged([good, odd]))
    assert left_out == 1
    assert {one.traffic.history.span.hours for one in proposal.proposals(kept, Wish())} == {200}
