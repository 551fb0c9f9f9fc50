"""What is rendered by shape says the same as what is rendered by itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen import rendering, runbook
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.rule import AlertRule
from llmslo_rulegen.shape import HOLE, shape
from llmslo_rulegen.slo import CatalogSli, Matcher, Op
from tests.rules.examples import AVAILABILITY, EXAMPLES, own

OPTIONS = Options("1.0", tests=False)
ODD = 'it\'s "odd": {{ $labels.x }}\n  # on two lines\t\\ ü ☃ \u2028'
NAMES = ("support-bot", "1.0", "true", "null", "0x1f", "2026-01-05", "a.b_c-d")
PRIVATE = "\ue000\ue003\ue010"


def rendered(slo):
    """Return the rules of one SLO as a reader of the file has them."""
    (text,) = ("".join(each.chunks) for each in rendering.files([slo], OPTIONS) if each.path.startswith("rules/"))
    return yaml.safe_load(text)["groups"]


def expected(slo):
    return [{"name": group.name, "rules": list(map(_rule, group.rules))} for group in groups(slo)]


def _rule(rule):
    if isinstance(rule, AlertRule):
        found = {"alert": rule.alert, "expr": rule.expr, "labels": dict(rule.labels)}
        found |= {"for": f"{rule.for_s // 60}m"} if rule.for_s else {}
        return found | {"annotations": dict(rule.annotations)}
    return {"record": rule.record, "expr": rule.expr, "labels": dict(rule.labels)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_kind_of_slo_is_what_its_rules_are(name):
    assert rendered(EXAMPLES[name]) == expected(EXAMPLES[name])


@pytest.mark.parametrize(("service", "name"), [*product(NAMES, NAMES)])
def test_a_name_that_yaml_could_take_for_something_else_stays_a_name(service, name):
    slo = replace(AVAILABILITY, service=service, name=name)
    assert rendered(slo) == expected(slo)


@settings(deadline=None)
@given(st.text() | st.sampled_from([ODD, PRIVATE, "", " ", "'", '"', "a: b", "- x", "{{", "|-\n x"]), st.text())
def test_whatever_text_an_slo_has_is_kept(text, other):
    alerting = replace(AVAILABILITY.alerting, labels=(("team", text),), annotations=(("note", other),))
    slo = replace(
        AVAILABILITY,
        alerting=alerting,
        labels=(("owner", other), ("team", other)),
        description=text,
        runbook_url=text or None,
        dashboard_url=other or None,
        sli=CatalogSli("availability", "llmslo", (Matcher("namespace", Op.EQUAL, text), Matcher("pod", Op.MATCH, "a"))),
    )
    assert rendered(slo) == expected(slo)


@pytest.mark.parametrize("url", ["https://a.b/", "https://a.b/c", "https://a.b//", None])
def test_links_are_kept(url):
    slo = replace(AVAILABILITY, runbook_url=url, dashboard_url=url)
    assert rendered(slo) == expected(slo)


@pytest.mark.parametrize("value", ["job-1", "it's", "a or b", "\\\\d", 'x\\"y', "a: b", PRIVATE, ""])
def test_values_in_expressions_of_a_teams_own_are_kept(value):
    bad, total = (f'sum(rate(calls_total{{job="{value}"{more}}}[{{{{window}}}}]))' for more in (", code='5: x'", ""))
    slo = replace(AVAILABILITY, sli=own(bad, total))
    assert rendered(slo) == expected(slo)


def test_slos_that_differ_in_names_alone_have_one_shape():
    other = replace(
        AVAILABILITY,
        service="other",
        name="another",
        description="",
        labels=(),
        sli=replace(AVAILABILITY.sli, select=(Matcher("role", Op.EQUAL, "server"),)),
    )
    assert shape(replace(AVAILABILITY, description="", labels=())).common == shape(other).common
    assert shape(other).common != shape(replace(other, group_by=("model",))).common


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_hole_is_left(name):
    files = rendering.files([EXAMPLES[name]], OPTIONS)
    assert not [each.path for each in files if HOLE.search("".join(each.chunks))]


def test_a_page_of_private_characters_is_not_taken_for_holes():
    slo = replace(AVAILABILITY, description=PRIVATE)
    for page in runbook.pages([slo]).values():
        assert f"What is promised: {PRIVATE}\n" in page
