"""Budgets against exact event counts, on the hardest traffic; all of it by `python -m tests.rules.truth`."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from llmslo_exporter.catalog import NAMESPACE, OUTCOME, REQUESTS, SLO_LABEL, SPENT
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import Group, RecordingRule
from llmslo_rulegen.slo import Calendar
from tests.rules import traffic
from tests.rules.backend import BackendError, lacks
from tests.rules.counters import DAY_S, EPOCH_S, HOUR_S, SLOT_S, Counter, Events, Scrapes
from tests.rules.judging import period
from tests.rules.staging import needed
from tests.rules.truth import GRIDS, measure

HARD = ("late-errors", "replicas", "gap", "fresh", "fast-scrapes", "by-model")

engines = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))


@pytest.fixture(scope="module")
def hard():
    return list(traffic.scenarios(HARD))


@engines
@pytest.mark.timeout(300)
def test_budgets_are_those_of_the_events(hard):
    rows = list(measure(hard, {"5m": GRIDS["5m"]}, groups))
    assert len(rows) == 3 * len(HARD)
    assert [row for row in rows if not row.is_right] == []
    # The same data is hard: what most generators write is far off.
    assert max(abs(row.sloth_error) for row in rows if row.scenario == "late-errors") > 1


@engines
def test_hours_that_guess_the_step_between_two_hours_are_told_from_exact_ones(hard):
    scenario = next(each for each in hard if each.name == "fast-scrapes")
    rows = list(measure([scenario], {"5m": GRIDS["5m"]}, _guessing))
    assert [row for row in rows if row.is_right] == []


def _guessing(slo):
    """Return what a generator without our pains would record."""
    name, where = ((SLO_LABEL, slo.name),), f'{REQUESTS.name}{{{NAMESPACE.name}="fast-scrapes"'
    texts = {"bad": f'{where},{OUTCOME.name}!="ok"}}', "total": f"{where}}}"}
    hours = [RecordingRule(f"naive:{which}", f"sum(increase({text}[1h]))", name) for which, text in texts.items()]
    bad, total = (f'sum_over_time(naive:{which}{{{SLO_LABEL}="{slo.name}"}}[719h59m:1h])' for which in texts)
    return (Group("naive", (*hours, RecordingRule(SPENT, f"{bad} / {total} / {slo.budget}", name))),)


def test_a_reset_loses_what_was_not_scraped_and_no_more():
    # One event a slot; scraped at 35 s, 95 s, ...; restarted at 125 s: the events from 95 s to 125 s are never shown.
    counter = Counter("c", {}, np.ones(600 // SLOT_S, np.int64), resets_s=(125,))
    events = Events([counter], Scrapes())
    assert events.exact(0, 600) == 120
    assert events.exact(95, 125) == 6
    # Shown: all up to the last scrape at 575 s, but the first sample's 7 and the 6 before the restart.
    assert events.shown(0, 600) == 575 // SLOT_S - 7 - 6


def test_a_series_made_by_its_first_event_hides_what_its_first_sample_holds():
    events_of_slots = np.zeros(600 // SLOT_S, np.int64)
    events_of_slots[200 // SLOT_S] = 4
    events_of_slots[400 // SLOT_S] = 2
    counter = Counter("c", {}, events_of_slots, is_lazy=True)
    events = Events([counter], Scrapes())
    assert (events.exact(0, 600), events.shown(0, 600)) == (6, 2)


def test_a_gap_hides_nothing_of_a_counter_that_goes_on():
    counter = Counter("c", {}, np.ones(HOUR_S // SLOT_S, np.int64))
    gap = Scrapes(gaps=((600, 1200),))
    assert Events([counter], gap).shown(300, 1500) == Events([counter], Scrapes()).shown(300, 1500) == 240


@pytest.mark.parametrize(
    ("calendar", "at", "begin", "end"),
    [
        (Calendar.WEEK, (2026, 3, 1, 23), (2026, 2, 23), (2026, 3, 2)),
        (Calendar.WEEK, (2026, 3, 2, 0), (2026, 3, 2), (2026, 3, 9)),
        (Calendar.MONTH, (2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        (Calendar.QUARTER, (2026, 3, 31, 23), (2026, 1, 1), (2026, 4, 1)),
        (Calendar.QUARTER, (2026, 11, 5, 7), (2026, 10, 1), (2027, 1, 1)),
    ],
)
def test_calendar_windows_begin_where_people_say(calendar, at, begin, end):
    assert period(calendar, _since(*at)) == (_since(*begin), _since(*end))


def _since(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp()) - EPOCH_S


def test_only_what_a_record_is_made_of_is_evaluated():
    rules = tuple(RecordingRule(name, text) for name, text in (("a:x", "m"), ("b:x", "a:x offset 1h"), ("c:x", "m")))
    assert [rule.record for rule in needed([Group("g", rules)], ["b:x"])] == ["a:x", "b:x"]
    with pytest.raises(BackendError, match="no rule records d:x"):
        needed([Group("g", rules)], ["d:x"])


def test_days_of_traffic_are_the_same_on_every_run():
    ones, others = (traffic.day_night(np.random.default_rng(0)) for _ in range(2))
    assert ones.bad.exact(0, 30 * DAY_S) == others.bad.exact(0, 30 * DAY_S) > 0
