"""Parts of the engine against the plainest way to say the same."""

from __future__ import annotations

import math
from calendar import monthrange
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.backtest import functions
from llmslo_rulegen.backtest.evaluation import Evaluation
from llmslo_rulegen.backtest.expression import parse
from llmslo_rulegen.backtest.memory import NONE, Answers, remembered
from llmslo_rulegen.backtest.over_time import Ranges, over_time
from llmslo_rulegen.backtest.points import Dialect, Points, Sight, recorded
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Element, labels

many = settings(deadline=None, max_examples=150)
samples = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 50)), max_size=25, unique_by=lambda pair: pair[0])
dialects = st.sampled_from(Dialect)


def _points(pairs):
    pairs = sorted(pairs)
    at_ms = np.array([at_s * 1000 for at_s, _ in pairs], np.int64)
    return Points(at_ms, np.array([value for _, value in pairs], np.float64))


def _plain(function, inside):
    """Return what a function gives of one range's values; None: nothing."""
    if not inside:
        return None
    return {
        "last_over_time": lambda: inside[-1],
        "min_over_time": lambda: min(inside),
        "max_over_time": lambda: max(inside),
        "sum_over_time": lambda: math.fsum(inside),
        "avg_over_time": lambda: math.fsum(inside) / len(inside),
        "count_over_time": lambda: len(inside),
        "present_over_time": lambda: 1,
        "resets": lambda: sum(now < before for before, now in pairwise(inside)),
        "changes": lambda: sum(now != before for before, now in pairwise(inside)),
    }[function]()


PLAIN = [
    *("last_over_time", "min_over_time", "max_over_time", "sum_over_time", "avg_over_time"),
    *("count_over_time", "present_over_time", "resets", "changes"),
]


@many
@given(samples, st.lists(st.integers(0, 700), min_size=1), st.integers(1, 300), st.integers(0, 100), dialects)
def test_functions_of_ranges(pairs, asked_s, range_s, offset_s, dialect):
    points, instants = _points(pairs), np.array(sorted(asked_s), np.int64) * 1000
    places = Sight(instants, dialect).within(points, range_s * 1000, offset_s * 1000)
    ranges = Ranges(*places, instants - offset_s * 1000, range_s * 1000)
    for function in PLAIN:
        values, present = over_time(function, points, ranges, dialect)
        for place, at_ms in enumerate(instants.tolist()):
            end_s = at_ms / 1000 - offset_s
            begin_s = end_s - range_s
            begin_s += 0 if dialect is Dialect.V2 else 0.001
            expected = _plain(function, [float(value) for at_s, value in sorted(pairs) if begin_s <= at_s <= end_s])
            found = values[place] if present[place] else None
            assert found == (None if expected is None else pytest.approx(expected)), function


@many
@given(st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=20, unique_by=lambda pair: pair[0]), dialects)
def test_an_instant_sees_the_newest_sample_that_is_neither_old_nor_ended(pairs, dialect):
    pairs = sorted(pairs)
    there = np.array([at_s * 1000 for at_s, ends in pairs if not ends], np.int64)
    ended = np.array([at_s * 1000 for at_s, ends in pairs if ends], np.int64)
    points = Points(there, there / 1000.0, ended)
    instants = np.arange(0, 1500, 7, dtype=np.int64) * 1000
    values, present = Sight(instants, dialect).newest(points, 0)
    for place, at_ms in enumerate(instants.tolist()):
        before = [(at_s, ends) for at_s, ends in pairs if at_s * 1000 <= at_ms]
        oldest = at_ms / 1000 - 300
        oldest += 0 if dialect is Dialect.V2 else 0.001
        seen = bool(before) and not before[-1][1] and before[-1][0] >= oldest
        assert bool(present[place]) is seen
        if seen:
            assert values[place] == before[-1][0]


codes = st.integers(-1, 1)


