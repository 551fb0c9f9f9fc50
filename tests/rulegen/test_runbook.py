from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from decimal import Decimal

import jinja2
import promql_parser
import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, runbook
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import AlertRule
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    Matcher,
    Op,
    Place,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.tier import Severity, Tier

ROLE = (Matcher("role", Op.EQUAL, "client"),)
ONE = Slo(
    *("support-bot", "first-token", CatalogSli("ttft", catalog.OWN, ROLE, 2.0), Decimal(95), Window(30 * 86400)),
    *(Alerting("SlowFirstToken"), Place("slo.yaml", 1)),
    description="first token of a chat answer",
    group_by=("model",),
)
TEMPLATE = 'sum(rate(http_requests_total{code=~"5.."}[{{window}}]))'
OWN = (
    EventsSli(TEMPLATE, EventFunction.RATE, TEMPLATE),
    EventsSli(TEMPLATE, EventFunction.RATE, good=TEMPLATE),
    HistogramSli('latency_seconds{job="api"}', 0.5),
    HistogramSli("latency_seconds", 0.5, native=True),
    SlicedSli("queue_length < 10", condition=True),
    SlicedSli("errors:ratio", condition=False),
)
NAMED = [
    CatalogSli(sli.name, source.name, ROLE if source.name == catalog.OWN else (), sli.threshold)
    for source in catalog.SOURCES
    for sli in source.slis
]


def page(slo, kind=""):
    return runbook.pages([slo])[runbook.path(slo, kind)]


def blocks(text):
    return re.findall(r"^(`{3,})promql\n(.*?)\n\1$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("sli", [*NAMED, *OWN], ids=lambda sli: getattr(sli, "name", type(sli).__name__))
def test_every_query_parses(sli):
    slo = replace(ONE, sli=sli)
    assert len(blocks(page(slo))) >= 4
    for text in runbook.pages([slo]).values():
        assert blocks(text)
        for _, query in blocks(text):
            promql_parser.parse(query)


def test_every_alert_has_its_page_and_every_tier_its_section():
    for rule in (rule for group in groups(ONE) for rule in group.rules if isinstance(rule, AlertRule)):
        labels = dict(rule.labels)
        text = page(ONE, labels.get("kind", ""))
        assert text.startswith(f"# {rule.alert}: support-bot/first-token\n")
        assert "kind" in labels or f"\n## {labels['tier']}\n" in text
    assert len(runbook.pages([ONE])) == 4


def test_links_between_pages_lead_somewhere():
    pages = runbook.pages([ONE])
    for path, text in pages.items():
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(path), link)) in pages


def test_the_numbers_are_those_of_the_tier():
    tier = Tier("page_fast", Severity.PAGE, 14.4, 3600, 300, min_bad=4)
    slo = replace(ONE, objective=Decimal("99.9"), alerting=replace(ONE.alerting, tiers=(tier,)))
    section = page(slo).split("## page_fast\n")[1].split("\n## ")[0]
    assert "At least 1.44 % of the events of the last 1h were bad, and of the last 5m too: 14.4 times" in section
    assert "at least 4 bad events" in section
    assert "2 % of the budget of 30d is gone" in section  # 14.4 x 1 h of 720 h
    assert "gone after 2d2h" in section  # 30 d / 14.4
    assert "or 43m of total outage" in page(slo)  # 0.1 % of 30 d


def test_a_threshold_has_its_unit():
    assert "(source llmslo, within 2s: " in page(ONE)
    speed = CatalogSli("throughput", catalog.OWN, ROLE, 20.0)
    assert "(source llmslo, at 20: " in page(replace(ONE, sli=speed))


def test_a_severity_that_is_off_has_no_section():
    text = page(replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset({Severity.TICKET}))))
    assert "## page_fast" in text
    assert "## ticket_fast" not in text
    slo = replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset({Severity.TICKET})))
    assert list(runbook.pages([slo])) == [runbook.path(slo)]
    assert "](" not in text.replace("](#", "")


def test_without_any_burn_alert_the_rest_is_there():
    text = page(replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset(Severity))))
    assert "## First look" in text
    assert "\n| " not in text


@pytest.mark.parametrize("calendar", [*Calendar, None])
def test_every_window_has_its_words(calendar):
    text = page(replace(ONE, window=Window(31 * 86400, calendar)), "exhausted")
    assert (f"next {calendar.value} begins" if calendar else "left the window") in text


def test_what_a_team_wrote_is_text_and_no_markup():
    text = page(replace(ONE, description="# <script>x</script> [a](http://b) *c* `d` | e\n\n- f _g_ snake_case"))
    (line,) = (line for line in text.splitlines() if line.startswith("What is promised: "))
    assert line == (
        r"What is promised: \# \<script\>x\</script\> \[a\](http://b) \*c\* \`d\` \| e - f \_g\_ snake_case"
    )


def test_braces_of_a_team_are_no_template():
    assert "{{ page.id }} {% raise %}" in page(replace(ONE, description="{{ page.id }} {% raise %}"))


def test_backticks_in_an_expression_do_not_end_its_block():
    sli = SlicedSli("max(up{job=~`a```b`})", condition=True)
    assert any(query == sli.expression for _, query in blocks(page(replace(ONE, sli=sli))))


def test_pages_that_differ_by_name_alone_are_named_each():
    other = replace(ONE, service="x", name="y", description="", alerting=replace(ONE.alerting, name="Other"))
    both = runbook.pages([ONE, other])
    assert both == runbook.pages([ONE]) | runbook.pages([other])
    second = both[runbook.path(other)]
    assert second.startswith("# Other: x/y\n")
    assert 'service="x",slo="y"' in second
    assert "support-bot" not in second
    assert "What is promised" not in second


@pytest.mark.parametrize("kind", ["", *alerts.names(ONE)])
def test_a_value_that_is_missing_fails_instead_of_leaving_a_hole(kind):
    with pytest.raises(jinja2.UndefinedError):
        runbook.template(kind).render(page={})


def test_the_tiers_are_the_ones_in_force():
    text = page(ONE)
    assert [tier.name for tier in alerts.tiers_of(ONE)] == re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE)


@pytest.mark.parametrize("with_sloth", [False, True])
def test_a_published_folder_gives_each_alert_the_link_to_its_page(with_sloth):
    slo = replace(ONE, runbook_url="https://example.org/runbooks/")
    (group,) = groups(slo, sloth=with_sloth)
    found = {}
    for rule in group.rules:
        if isinstance(rule, AlertRule):
            labels = dict(rule.labels)
            found[dict(rule.annotations)["runbook_url"]] = labels.get("tier", labels.get("kind"))
    paths = {f"https://example.org/{path}" for path in runbook.pages([slo])}
    assert {url.partition("#")[0] for url in found} == paths
    assert {url.partition("#")[2] for url in found} - {""} == set(re.findall(r"^## (\w+)$", page(slo), re.MULTILINE))
    assert all(what in url for url, what in found.items())
    assert len(found) == 7


def test_another_link_is_left_as_it_is():
    url = "https://wiki.example.org/oncall?page=7"
    (group,) = groups(replace(ONE, runbook_url=url))
    links = [dict(rule.annotations)["runbook_url"] for rule in group.rules if isinstance(rule, AlertRule)]
    assert set(links) == {url}
    (group,) = groups(ONE)
    assert not any("runbook_url" in dict(rule.annotations) for rule in group.rules if isinstance(rule, AlertRule))
