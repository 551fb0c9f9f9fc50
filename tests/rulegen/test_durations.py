from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_rulegen import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", "0.5"),
        ("0.5s", "0.5"),
        ("90s", "90"),
        ("1h30m", "5400"),
        ("1.5h", "5400"),
        ("30d", "2592000"),
        ("4w", "2419200"),
        ("1y", "31536000"),
        ("1d1h1m1s1ms", "90061.001"),
    ],
)
def test_a_duration_is_exact_seconds(text, seconds):
    assert durations.parse(text) == Decimal(seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "d", "30D", "-5m", "5m1h", "5m5m", "1h 30m", "5 m", "1e3s", "\u0665m", "9" * 99 + "d"]
)
def test_what_is_no_duration_is_none(text):
    assert durations.parse(text) is None


@given(st.integers(0, 10**9))
def test_what_is_shown_reads_back(milliseconds):
    seconds = Decimal(milliseconds) / 1000
    assert durations.parse(durations.show(seconds)) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (0.45, "450ms"), (1.5, "1.5s"), (60, "1m"), (5400, "1h30m")])
def test_show_takes_the_largest_units(seconds, text):
    assert durations.show(seconds) == text
