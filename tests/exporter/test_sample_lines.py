from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.utils import floatToGoString

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Label, Limits, Metric, MetricType
from llmslo_exporter.sample_lines import Lines, escaped, number
from llmslo_exporter.series import Distribution, Number, Reading, Store, Update
from tests.exporter.library_page import OPENMETRICS, families, page

ODD = ['quote"d', "back\\slash", "two\nlines", "per%cent %s %%", "snow☃man", "\u2028", "", "\0", "{a=b}", "\\n", "\\"]
VALUES = [
    0.0,
    -0.0,
    1.0,
    0.1,
    1e-9,
    999_999.0,
    999_999.9,
    1e6,
    1_000_000.5,
    1_234_567.891,
    1e15,
    1e16,
    1.5e16,
    1e300,
    -2.5e7,
]
FLOATS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**20), 10**20).map(float)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(ODD)
PAIR = (Label("alpha", ""), Label("zeta", ""))  # the one sorts before `le`, the other behind it
OWN = (Label("kind", ""), Label("omega", ""))


def odd(kind, *, unit="", buckets=()):
    name = "llm_odd_total" if kind is MetricType.COUNTER else "llm_odd"
    return Metric(f"{name}{unit and '_' + unit}", kind, 'What "is"\nodd \\ here.', unit, PAIR, OWN, buckets)


ODDS = (
    odd(MetricType.COUNTER),
    odd(MetricType.GAUGE, unit="seconds"),
    odd(MetricType.HISTOGRAM, unit="ratio", buckets=(0.5, 1, 2.5, 1e7)),
)


@pytest.mark.parametrize("value", [*VALUES, math.nan, math.inf, -math.inf])
def test_numbers_are_written_as_the_library_does(value):
    assert number(value) == floatToGoString(value)


@given(FLOATS)
@settings(deadline=None)
def test_any_number_is_written_as_the_library_does(value):
    assert number(value) == floatToGoString(value)


@pytest.mark.parametrize("text", ODD)
def test_label_values_are_escaped_as_the_library_does(text):
    family = GaugeMetricFamily("m", "", labels=["a"])
    family.add_metric([text], 0)
    assert f'm{{a="{escaped(text)}"}} 0.0\n'.encode() in page([family])
    assert f'm{{a="{escaped(text)}"}} 0.0\n'.encode() in page([family], OPENMETRICS)


def samples(text):
    """The lines of a page that are no head."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"# "))


def states(metric):
    if metric.is_histogram:
        counts = st.lists(st.integers(0, 10**7), min_size=len(metric.buckets) + 1, max_size=len(metric.buckets) + 1)
        return st.builds(Distribution, counts, FLOATS)
    return st.builds(Number, FLOATS)


@given(st.data(), st.sampled_from(ODDS), st.tuples(TEXTS, TEXTS))
@settings(deadline=None, max_examples=300)
def test_lines_of_odd_series_are_the_librarys(data, metric, shared):
    drawn = data.draw(st.dictionaries(st.tuples(TEXTS, TEXTS), states(metric), max_size=4))
    written = Lines(ODDS)(shared, {(metric.name, extra): state for extra, state in drawn.items()})
    readings = [
        Reading(shared + extra, state if isinstance(state, Distribution) else state.value)
        for extra, state in drawn.items()
    ]
    # Not splitlines() on the library's page: values hold other separators.
    for accept in ("", OPENMETRICS):
        head = page(families([metric], {metric.name: []}), accept).removesuffix(b"# EOF\n")
        whole = page(families([metric], {metric.name: readings}), accept)
        assert head + written.get(metric.name, b"") == whole.removesuffix(b"# EOF\n")


def test_a_metric_without_labels():
    bare = replace(ODDS[2], shared=(), extra=())
    state = Distribution([1, 2, 3, 4, 5], 6.5)
    whole = page(families([bare], {bare.name: [Reading((), state)]}))
    assert Lines((bare,))((), {(bare.name, ()): state})[bare.name] == samples(whole)


def test_a_surrogate_takes_no_other_line_along():
    lines = Lines(ODDS)(("\ud800", "b"), {(ODDS[0].name, ("c", "d")): Number(1.0)})
    assert lines[ODDS[0].name] == b'llm_odd_total{alpha="?",kind="c",omega="d",zeta="b"} 1.0\n'


SHARED = st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(catalog.OPERATIONS), st.sampled_from(catalog.ROLES))
STEPS = st.sampled_from(
    [
        Update(catalog.REQUESTS, ("ok", "false")),
        Update(catalog.REQUESTS, ("ok", "false"), 1e6),
        Update(catalog.TOKENS, ("output", "usage"), 41),
        Update(catalog.DURATION, ("true",), 0.1),
        Update(catalog.DURATION, ("false",), 1e7),
        Update(catalog.TTFT, (), None),
        Update(catalog.RATELIMIT, ("tokens",), 0.25),
        Update(catalog.IN_FLIGHT),
        Update(catalog.OLDEST, ("streaming",), 3),
    ]
)


@given(st.lists(st.tuples(SHARED, st.lists(STEPS, max_size=4)), max_size=6))
@settings(deadline=None)
def test_a_store_is_written_as_the_library_does_after_every_step(steps):
    """Also what was written before, and has not changed since."""
    store, lines = Store(lambda: 0.0, Limits()), Lines(catalog.METRICS)
    traffic = [metric for metric in catalog.METRICS if metric.shared]
    for shared, updates in steps:
        store.apply(shared, updates)
        texts = store.texts(lines)
        readings = store.read()
        for metric in traffic:
            whole = page(families([metric], {metric.name: readings[metric.name]}))
            head = page(families([metric], {metric.name: []}))
            assert head + b"".join(texts[metric.name]) == whole
