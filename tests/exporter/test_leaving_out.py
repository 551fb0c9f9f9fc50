"""Who is left out of TLS probing for its rate, for how long, and who never is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import leaving_out as module
from llmslo_exporter.leaving_out import LeavingOut, Patience, Reason

PATIENCE = Patience(calls_per_s=100, sample_s=30, look_s=2, first_pause_s=60, longest_pause_s=200)
BUSY, QUIET = 1000, 10  # calls a second


def _nobody(_pid: int) -> bool:
    return False


def _run(leaving: LeavingOut, first_s: int, last_s: int, rates: dict[int, int], is_caller=_nobody) -> None:
    """Let a second pass after the other; a process that is left out makes no call that is counted."""
    for second in range(first_s, last_s + 1):
        for pid, rate in rates.items():
            if pid not in leaving.absent:
                CALLS[pid] = CALLS.get(pid, 0) + rate
        leaving.judge(second, dict(CALLS), is_caller)


CALLS: dict[int, int] = {}


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.clear()


def test_a_busy_process_is_left_out_after_its_sample_and_a_quiet_one_is_not():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 29, {1: BUSY, 2: QUIET})
    assert not leaving.absent
    _run(leaving, 30, 31, {1: BUSY, 2: QUIET})
    assert set(leaving.absent) == {1}
    absence = leaving.absent[1]
    assert (absence.reason, absence.calls_per_s, absence.look_s) == (Reason.BACKOFF, BUSY, 90.0)


def test_pauses_grow_up_to_the_longest():
    leaving = LeavingOut(PATIENCE)
    pauses = []
    for second in range(2000):
        before = 1 in leaving.absent
        _run(leaving, second, second, {1: BUSY})
        if not before and 1 in leaving.absent:
            pauses.append(leaving.absent[1].pause_s)
    assert pauses[:5] == [60, 120, 200, 200, 200]


def test_a_further_look_is_short():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 90, {1: BUSY})
    assert not leaving.absent
    _run(leaving, 91, 92, {1: BUSY})
    assert set(leaving.absent) == {1}


def test_a_process_that_became_quiet_is_watched_like_a_new_one():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 90, {1: BUSY})
    _run(leaving, 91, 200, {1: QUIET})
    assert not leaving.absent
    _run(leaving, 201, 262, {1: BUSY})
    assert leaving.absent[1].pause_s == PATIENCE.first_pause_s


def test_who_calls_a_model_is_never_left_out():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 500, {1: BUSY}, is_caller=lambda pid: pid == 1)
    assert not leaving.absent


def test_who_calls_a_model_in_a_later_look_stays():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 90, {1: BUSY})
    _run(leaving, 91, 1000, {1: BUSY}, is_caller=lambda pid: pid == 1)
    assert not leaving.absent


def test_one_that_opens_a_connection_to_a_provider_is_let_in_for_a_whole_sample():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 40, {1: BUSY})
    leaving.include(1, 40.0, CALLS[1])
    assert not leaving.absent
    _run(leaving, 41, 69, {1: BUSY})
    assert not leaving.absent
    _run(leaving, 70, 72, {1: BUSY})
    assert leaving.absent[1].pause_s == 120.0


def test_an_excluded_process_stays_out_whatever_it_does():
    leaving = LeavingOut(PATIENCE)
    assert leaving.exclude(1, 5.0)
    leaving.include(1, 6.0)
    _run(leaving, 7, 1000, {1: QUIET}, is_caller=lambda _pid: True)
    assert (leaving.absent[1].reason, leaving.absent[1].look_s) == (Reason.EXCLUDE, None)


def test_a_copy_is_as_its_parent_until_it_runs_another_program():
    leaving = LeavingOut(PATIENCE)
    _run(leaving, 0, 40, {1: BUSY})
    leaving.inherit(2, 1)
    leaving.inherit(3, 99)
    assert set(leaving.absent) == {1, 2}
    leaving.forget(2)
    assert set(leaving.absent) == {1}


def test_the_table_of_the_absent_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_LEFT_OUT", 2)
    leaving = LeavingOut(PATIENCE)
    assert leaving.exclude(1, 0.0)
    _run(leaving, 0, 40, {2: BUSY, 3: BUSY, 4: BUSY})
    assert len(leaving.absent) == 2
    assert not leaving.exclude(9, 41.0)
    assert leaving.exclude(1, 41.0)


def test_a_count_that_begins_anew_begins_a_sample_anew():
    """The kernel keeps the counts of so many processes only; the pid may be another process by now."""
    leaving = LeavingOut(PATIENCE)
    leaving.judge(0.0, {1: 900_000}, _nobody)
    leaving.judge(31.0, {1: 64}, _nobody)
    leaving.judge(32.0, {1: 900_000}, _nobody)
    assert not leaving.absent


def test_time_left_out_is_summed_by_reason():
    leaving = LeavingOut(PATIENCE)
    leaving.exclude(7, 0.0)
    leaving.exclude(8, 0.0)
    leaving.judge(0.0, {}, _nobody)
    leaving.judge(10.0, {}, _nobody)
    assert leaving.spent_s() == {Reason.EXCLUDE: 20.0, Reason.BACKOFF: 0.0}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 100_000), st.floats(0.1, 500.0)), max_size=200))
def test_what_is_kept_is_bounded_by_who_is_counted(steps):
    leaving, calls, now_s = LeavingOut(PATIENCE), {}, 0.0
    for pid, count, pause_s in steps:
        now_s += pause_s
        calls[pid] = calls.get(pid, 0) + count
        leaving.judge(now_s, calls, _nobody)
        assert leaving.absent.keys() <= calls.keys()
    leaving.judge(now_s + 4000, {}, _nobody)
    leaving.judge(now_s + 8000, {}, _nobody)
    assert not leaving.absent
