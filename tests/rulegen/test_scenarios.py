"""The arithmetic that tests expect: from events to firing tiers."""

from __future__ import annotations

import pytest

from llmslo_rulegen.scenarios import Clock, Events, Promise, Run, events, firing, lower_bound, merged, repeated
from llmslo_rulegen.tier import Severity, Tier

CLOCK = Clock(60, 300)
TIER = Tier("page_fast", Severity.PAGE, 10, 3600, 300)


def told(flow, at_s, tier=TIER, wilson=None):
    return firing(Promise((tier,), 0.01, CLOCK, wilson), flow, at_s)


def test_events_are_those_of_the_scrapes_within_the_window():
    flow = (Run(10, 5, 1), Run(10), Run(10, 7, 7))
    assert events(flow, 10, 4) == Events(20, 4)
    assert events(flow, 22, 13) == Events(5 + 14, 1 + 14)
    assert events(flow, 5, 100) == Events(25, 5)


@pytest.mark.parametrize(("share", "expected"), [(0.05, set()), (0.2, {"page_fast"}), (0.1, None)])
def test_a_burn_on_the_threshold_itself_is_not_judged(share, expected):
    flow = (Run(30, 1000, int(share * 1000)),)
    assert told(flow, [1800]) == [expected]


def test_both_windows_must_be_over():
    old = (Run(30, 1000, 1000), Run(20, 1000))
    assert told(old, [1800, 2400]) == [{"page_fast"}, set()], "a good short window ends it"
    new = (Run(50, 1000), Run(5, 1000, 100))
    assert told(new, [3300]) == [set()], "a bad short window alone starts nothing"


def test_an_idle_short_window_neither_starts_nor_ends():
    assert told((Run(15, 100, 100), Run(30)), [900, 1500, 2700]) == [{"page_fast"}] * 3
    assert told((Run(15, 100, 100), Run(100)), [6000]) == [set()], "nothing at all for the longest window"
    busy_then_bad = (Run(4, 10_000), Run(1, 100, 100), Run(70))
    assert told(busy_then_bad, [3900]) == [set()], "the good ones leave the long window while all is idle"


def test_gates_hold_a_start_only():
    gated = Tier("page_fast", Severity.PAGE, 10, 3600, 300, min_bad=5, min_bad_short=2)
    assert told((Run(14), Run(1, 4, 4)), [900], gated) == [set()]
    assert told((Run(14), Run(1, 5, 5)), [900], gated) == [{"page_fast"}]
    apart = (Run(1, 5, 5), Run(40), Run(1, 1, 1))
    assert told(apart, [42 * 60 // 300 * 300 + 300], gated) in ([{"page_fast"}], [None])


def test_wilson_asks_for_more_than_chance():
    assert lower_bound(Events(10, 1), 0.95) == pytest.approx(0.01788, abs=1e-5)  # Wilson 1927 by hand
    assert told((Run(14), Run(1, 2, 1)), [900], wilson=0.95) == [set()]
    assert told((Run(14), Run(1, 2000, 1000)), [900], wilson=0.95) == [{"page_fast"}]


def test_runs_repeat_up_to_a_length():
    assert merged(list(repeated([Run(2), Run(1, 1)], 5))) == (Run(2), Run(1, 1), Run(2))
