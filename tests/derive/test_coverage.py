"""The trial of coverage in small; `python -m tests.derive.coverage` is the whole."""

from __future__ import annotations

import pytest

from tests.derive import coverage, worlds

STEADY = ("steady", "heavy tails", "weekday cycle", "few calls", "outages now and then", "mixed models")
CHANGING = ("step", "step, just now", "drift")


def _named(names):
    return [world for world in worlds.WORLDS if world.name in names]


@pytest.mark.timeout(300)
def test_intervals_hold_the_truth_and_proposals_the_next_month(monkeypatch):
    monkeypatch.setattr("tests.derive.trial.TRUTH_H", 1000 * 24)
    found = coverage.score([one for world in _named(STEADY) for one in coverage.of_world(world, 6)])
    assert found.intervals >= 70
    assert 0.88 <= found.coverage <= 1  # of 78 intervals: the goal of 92 to 98 % is the whole trial's
    assert found.holds >= 0.95
    assert found.times <= 4
    assert found.naive_holds < 0.8  # else the worlds would be too easy


def test_worlds_whose_law_changes_are_warned_of_or_refused():
    found = coverage.score([one for world in _named(CHANGING) for one in coverage.of_world(world, 4)])
    assert found.warned >= 0.75


def test_there_are_worlds_of_every_sort():
    assert sum(not world.changes for world in worlds.WORLDS) >= 20
    assert sum(world.changes for world in worlds.WORLDS) >= 4
    assert len({world.name for world in worlds.WORLDS}) == len(worlds.WORLDS)