@many
@given(st.lists(st.tuples(codes, codes, codes), min_size=1, max_size=60), st.integers(1, 6), dialects)
def test_a_walk_over_what_is_uncertain_is_a_walk_over_all(rows, reach, dialect):
    zero, one, nothing = (np.array(column, np.int8) for column in zip(*rows, strict=True))
    instants = np.arange(len(rows), dtype=np.int64) * 60_000
    answers = Answers(_element(nothing), (_element(zero), _element(one)))
    found = remembered(answers, instants, reach * 60_000, dialect)
    state, since, expected = NONE, 0, []
    for place, row in enumerate(rows):
        age = (place - since) * 60_000
        is_seen = state != NONE and (age <= reach * 60_000 if dialect is Dialect.V2 else age < reach * 60_000)
        code = row[2] if not is_seen else row[state]
        expected.append(code)
        if code != NONE:
            state, since = code, place
    assert [int(value) if there else NONE for value, there in zip(found.values, found.present, strict=True)] == expected


def _element(found):
    return Element(found.astype(np.float64), found != NONE)


@many
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_record_is_there_exactly_where_it_had_a_value(present):
    grid = np.arange(len(present), dtype=np.int64) * 60_000
    there = np.array(present)
    points = recorded(grid, np.arange(len(present), dtype=np.float64), there)
    values, seen = Sight(grid, Dialect.V2).newest(points, 0)
    assert (seen == there).all()
    assert (values[there] == np.flatnonzero(there)).all()


@many
@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=20))
def test_parts_of_dates_are_those_of_the_calendar(seconds):
    found = {name: functions.calendar(name, np.array(seconds, np.float64)) for name in sorted(functions.CALENDAR)}
    for place, second in enumerate(seconds):
        at = datetime.fromtimestamp(second, UTC)
        told = {name: int(values[place]) for name, values in found.items()}
        assert told == {
            "year": at.year,
            "month": at.month,
            "day_of_month": at.day,
            "days_in_month": monthrange(at.year, at.month)[1],
            "day_of_week": (at.weekday() + 1) % 7,
            "hour": at.hour,
            "minute": at.minute,
        }


def _store(**found):
    at_ms = np.arange(0, 3_600_000, 30_000, dtype=np.int64)
    return Store(
        (labels({NAME: name, **own}.items()), Points(at_ms, values(at_ms / 1000)))
        for name, (own, values) in found.items()
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(a[5m])", {"": 2.0}),
        ("increase(a[5m]) / 300", {"": 2.0}),
        ("delta(a[5m])", {"": 600.0}),
        ("-a offset 10m", {"": -4800.0}),
        ("clamp(a, 10, 20)", {"": 20.0}),
        ("clamp_min(a, 1e9)", {"": 1e9}),
        ("scalar(a) + vector(1)", {"": 6001.0}),
        ("a % 7", {"": 6000.0 % 7}),
        ("a ^ 2", {"": 3.6e7}),
        ("sqrt(a * a)", {"": 6000.0}),
        ("a == bool 6000", {"": 1.0}),
        ("a > 1e9", {}),
        ("absent(a)", {}),
        ('absent(b{x="1"})', {"x=1": 1.0}),
        ("count(a) + avg(a) - max(a) + min(a)", {"": 6001.0}),
        ("group(a)", {"": 1.0}),
        ('label_replace(a, "y", "$1-${1}$$", "__name__", "(.*)")', {"__name__=a y=a-a$": 6000.0}),
        ("a unless on () a", {}),
        ("sum_over_time((a > bool 5000)[10m:1m])", {"": 9.0}),
    ],
)
def test_expressions(expression, expected):
    store = _store(a=({}, lambda at_s: 2 * at_s))
    found = Evaluation(store, np.array([3_000_000], np.int64), Dialect.V3).vector(parse(expression))
    told = {
        " ".join(f"{name}={value}" for name, value in key): element.values[0]
        for key, element in found.items()
        if element.present[0]
    }
    assert told == pytest.approx(expected)


@pytest.mark.parametrize("text", ["a{x=~'('}", "sum(", "rate(a)", "a or"])
def test_what_is_no_promql_is_told(text):
    with pytest.raises(UnsupportedError, match="no PromQL"):
        parse(text)
