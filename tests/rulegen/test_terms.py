"""Own SLIs as sums of selectors."""

from __future__ import annotations

import pytest

from llmslo_rulegen import terms
from llmslo_rulegen.kinds import Part
from llmslo_rulegen.slo import EventFunction, EventsSli, HistogramSli

TOTAL = "sum(rate(http_requests_total[{{window}}]))"


def weights(found):
    return {(term.metric, tuple((m.label, m.op.value, m.value) for m in term.matchers)): term.weight for term in found}


def test_signs_and_factors_reach_the_selectors():
    found = terms.linear("2 * (sum(rate(a[{{window}}])) - sum by (x) (rate(b{c!='d'}[{{window}}]))) / 4")
    assert weights(found) == {("a", ()): 0.5, ("b", (("c", "!=", "d"),)): -0.5}


def test_a_fallback_of_nothing_counts_nothing():
    assert weights(terms.linear("sum(increase(a[{{window}}])) or vector(0)")) == {("a", ()): 1.0}


def test_good_is_taken_off_total():
    good = 'sum(rate(http_requests_total{code="200"}[{{window}}]))'
    bad, total = terms.of_events(EventsSli(TOTAL, EventFunction.RATE, good=good))
    assert [term.weight for term in bad] == [1.0, -1]
    assert [term.weight for term in total] == [1.0]


def test_a_histogram_is_bad_above_its_threshold():
    bad, total = terms.of_histogram(HistogramSli('rpc_seconds{job="x"}', 0.5))
    assert (bad[0].part, bad[0].edges[1], total[0].part) == (Part.ABOVE, 0.5, Part.COUNT)


@pytest.mark.parametrize(
    "text",
    [
        "max(rate(a[{{window}}]))",
        "sum(rate(a[{{window}}])) / sum(rate(b[{{window}}]))",
        "sum(rate(a[{{window}}] offset 1h))",
        "sum(count_over_time(a[{{window}}]))",
        "sum(rate({job='x'}[{{window}}]))",
        "sum(rate(a[{{window}}]) * on(x) b)",
    ],
)
def test_what_is_no_sum_of_counters_is_refused(text):
    with pytest.raises(terms.NotLinearError):
        terms.linear(text)
