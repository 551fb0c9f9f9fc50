"""Kinds of events: each must count in bad and in total as often as it should."""

from __future__ import annotations

import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import kinds as made
from llmslo_rulegen.kinds import Kind, Part, Series, Term
from llmslo_rulegen.slo import Matcher, Op
from llmslo_rulegen.subjects import groups
from tests.rules.examples import promise

JOB = Matcher("job", Op.EQUAL, "x")
FAILED = Matcher("code", Op.MATCH, "5..|429")


def takes(term: Term, series: Series) -> bool:
    labels = dict(series.labels)
    return all(
        {"=": value == m.value, "!=": value != m.value}.get(m.op.value, value in m.value.split("|"))
        for m in term.matchers
        for value in [labels.get(m.label, "")]
    )


def counted(terms: list[Term], kind: Kind) -> float:
    """What one event adds to a sum of terms, straight from the series."""
    names = {Part.EVENTS: "", Part.COUNT: "_count", Part.WITHIN: "_bucket"}
    sum_ = 0.0
    for term in terms:
        for series, amount in kind.adds:
            edge = dict(series.labels).get("le")
            counts = series.name == term.metric + names[term.part] and takes(term, series)
            if counts and (term.part is not Part.WITHIN or edge == f"{term.edges[1]:g}"):
                sum_ += term.weight * amount
    return sum_


def test_each_alternative_is_a_kind_and_each_lost_matcher_shows():
    bad = [Term("http", (JOB, Matcher("code", Op.MATCH, "500|429")))]
    total = [Term("http", (JOB,))]
    found = made.kinds(bad, total, {}, ())
    codes = {dict(series.labels)["code"] for kind in found.bad for series, _ in kind.adds}
    assert codes == {"500", "429"}
    assert all(counted(bad, kind) == 0 and counted(total, kind) == 1 for kind in found.good)
    assert any(dict(series.labels)["job"] != "x" for kind in found.ignored for series, _ in kind.adds)
    assert all(counted(total, kind) == 0 for kind in found.ignored)


def test_bad_and_total_of_two_metrics_move_together():
    bad, total = [Term("errors")], [Term("requests", (JOB,))]
    found = made.kinds(bad, total, {}, ())
    assert [(counted(bad, kind), counted(total, kind)) for kind in found.bad] == [(1, 1)]
    assert [(counted(bad, kind), counted(total, kind)) for kind in found.good] == [(0, 1)]


def test_observations_stand_on_both_sides_of_the_threshold_and_of_its_neighbours():
    within = Term("rpc", (), -1.0, Part.WITHIN, (1.0, 2.0, 3.0))
    bad, total = [Term("rpc", (), 1.0, Part.COUNT, (1.0, 2.0, 3.0)), within], [Term("rpc", (), 1.0, Part.COUNT)]
    found = made.kinds(bad, total, {}, ())
    assert all((counted(bad, kind), counted(total, kind)) == (1, 1) for kind in found.bad)
    assert all((counted(bad, kind), counted(total, kind)) == (0, 1) for kind in found.good)
    wrong = [total[0], Term("rpc", (), -1.0, Part.WITHIN, (2.0, 3.0, 4.0))]
    assert {counted(wrong, kind) for kind in found.bad} == {0.0, 1.0}, "le=3 would call half of the bad ones good"


@pytest.mark.parametrize("source", catalog.SOURCES, ids=lambda source: source.name)
def test_every_sli_of_the_catalog_has_good_and_bad_events(source):
    for sli in source.slis:
        for _, found in groups(promise(source.name, sli.name)):
            assert found.good, sli.name
            assert found.bad, sli.name
