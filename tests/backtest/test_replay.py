"""Replays against promtool, and what they refuse; 200 cases by `python -m tests.derive.backtest`."""

from __future__ import annotations

import numpy as np
import pytest

from llmslo_rulegen import promtool
from llmslo_rulegen.backtest import replay as replaying
from llmslo_rulegen.backtest import traffic
from llmslo_rulegen.backtest.points import Dialect, Points
from llmslo_rulegen.backtest.replay import Known, replay
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Element, labels
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import AlertRule, Group, RecordingRule
from tests.backtest import made
from tests.backtest.agreement import compare
from tests.backtest.cases import Case, case
from tests.backtest.promtool import values
from tests.rules import prometheus3

needs_promtool = pytest.mark.skipif(promtool.find() is None, reason="needs promtool")
MINUTE_MS = 60_000


@needs_promtool
@pytest.mark.parametrize("seed", [1000, 1001, 1002, 1003, 1004, 1005])
@pytest.mark.timeout(300)
def test_random_rules_over_random_series_are_what_promtool_says(seed):
    found = compare(case(seed))
    assert found.differences == ()
    assert found.values


@pytest.mark.skipif(prometheus3.find("promtool") is None, reason="needs promtool 3: `make prometheus` builds it")
@pytest.mark.parametrize("seed", [1000, 1003])
@pytest.mark.timeout(300)
def test_random_rules_are_what_prometheus_3_says(seed):
    assert compare(case(seed), str(prometheus3.find("promtool")), Dialect.V3).differences == ()


def test_what_is_held_of_earlier_replays_has_a_bound(monkeypatch):
    monkeypatch.setattr(replaying, "MOST_RECORDED", 5)
    known = Known()
    found = {(): Element(np.zeros(3), np.ones(3, np.bool_))}
    for number in range(3):
        known.hold(number, found)
    assert [known.vector(number) is not None for number in range(3)] == [True, False, False]


@needs_promtool
@pytest.mark.timeout(300)
def test_pages_of_a_known_outage_come_when_promtool_says():
    slo = made.slo()
    what = traffic.measured(slo.sli)
    tally = traffic.tallied(made.calls(), [what], cross_source=False)
    scrapes = traffic.scrapes(0, made.LASTS_S * 1000, slo.scrape_interval_s)
    store = tally.store(what, scrapes)
    ours = replay(groups(slo, sloth=False)[0], store, scrapes)
    series = tuple(
        (key, _written(points, scrapes)) for found in store._by_name.values() for key, points in found.items()
    )
    begin_s = made.OUTAGE_S[0] // 60 * 60
    asked = [*range(begin_s, begin_s + 90 * 60, 60), *range(begin_s + 90 * 60, made.LASTS_S, 300)]
    told = values(Case(slo, series, 60, 60, made.LASTS_S), groups(slo, sloth=False), asked)
    for at_s in asked:
        there = {dict(key)["tier"] for key in told[at_s] if dict(key)[NAME] == "ALERTS"}
        fires = {dict(each.labels)["tier"] for each in ours.firings if _fires(each, at_s * 1000)}
        assert fires == there, at_s
    assert {dict(each.labels)["tier"] for each in ours.firings} == {
        "page_fast",
        "page_slow",
        "ticket_fast",
        "ticket_slow",
    }


def _fires(firing, at_ms):
    return firing.begin_ms <= at_ms and (firing.end_ms is None or at_ms < firing.end_ms)


def _written(points, scrapes):
    there = dict(zip(points.at_ms.tolist(), points.values.tolist(), strict=True))
    return tuple(str(int(there[at_ms])) if at_ms in there else "_" for at_ms in scrapes.tolist())


def _constant(name, value, size=30, **own):
    at_ms = np.arange(size, dtype=np.int64) * MINUTE_MS
    return labels({NAME: name, **own}.items()), Points(at_ms, np.full(size, float(value)))


