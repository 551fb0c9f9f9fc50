"""Episodes found in counts, and how alerts answer them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from llmslo_exporter import catalog
from llmslo_rulegen.backtest import episodes
from llmslo_rulegen.backtest.alarms import Firing
from llmslo_rulegen.backtest.episodes import Episode
from llmslo_rulegen.backtest.replay import Replayed
from llmslo_rulegen.backtest.vector import NAME, Element, labels
from llmslo_rulegen.backtest.verdict import verdict
from llmslo_rulegen.slo import Calendar, Window
from llmslo_rulegen.tier import Severity
from tests.backtest import made

MINUTE_S = 60
DAY_M = 1440
PER_MINUTE = 20.0


def _recorded(bad_share, group=()):
    """Return a replay whose 5 minute counts are those of steady traffic with a bad share by the minute."""
    total = np.full(len(bad_share), PER_MINUTE)
    bad = total * bad_share
    at_ms = np.arange(len(bad_share), dtype=np.int64) * MINUTE_S * 1000
    everywhere = np.ones(len(total), np.bool_)

    def window(values):
        summed = np.concatenate([np.zeros(5), np.cumsum(values)])
        return Element(summed[5:] - summed[:-5], everywhere)

    records = {
        labels({NAME: f"{name}{catalog.INCREASE}5m", **dict(group)}.items()): window(values)
        for name, values in ((catalog.TOTAL, total), (catalog.BAD, bad))
    }
    return Replayed(at_ms, records)


def _share(*outages, minutes=2 * DAY_M):
    share = np.zeros(minutes)
    for begin, end, bad in outages:
        share[begin:end] = bad
    return share


def _minutes(found):
    return [(episode.begin_ms / 60_000, episode.end_ms / 60_000) for episode in found]


def test_an_outage_is_found_to_the_minute():
    slo = made.slo()
    (found,) = episodes.found(slo, _recorded(_share((600, 700, 0.5))))
    assert _minutes([found])[0] == pytest.approx((599, 700), abs=2)
    budget = 0.005 * PER_MINUTE * 30 * DAY_M
    assert found.bad == pytest.approx(100 * PER_MINUTE * 0.5, rel=0.06)
    assert found.spent == pytest.approx(found.bad / budget, rel=0.01)


def test_what_stands_close_together_is_one_and_what_is_apart_is_two():
    slo = made.slo()
    near = _recorded(_share((600, 640, 0.5), (655, 700, 0.5)))
    assert _minutes(episodes.found(slo, near)) == [pytest.approx((599, 700), abs=2)]
    apart = _recorded(_share((600, 700, 0.5), (800, 900, 0.5)))
    assert _minutes(episodes.found(slo, apart)) == [pytest.approx((599, 700), abs=2), pytest.approx((799, 900), abs=2)]


def test_a_failure_by_chance_before_an_outage_does_not_move_its_begin():
    slo = made.slo()
    found = episodes.found(slo, _recorded(_share((580, 581, 0.2), (600, 700, 0.5))))
    assert _minutes(found) == [pytest.approx((599, 700), abs=2)]


@pytest.mark.parametrize("share", [0.0, 0.005, 0.009])
def test_what_is_within_twice_the_budget_is_no_episode(share):
    slo = made.slo()
    assert episodes.found(slo, _recorded(_share((0, 2 * DAY_M, share)))) == ()


def test_what_spends_little_is_no_episode():
    slo = made.slo()
    assert episodes.found(slo, _recorded(_share((600, 603, 0.5)))) == ()


def test_at_half_only_a_total_outage_is_an_episode():
    slo = made.slo(objective=Decimal(50))
    assert episodes.found(slo, _recorded(_share((0, DAY_M, 0.9)))) == ()
    assert len(episodes.found(slo, _recorded(_share((0, DAY_M, 1.0))))) == 1


def test_each_group_has_episodes_of_its_own():
    slo = made.slo(group_by=("model",))
    first, other = ((("model", name),) for name in "ab")
    broken = _recorded(_share((600, 700, 0.5)), first)
    well = _recorded(_share(), other)
    (found,) = episodes.found(slo, Replayed(broken.instants, {**broken.records, **well.records}))
    assert found.group == first


def _firing(tier, begin_m, end_m, **more):
    found = {"alertname": "Burning", catalog.TIER: tier, **more}
    return Firing(labels(found.items()), begin_m * 60_000, None if end_m is None else end_m * 60_000)


def _verdict(*firings, given, slo=None):
    slo = slo or made.slo()
    recorded = _recorded(_share())
    return verdict(slo, Replayed(recorded.instants, recorded.records, firings=firings), given)


OUTAGE = Episode(600 * 60_000, 700 * 60_000)


def test_detection_and_reset_are_of_the_first_and_the_last_page():
    told = _verdict(
        _firing("page_fast", 610, 720),
        _firing("page_slow", 640, 745),
        _firing("ticket_slow", 650, 1400),
        given=(OUTAGE,),
    )
    (answer,) = told.answers
    assert (answer.page_s, answer.ticket_s, answer.reset_s) == (600, 3000, 45 * 60)
    assert (told.missed, told.false(Severity.PAGE), told.false(Severity.TICKET)) == (0, 0, 0)


def test_a_page_long_after_an_episode_is_false_and_one_while_its_short_window_holds_some_is_not():
    told = _verdict(_firing("page_fast", 704, 706), _firing("page_fast", 706, 708), given=(OUTAGE,))
    assert [alert.is_false for alert in told.alerts] == [False, True]


def test_a_page_that_goes_on_has_no_reset():
    (answer,) = _verdict(_firing("page_fast", 610, None), given=(OUTAGE,)).answers
    assert (answer.page_s, answer.reset_s) == (600, None)


def test_a_page_from_before_an_episode_tells_of_it_at_once():
    (answer,) = _verdict(_firing("page_fast", 590, 720), given=(OUTAGE,)).answers
    assert answer.page_s == 0


def test_an_episode_without_a_page_is_missed_even_with_a_ticket():
    told = _verdict(_firing("ticket_fast", 640, 720), given=(OUTAGE,))
    assert (told.missed, told.answers[0].page_s, told.answers[0].ticket_s) == (1, None, 2400)


def test_alerts_of_other_groups_tell_nothing():
    slo = made.slo(group_by=("model",))
    mine = Episode(OUTAGE.begin_ms, OUTAGE.end_ms, (("model", "a"),))
    told = _verdict(_firing("page_fast", 610, 720, model="b"), given=(mine,), slo=slo)
    assert (told.missed, told.false(Severity.PAGE)) == (1, 1)


def test_an_alert_that_is_no_burn_is_neither_right_nor_false():
    firing = Firing(labels({"alertname": "X", catalog.KIND: catalog.ABSENT}.items()), 0, 60_000)
    (alert,) = _verdict(firing, given=()).alerts
    assert (alert.kind, alert.tier, alert.is_false) == (catalog.ABSENT, None, False)


@pytest.mark.parametrize(
    ("window", "days", "ends"),
    [
        (Window(7 * 86_400), 16, [7, 14, 16]),
        (Window(7 * 86_400, Calendar.WEEK), 16, [4, 11, 16]),  # the epoch was a Thursday
        (Window(31 * 86_400, Calendar.MONTH), 40, [31, 40]),
    ],
)
def test_budgets_are_told_at_the_end_of_each_window_and_of_history(window, days, ends):
    slo = made.slo(window=window)
    at_ms = np.arange(0, days * 24 + 1, dtype=np.int64) * 3_600_000
    everywhere = np.ones(len(at_ms), np.bool_)
    record = Element(np.arange(len(at_ms)) / 1000, everywhere)
    names = (catalog.SPENT, catalog.COVERED, f"{catalog.TOTAL}{catalog.INCREASE}5m")
    told = verdict(slo, Replayed(at_ms, {labels({NAME: name}.items()): record for name in names}), ())
    found = [datetime.fromtimestamp(budget.end_ms / 1000, UTC) for budget in told.budgets]
    hours = [(each - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 3600 for each in found]
    assert hours == pytest.approx([24 * end for end in ends], abs=1)
