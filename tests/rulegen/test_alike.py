"""Tests that are made by shape are those that are made of the SLO itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmslo_rulegen import rendering, unit_tests
from llmslo_rulegen.alike import alike
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.slo import CatalogSli, Matcher, Op
from llmslo_rulegen.yaml_text import dump
from tests.rules.examples import AVAILABILITY, EXAMPLES, own

ODD = 'it\'s "odd": {{ $labels.x }}\n  # on two lines\t\\ ü ☃ \u2028'
PRIVATE = "\ue000\ue003\ue010"


def rendered(slo):
    """Return the test files of one SLO as they are rendered, without their headers."""
    files = rendering.files([slo], Options("1.0"))
    return {each.path: "".join(list(each.chunks)[1:]) for each in files if each.path.startswith("tests/")}


def expected(slo):
    if unit_tests.skipped(slo) is not None:
        return {}
    count = sum(len(group.rules) for group in groups(slo))
    made = unit_tests.test_files(slo, f"../{rendering.rule_path(slo.service)}", rules_in_file=count)
    return {path: dump(data) for path, data in zip(rendering.test_paths(slo), made, strict=True)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_tests_of_every_kind_of_slo_are_its_own(name):
    assert rendered(EXAMPLES[name]) == expected(EXAMPLES[name])


@pytest.mark.parametrize(
    "slo",
    [
        replace(AVAILABILITY, description=ODD, labels=(("team", ODD), ("owner", PRIVATE))),
        replace(AVAILABILITY, description=ODD, labels=(("team", 'a "b" \\ c'),)),
        replace(AVAILABILITY, runbook_url="https://a.b/{{ $labels.model }}/", group_by=("model",)),
        replace(AVAILABILITY, runbook_url="https://a.b/", dashboard_url="https://c.d/{{ $value }}"),
        replace(AVAILABILITY, alerting=replace(AVAILABILITY.alerting, labels=(("team", "{{ $labels.model }}"),))),
        replace(AVAILABILITY, service="1.0", name="null"),
    ],
)
def test_whatever_text_an_slo_has_is_in_its_tests(slo):
    assert rendered(slo) == expected(slo)


SELECTED = (
    [("role", Op.EQUAL, "server")],  # a closed list
    [("namespace", Op.EQUAL, "chat")],
    [("namespace", Op.EQUAL, "something-else")],  # what test input takes for a stranger
    [("namespace", Op.EQUAL, "1")],
    [("namespace", Op.EQUAL, 'it"s \\ odd')],
    [("namespace", Op.EQUAL, "a|b"), ("workload", Op.EQUAL, "a|b")],
    [("namespace", Op.MATCH, "a|b")],
    [("namespace", Op.MATCH, "a|b"), ("namespace", Op.NOT_EQUAL, "b")],
    [("namespace", Op.EQUAL, "a"), ("namespace", Op.MATCH, "a.*")],
    [("namespace", Op.NO_MATCH, "a.*")],
)


@pytest.mark.parametrize("select", SELECTED)
@pytest.mark.parametrize("group_by", [(), ("namespace",)])
def test_what_is_selected_decides_what_the_tests_count(select, group_by):
    sli = CatalogSli("availability", "llmslo", tuple(Matcher(*each) for each in select))
    slo = replace(AVAILABILITY, sli=sli, group_by=group_by)
    assert rendered(slo) == expected(slo)


@pytest.mark.parametrize(
    ("bad", "total"),
    [
        ('{job="a",code="500"}', '{job="a"}'),
        ('{job="a",code="500"}', '{job="a",code!="404"}'),
        ('{job="a",code="500"}', '{job="a",code=~"500|200"}'),
        ('{job="a",code="1"}', '{job="a"}'),
        ('{code="500",le="2"}', '{le="2"}'),
        ('{job="a",code = "500"}', "{job='a'}"),
        ('{job="a",job="a",code="x"}', '{job="a"}'),
    ],
)
def test_what_own_expressions_compare_decides_what_the_tests_count(bad, total):
    sli = own(*(f"sum(rate(calls_total{each}[{{{{window}}}}]))" for each in (bad, total)))
    slo = replace(AVAILABILITY, sli=sli)
    assert expected(slo)
    assert rendered(slo) == expected(slo)


def test_slos_of_two_services_have_tests_of_one_shape():
    def of(service, namespace):
        return replace(
            AVAILABILITY,
            service=service,
            name=f"{service}-calls",
            sli=CatalogSli("availability", "llmslo", (Matcher("namespace", Op.EQUAL, namespace),)),
            runbook_url=f"https://{service}.example/",
        )

    one, two = of("chat", "a"), of("shop", "b")
    assert alike(one).common == alike(two).common
    assert alike(of("shop", "1")).common != alike(one).common