def _replayed(*rules, series=(), size=30, dialect=Dialect.V2):
    at_ms = np.arange(size, dtype=np.int64) * MINUTE_MS
    return replay(Group("group", rules), Store(series), at_ms, dialect)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("topk(3, a)", "topk"),
        ("histogram_quantile(0.9, a)", "histogram_quantile"),
        ("a @ 5", "@"),
        ("rate(a[5m:])", "step"),
        ("a * on (x) group_right b", "group_right"),
        ("time()", "number"),
        ("label_join(a, 'b', '', 'c')", "label_join"),
    ],
)
def test_what_is_not_known_is_refused_by_name_and_rule(expression, named):
    with pytest.raises(UnsupportedError, match=f"group: a:b: .*{named}"):
        _replayed(RecordingRule("a:b", expression))


def test_a_rule_that_reads_its_own_past_in_another_way_is_refused():
    with pytest.raises(UnsupportedError, match="own past"):
        _replayed(RecordingRule("a:b", "a:b offset 1m or vector(1)"))


def test_values_beside_0_and_1_are_refused_where_a_rule_remembers_them():
    with pytest.raises(UnsupportedError, match="0 and 1"):
        _replayed(RecordingRule("a:b", "last_over_time(a:b[5m]) + 1 or vector(2)"))


def test_two_series_of_one_kind_are_refused_as_a_server_does():
    both = (_constant("a", 1, x="1"), _constant("a", 2, x="2"), _constant("b", 1))
    with pytest.raises(UnsupportedError, match="match the same series"):
        _replayed(RecordingRule("c:d", "b * on () a"), series=both)


def test_a_group_that_would_not_fit_is_refused_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(replaying, "MOST_RECORDED", 50)
    with pytest.raises(UnsupportedError, match="--every"):
        _replayed(RecordingRule("a:b", "a"), RecordingRule("c:d", "a"), series=(_constant("a", 1),))


def test_a_rule_sees_at_once_what_stands_above_it_and_one_that_reads_what_stands_below_is_refused():
    rules = RecordingRule("y:first", "a"), RecordingRule("x:then", "y:first")
    found = _replayed(*rules, series=(_constant("a", 1),))
    assert found.records[labels({NAME: "x:then"}.items())].present.all()
    with pytest.raises(UnsupportedError, match="x:then: it reads y:first, which is recorded below"):
        _replayed(*rules[::-1], series=(_constant("a", 1),))


def test_chunks_do_not_show(monkeypatch):
    one = case(1006)
    (group,) = groups(one.slo, sloth=False)
    whole = replay(group, Store(one.points()), one.instants())
    monkeypatch.setattr(replaying, "CHUNK", 7)
    cut = replay(group, Store(one.points()), one.instants())
    assert whole.records.keys() == cut.records.keys()
    for key, element in whole.records.items():
        assert (element.present == cut.records[key].present).all()
        assert element.values[element.present] == pytest.approx(cut.records[key].values[element.present], nan_ok=True)
    assert whole.firings == cut.firings


def test_what_an_earlier_replay_recorded_is_taken_only_where_all_it_reads_is_the_same():
    known = Known()
    series, other = (_constant("a", 1),), RecordingRule("y:z", "2 * x:y")
    first = replay(Group("g", (RecordingRule("x:y", "a"), other)), Store(series), np.arange(3) * MINUTE_MS, known=known)
    then = replay(
        Group("g", (RecordingRule("x:y", "3 * a"), other)), Store(series), np.arange(3) * MINUTE_MS, known=known
    )
    key = labels({NAME: "y:z"}.items())
    assert (first.records[key].values[0], then.records[key].values[0]) == (2, 6)


def test_for_and_keep_firing_are_told_by_time():
    at_ms = np.array([0, 1, 2, 3, 4, 10, 11], np.int64) * MINUTE_MS
    series = (labels({NAME: "a"}.items()), Points(at_ms, np.ones(7), np.array([5, 12], np.int64) * MINUTE_MS))
    (firing,) = _replayed(AlertRule("A", "a", for_s=120, keep_firing_s=180), series=(series,)).firings
    assert (firing.begin_ms, firing.end_ms) == (2 * MINUTE_MS, 8 * MINUTE_MS)
