"""Rows of calls, from exchanges that end and those under way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmslo_exporter.activity import MAX_ROWS, MAX_UNANSWERED, Activity
from llmslo_exporter.catalog import Limits
from llmslo_exporter.identity import Workload
from llmslo_exporter.observe import InFlight
from llmslo_exporter.summary import Role
from tests.exporter.exchanges import CHAT, PLAIN, REFUSED, STREAM

FLIGHT = InFlight(Role.CLIENT, "openai", "gpt-5", "chat", CHAT, "streaming", 3.0)


class Watch:
    """An activity with a clock that a test moves."""

    def __init__(self, limits=Limits()) -> None:  # noqa: B008 -- frozen
        self.now = 0.0
        self.activity = Activity(limits, lambda: self.now)

    def rows(self):
        return self.activity.rows()


@pytest.fixture
def watch():
    return Watch()


def test_a_row_tells_how_many_ended_how_and_how_fast(watch):
    for first_token_s in (0.2, 0.4, 0.9):
        watch.activity.record(replace(STREAM, first_token_s=first_token_s), CHAT)
    watch.activity.record(replace(REFUSED, stream=True), CHAT)
    (row,) = watch.rows()
    assert (row.namespace, row.workload, row.model, row.role) == ("shop", "chat", "gpt-5", "client")
    assert (row.calls, row.failed, row.outcome) == (4, 1, "rate_limited")
    assert (row.ttft_s, row.duration_s) == (0.4, 2.5)
    assert row.tokens_per_s == pytest.approx(20)
    assert (row.in_flight, row.oldest_s) == (0, None)


def test_a_call_without_a_stream_has_no_token_time(watch):
    watch.activity.record(PLAIN, CHAT)
    (row,) = watch.rows()
    assert (row.ttft_s, row.tokens_per_s, row.duration_s) == (None, None, 2.5)


def test_medians_are_of_the_last_minute(watch):
    watch.activity.record(replace(STREAM, first_token_s=9.0), CHAT)
    watch.now = 30.0
    watch.activity.record(STREAM, CHAT)
    watch.now = 61.0
    assert watch.rows()[0].ttft_s == 0.4
    watch.now = 100.0
    assert watch.rows()[0].ttft_s is None
    assert watch.rows()[0].calls == 2


def test_calls_in_flight_come_and_go(watch):
    watch.activity.record(STREAM, CHAT)
    watch.activity.under_way([FLIGHT, replace(FLIGHT, age_s=7.0)])
    assert (watch.rows()[0].in_flight, watch.rows()[0].oldest_s) == (2, 7.0)
    watch.activity.under_way([])
    assert (watch.rows()[0].in_flight, watch.rows()[0].oldest_s, watch.rows()[0].calls) == (0, None, 1)


def test_a_model_that_nobody_answered_is_named_only_while_it_is_in_flight(watch):
    watch.activity.under_way([replace(FLIGHT, model="typo")])
    assert [row.model for row in watch.rows()] == ["typo"]
    watch.activity.record(replace(REFUSED, model="typo"), CHAT)
    watch.activity.under_way([])
    assert [row.model for row in watch.rows()] == ["_other"]


def test_the_busy_and_the_latest_stand_on_top(watch):
    for number, name in enumerate(("a", "b", "c")):
        watch.now = float(number)
        watch.activity.record(STREAM, Workload("", name))
    watch.activity.under_way([replace(FLIGHT, workload=Workload("", "a"))])
    assert [row.workload for row in watch.rows()] == ["a", "c", "b"]


def test_names_a_stranger_makes_up_take_bounded_room():
    watch = Watch(Limits(models=50, workloads=5000, series=100_000))
    for number in range(3 * MAX_ROWS):
        watch.now += 1.0
        watch.activity.record(replace(STREAM, model=f"m{number}"), Workload("", f"w{number}"))
    watch.activity.under_way(replace(FLIGHT, model=f"x{number}") for number in range(500))
    rows = watch.rows()
    assert len(rows) == MAX_ROWS
    assert sum(row.in_flight for row in rows) == 500
    assert sum(row.model.startswith("x") for row in rows) == MAX_UNANSWERED
    assert {row.model for row in rows if not row.model.startswith("x")} == {"_other"}


@pytest.mark.parametrize("name", ["\x1b[31mred", "a" * 201, "", "a\nb"])
def test_what_is_no_name_is_not_shown(watch, name):
    watch.activity.under_way([replace(FLIGHT, model=name)])
    watch.activity.record(replace(STREAM, model=name), CHAT)
    assert {row.model for row in watch.rows()} == {"_other"}
