from __future__ import annotations

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


def page(slo):
    (text,) = runbook.pages([slo]).values()
    return text


def blocks(text):
    return re.findall(r"^(`{3,})promql\n(.*?)\n\1$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("sli", [*NAMED, *OWN], ids=lambda sli: getattr(sli, "name", type(sli).__name__))
def test_every_query_parses(sli):
    found = blocks(page(replace(ONE, sli=sli)))
    assert len(found) >= 4
    for _, query in found:
        promql_parser.parse(query)


def test_every_alert_has_its_section():
    text = page(ONE)
    for rule in (rule for group in groups(ONE) for rule in group.rules if isinstance(rule, AlertRule)):
        labels = dict(rule.labels)
        assert f"\n## {labels.get('tier') or labels['kind']}\n" in text
        assert rule.alert in text


def test_the_numbers_are_those_of_the_tier():
    tier = Tier("page_fast", Severity.PAGE, 14.4, 3600, 300, min_bad=4)
    slo = replace(ONE, objective=Decimal("99.9"), alerting=replace(ONE.alerting, tiers=(tier,)))
    section = page(slo).split("## page_fast\n")[1].split("\n## ")[0]
    assert "At least 1.44 % of the events of the last 1h were bad, and of the last 5m too: 14.4 times" in section
    assert "at least 4 bad events" in section
    assert "2 % of the budget of 30d is gone" in section  # 14.4 x 1 h of 720 h
    assert "gone after 2d2h" in section  # 30 d / 14.4
    assert "or 43m of total outage" in page(slo)  # 0.1 % of 30 d


def test_a_severity_that_is_off_has_no_section():
    text = page(replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset({Severity.TICKET}))))
    assert "## page_fast" in text
    assert "## ticket_fast" not in text
    assert "## absent" not in text


def test_without_any_burn_alert_the_rest_is_there():
    text = page(replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset(Severity))))
    assert "## First look" in text
    assert "\n| " not in text


@pytest.mark.parametrize("calendar", [*Calendar, None])
def test_every_window_has_its_words(calendar):
    text = page(replace(ONE, window=Window(31 * 86400, calendar)))
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
    first, second = runbook.pages([ONE, other]).values()
    assert first == page(ONE)
    assert second == page(other)
    assert second.startswith("# Other: x/y\n")
    assert 'service="x",slo="y"' in second
    assert "support-bot" not in second
    assert "What is promised" not in second


def test_a_value_that_is_missing_fails_instead_of_leaving_a_hole():
    with pytest.raises(jinja2.UndefinedError):
        runbook.template().render(page={})


def test_the_tiers_are_the_ones_in_force():
    text = page(ONE)
    assert [tier.name for tier in alerts.tiers_of(ONE)] == re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE)
