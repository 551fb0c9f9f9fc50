from __future__ import annotations

import pytest

from llmslo_rulegen import templates
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.slo import EventFunction


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ('sum(rate(a{code=~"5.."}[{{window}}]))', EventFunction.RATE),
        (
            "sum by (x) (increase(a[{{window}}])) - sum by (x) (increase(b[{{window}}] offset 1m))",
            EventFunction.INCREASE,
        ),
        ("count_over_time(up[{{window}}])", EventFunction.COUNT_OVER_TIME),
        ("count_over_time((up == 0)[{{window}}:1m])", EventFunction.COUNT_OVER_TIME),
        ("sum(rate(a[{{window}}])) * 2 > 0", EventFunction.RATE),
        ("sum(rate(a[{{window}}])) or 0 * sum(rate(b[{{window}}]))", EventFunction.RATE),
        ("sum(histogram_count(rate(a[{{window}}])))", EventFunction.RATE),
        ('sum(rate(a{b="#"}[{{window}}]))', EventFunction.RATE),
    ],
)
def test_a_template_is_told_by_the_function_in_it(text, function):
    assert templates.template(text) == (text, function)


def test_the_window_may_be_written_as_sloth_writes_it():
    assert templates.template(" rate(a[{{ .window }}])\n")[0] == "rate(a[{{window}}])"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the expression is empty"),
        ("sum(rate(a[{{window}}])", "this is not PromQL: unclosed left parenthesis"),
        ("sum(a)", "found it 0 times for 0 ranges"),
        ("rate(a[5m])", r"the range \[5m\] is fixed"),
        ("rate(a[{{window}}]) + rate(b[5m])", r"the range \[5m\] is fixed"),
        ('rate(a{b="{{window}}"}[{{window}}])', "found it 2 times for 1 ranges"),
        ("rate(a[{{window}}] offset {{window}})", "looks at other times in each window"),
        ("rate(a[{{window}}] @ 1600000000)", "@ pins a selector"),
        ('rate(a{b="c" or d="e"}[{{window}}])', "known to VictoriaMetrics only"),
        ("irate(a[{{window}}])", "irate does not count events"),
        ("delta(a[{{window}}])", "delta does not count events"),
        ("max_over_time(a[{{window}}])", "max_over_time does not count events"),
        ("rate(a[{{window}}]) + increase(b[{{window}}])", "increase and rate are mixed"),
        ("rate(a[{{window}}]) / rate(b[{{window}}])", "a quotient or a product"),
        ("rate(a[{{window}}]) * rate(b[{{window}}])", "a quotient or a product"),
        ("1 - rate(a[{{window}}])", "`-` joins a count of events with what is none"),
        ("rate(a[{{window}}]) > bool 0", "a quotient or a product"),
        ("count(rate(a[{{window}}]))", "count does not keep a count of events"),
        ("ln(rate(a[{{window}}]))", "ln does not keep a count of events"),
        ("rate(a[{{window}}]) ^ 2", r"`\^` does not keep a count of events"),
        ("rate(a[{{window}}:1m])", "rate of a subquery misses resets"),
        ("count_over_time((a == 0)[{{window}}:])", "a subquery needs a fixed step"),
        ("rate(a[{{window}}]) # comment", "a comment would swallow what follows"),
        ("a" * 10_001, "has 10001 characters, at most 10000 are read"),
        ("(" * 401 + "a" + ")" * 401, "more than 400 operators and parentheses"),
        ("a" + "+a" * 401, "more than 400 operators and parentheses"),
        ("-" * 401 + "a", "more than 400 operators and parentheses"),
    ],
)
def test_what_would_count_wrongly_is_refused(text, message):
    with pytest.raises(ExpressionError, match=message):
        templates.template(text)


@pytest.mark.parametrize("text", ["up", "up == 1", "avg_over_time(a[5m]) < bool 3", "1 - avg(a)", "vector(1)"])
def test_an_instant_vector_is_sliced_by_time(text):
    assert templates.instant(f"{text} ") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("up[5m]", "no instant vector"),
        ("1", "no instant vector"),
        ('"a"', "no instant vector"),
        ("a[{{window}}]", "no place"),
    ],
)
def test_what_has_no_value_in_a_moment_is_refused(text, message):
    with pytest.raises(ExpressionError, match=message):
        templates.instant(text)


def test_a_histogram_is_named_by_its_base():
    assert templates.histogram(' latency_seconds{job="a"}') == 'latency_seconds{job="a"}'
    for text, message in [
        ("latency_seconds_bucket", "write latency_seconds"),
        ('a{le="1"}', "`le` is set by the threshold"),
        ("rate(a[5m])", "this is no selector"),
        ("a offset 5m", "this is no selector"),
        ('{job="a"}', "this is no selector"),
    ]:
        with pytest.raises(ExpressionError, match=message):
            templates.histogram(text)


@pytest.mark.parametrize(
    "text", ["gpt-4o.*", "a|b", "(?i)abc", r"\d+\.\d", "[*+]?", "a{1000}", 'say "hi"', r"a\*+", "(?P<x>a)"]
)
def test_regular_expressions_of_re2_are_taken(text):
    assert templates.regex(text) == text


@pytest.mark.parametrize("text", ["", "(", "[a", "*", "(?=a)", r"(a)\1", "a{1001}", "a++", "(?<x>a)", "a**", "(?!a)b"])
def test_what_prometheus_would_not_take_is_refused(text):
    with pytest.raises(ExpressionError):
        templates.regex(text)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("sum(rate(a[{{window}}]))", frozenset()),
        ("(sum by (x, y) (rate(a[{{window}}])))", frozenset({"x", "y"})),
        ("sum without (x) (rate(a[{{window}}]))", None),
        ("rate(a[{{window}}])", None),
    ],
)
def test_it_is_known_which_labels_a_template_keeps(text, labels):
    assert templates.grouping(text) == labels


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("max(queue) < 100", "max(queue) < bool 100"),
        ("(100 >= max by (a) (queue))", "100 >= bool max by (a) (queue)"),
        ("a - b > c / 2", "(a - b) > bool (c / 2)"),
        ('up{a="x\\\\.y"} == 1', 'up{a="x\\\\.y"} == bool 1'),
        ("a > bool 3", "a > bool 3"),
        ("a == on (x) b", "a == on (x) b"),
        ("up", "up"),
        ("a < 1 and b", "a < 1 and b"),
    ],
)
def test_a_comparison_says_0_or_1_instead_of_leaving_series_out(text, judged):
    assert templates.condition(text) == judged
    templates.parse(judged)
