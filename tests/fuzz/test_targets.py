"""Any bytes to every parser: by hypothesis, and a short guided run (`python -m tests.fuzz` is the long one)."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import main, shared_out
from tests.fuzz.growth import disproportion
from tests.fuzz.targets import TARGETS

EACH = pytest.mark.parametrize("name", list(TARGETS))


@cache
def seeds(name):
    return list(TARGETS[name].seeds())


@st.composite
def mutated(draw, name):
    """A seed with a part cut out, doubled, or replaced."""
    data = draw(st.sampled_from(seeds(name)))[:4096]
    start, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    words = st.sampled_from(TARGETS[name].words) if TARGETS[name].words else st.nothing()
    middle = draw(st.binary(max_size=8) | words | st.just(data[start:end] * 2))
    return data[:start] + middle + data[end:]


@EACH
def test_seeds_are_read(name):
    for data in seeds(name):
        TARGETS[name].run(data)


@EACH
@given(st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_bytes_are_read(name, data):
    TARGETS[name].run(data.draw(st.binary(max_size=300) | mutated(name)))


@EACH
def test_time_grows_with_the_input(name):
    chosen = (*seeds(name)[:3], max(seeds(name), key=len))
    assert [found for found in (disproportion(TARGETS[name].run, data) for data in chosen) if found] == []


def test_quadratic_time_is_found():
    def quadratic(data):
        for _ in range(0, len(data), 16):
            data.count(b"x")

    assert disproportion(quadratic, b"some text") is not None
    assert disproportion(lambda data: list(data * 20), b"some text") is None


def test_every_target_gets_its_share():
    plan = shared_out(tuple(TARGETS), 10_000_000)
    assert set(plan) == set(TARGETS)
    assert min(plan.values()) > 100_000
    assert sum(plan.values()) >= 10_000_000


@pytest.mark.parametrize("name", ["http1", "reading"])
def test_a_short_guided_run_finds_nothing(name, capsys):
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python")
    assert main(["--only", name, "--inputs", "1500", "--processes", "1", "--seed", "7"]) == 0
    assert "no fault" in capsys.readouterr().out
