"""Calls as counters: what a server gets to see of them is what happened."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen import events
from llmslo_rulegen.backtest import exposed, traffic
from llmslo_rulegen.backtest.expression import Selector, parse
from llmslo_rulegen.backtest.store import matches
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME
from llmslo_rulegen.observed import slis
from llmslo_rulegen.slo import CatalogSli
from tests.backtest import made

READ = [(source.name, name) for source in catalog.SOURCES for name in slis.names(source.name)]
AVAILABILITY = traffic.measured(CatalogSli("availability", made.SOURCE))


def _selectors(sli, selections):
    found = [parse(text) for text in events.selectors(sli, selections)]
    assert all(isinstance(each, Selector) for each in found)
    return found


@pytest.mark.parametrize(("source", "name"), READ)
@pytest.mark.parametrize("outcome", ["", "server_error", "rate_limited", "timeout", "other"])
@pytest.mark.parametrize("is_good", [True, False])
def test_a_call_raises_one_series_of_all_events_and_one_of_the_bad_or_good_ones(source, name, outcome, is_good):
    sli = CatalogSli(name, source)
    found = events.definition(sli)
    raised = [each.key for each in exposed.raised(found, found.threshold, outcome, is_good=is_good)]

    def counted(selections):
        return sum(any(matches(each, key) for each in _selectors(sli, selections)) for key in raised)

    assert counted(found.total) == 1
    if found.bad:
        assert counted(found.bad) == (not is_good)
    else:
        assert counted(found.good) == is_good


def _call(at_ms, *, bad=False, model="gpt", source=made.SOURCE, duration_s=0.0):
    error = "server_error" if bad else ""
    return made.call(at_ms / 1000, source=source, model=model, duration_s=duration_s, error=error)


calls_made = st.lists(
    st.builds(_call, st.integers(0, 3_600_000), bad=st.booleans(), model=st.sampled_from(["a", "b"])), min_size=1
)


@settings(deadline=None, max_examples=60)
@given(calls_made, st.sampled_from([15, 30, 60]))
def test_counters_hold_every_call_by_the_scrape_after_its_end_and_never_fall(calls, scrape_s):
    tally = traffic.tallied(calls, [AVAILABILITY], cross_source=False)
    begin_ms, end_ms = tally.span_ms
    scrapes = traffic.scrapes(begin_ms, end_ms + scrape_s * 1000, scrape_s)
    store = tally.store(AVAILABILITY, scrapes)
    counters = _counters(store)
    assert sum(int(points.values[-1]) for _, points in counters) == len(calls)
    for key, points in counters:
        mine = sorted(
            call.start_ns // 1_000_000
            for call in calls
            if call.model == dict(key)["gen_ai_request_model"] and bool(call.error) == ("error_type" in dict(key))
        )
        assert all(now >= before for before, now in pairwise(points.values.tolist()))
        expected = np.searchsorted(mine, points.at_ms, side="right")
        assert points.values.tolist() == expected.tolist()
        assert points.at_ms[0] >= mine[0] > points.at_ms[0] - scrape_s * 1000


def _counters(store):
    found = store._by_name["gen_ai_client_operation_duration_seconds_count"]
    return list(found.items())


def test_a_call_counts_when_it_ends():
    tally = traffic.tallied([_call(0, duration_s=90.0), _call(0)], [AVAILABILITY], cross_source=False)
    ((_, points),) = _counters(tally.store(AVAILABILITY, traffic.scrapes(0, 120_000, 60)))
    assert points.values.tolist() == [1, 1, 2]


def test_our_exporter_shows_every_outcome_as_soon_as_it_knows_who_calls():
    own = traffic.measured(CatalogSli("availability", catalog.OWN))
    calls = [_call(0, source=catalog.OWN), _call(120_000, bad=True, source=catalog.OWN)]
    tally = traffic.tallied(calls, [own], cross_source=False)
    store = tally.store(own, traffic.scrapes(0, 180_000, 60))
    by_outcome = {dict(key)["outcome"]: points for key, points in store._by_name["llm_requests_total"].items()}
    assert by_outcome["server_error"].values.tolist() == [0, 0, 1, 1]


def test_a_bucket_is_there_with_the_first_observation_even_where_it_is_beyond():
    slow = traffic.measured(CatalogSli("latency", made.SOURCE, threshold=0.64))
    tally = traffic.tallied([_call(0, duration_s=1.0), _call(90_000)], [slow], cross_source=False)
    store = tally.store(slow, traffic.scrapes(0, 120_000, 60))
    ((key, points),) = store._by_name["gen_ai_client_operation_duration_seconds_bucket"].items()
    assert dict(key)["le"] == "0.64"
    assert points.values.tolist() == [0, 1]
    assert points.at_ms.tolist() == [60_000, 120_000]


def test_targets_are_up_all_the_time():
    tally = traffic.tallied([_call(0)], [AVAILABILITY], cross_source=False)
    store = tally.store(AVAILABILITY, traffic.scrapes(0, 600_000, 60))
    for name in ("up", events.source(made.SOURCE).liveness):
        ((key, points),) = store._by_name[name].items()
        assert dict(key) == {NAME: name, "job": "chat", "instance": "chat"}
        assert points.values.tolist() == [1] * 11


def test_calls_of_another_source_count_only_where_that_is_asked_for():
    assert traffic.tallied([_call(0, source="vllm")], [AVAILABILITY], cross_source=False).counted(AVAILABILITY) == 0
    assert traffic.tallied([_call(0, source="vllm")], [AVAILABILITY], cross_source=True).counted(AVAILABILITY) == 1


def test_series_that_would_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(traffic, "MOST_SAMPLES", 20)
    tally = traffic.tallied([_call(0), _call(0, model="b")], [AVAILABILITY], cross_source=False)
    with pytest.raises(UnsupportedError, match="--from"):
        tally.store(AVAILABILITY, traffic.scrapes(0, 3_600_000, 60))
