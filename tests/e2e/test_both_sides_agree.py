"""The trial's own ground truth: byte servers and clients tell the same story before an exporter is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import verdict
from tests.e2e.answers import chat
from tests.e2e.lab import Lab, laboratory
from tests.e2e.scenarios import MIX, mix
from tests.e2e.streams import Planned, drive, plan
from tests.e2e.taps import Flight

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with laboratory(tmp_path) as made:
        yield made


def _story(lab: Lab, item: Planned, flights: list[Flight]) -> str | None:
    """What does not fit between both sides of one stream; None: all does."""
    for number, answer in enumerate(item.scenario.attempts):
        served = lab.served(item.job.model, number, 5)
        if served is None:
            return "the server was never asked"
        sent = sum(size for _, size in served.flight.reads)
        mine = flights[number] if number < len(flights) else None
        if item.scenario.leave_at is None and sent != len(answer.data):
            return f"the server sent {sent} of {len(answer.data)} bytes"
        if mine is None:
            continue
        seen = verdict.expected(answer, "client", tls=item.job.tls, flight=mine, leaves=False).events
        if item.scenario.leave_at is None and seen != len(answer.marks):
            return f"the client saw {seen} of {len(answer.marks)} events"
        if mine.start_s > served.flight.start_s:
            return "the server read before the client wrote"
    return None


def test_both_sides_agree_on_every_scenario(lab: Lab) -> None:
    rng = random.Random(23)
    planned = plan(lab, rng, mix(rng, 150), "self")
    results = drive(planned)
    missing = [item.scenario.name for item in planned if item.job.model not in results]
    assert not missing
    stories = {item.job.model: _story(lab, item, results[item.job.model].flights) for item in planned}
    assert {model: story for model, story in stories.items() if story} == {}


def test_mix_holds_every_scenario() -> None:
    names = {scenario.name for scenario in mix(random.Random(1), 1000)}
    assert len(names) >= len(MIX)


def test_instants_follow_the_offsets_of_the_script() -> None:
    answer = chat(3)
    first, second, third = (mark.at for mark in answer.marks)
    reads = [(1.1, first - 1), (1.2, 1), (1.5, second - first), (1.9, third - second), (2.0, 99)]
    told = verdict.times_of(answer, Flight(1.0, reads))
    assert told["first_byte_s"] == pytest.approx(0.1)
    assert told["first_token_s"] == pytest.approx(0.2)
    assert told["last_token_s"] == pytest.approx(0.9)
    assert told["max_gap_s"] == pytest.approx(0.4)
