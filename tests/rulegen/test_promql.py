from __future__ import annotations

from decimal import Decimal

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_rulegen import promql
from llmslo_rulegen.slo import Matcher, Op

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(TEXT)
def test_a_string_is_read_back_as_it_was(text):
    tree = promql_parser.parse(promql.selector("m", [Matcher("a", Op.EQUAL, text)]))
    assert tree.matchers.matchers[0].value == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "5m"),
        (5400, "1h30m"),
        (2_592_000, "30d"),
        (2_591_999.999, "29d23h59m59s999ms"),
        (0.5, "500ms"),
        (45, "45s"),
    ],
)
def test_durations(seconds, text):
    assert promql.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("0.0010"), "0.001"), (14.4, "14.4"), (1e-7, "0.0000001"), (Decimal(10), "10"), (2.0, "2")],
)
def test_numbers_have_no_noise_and_no_exponent(value, text):
    assert promql.number(value) == text


@pytest.mark.parametrize(
    ("edge", "matcher"), [(2.0, 'le=~"2(\\\\.0)?"'), (0.25, 'le="0.25"'), (10, 'le=~"10(\\\\.0)?"')]
)
def test_an_edge_is_found_as_prometheus_2_and_as_3_writes_it(edge, matcher):
    assert promql.matcher(promql.upper_edge(edge)) == matcher


def test_a_list_is_written_the_shorter_way():
    known = ("ok", "bad", "a.b")
    assert promql.any_of("x", ("ok", "bad"), known) == Matcher("x", Op.NOT_EQUAL, "a.b")
    assert promql.any_of("x", ("ok", "a.b")) == Matcher("x", Op.MATCH, r"ok|a\.b")
    assert promql.any_of("x", ("ok",), known) == Matcher("x", Op.EQUAL, "ok")


def test_a_subquery_has_as_many_points_as_were_asked_for():
    assert promql.points("m", 720, 3600) == "m[29d23h59m59s999ms:1h]"


def test_what_is_no_promql_does_not_parse():
    promql.parses("sum(rate(m[5m]))")
    with pytest.raises(ValueError, match=r"."):
        promql.parses("sum(rate(m))")


@pytest.mark.parametrize(
    ("name", "matchers", "expected"),
    [
        ("http_requests:sum", (), "http_requests:sum"),
        ("http.requests", (), '{"http.requests"}'),
        ("http.requests", (("a.b", "x"), ("job", "y")), '{"http.requests","a.b"="x",job="y"}'),
        ("up", (("größe", 'a"b'),), 'up{"größe"="a\\"b"}'),
    ],
)
def test_names_that_need_quotes_stand_in_them(name, matchers, expected):
    text = promql.selector(name, [Matcher(label, Op.EQUAL, value) for label, value in matchers])
    assert text == expected
    promql.parses(text)
