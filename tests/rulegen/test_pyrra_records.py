"""Pyrra's generic records, asked as its Grafana pages ask them, by promtool."""

from __future__ import annotations

import pytest

from llmslo_rulegen import yaml_text
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import EventFunction, EventsSli
from tests.rules.backend import lacks, run
from tests.rules.examples import own, slo

pytestmark = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
SLO = '{service="shop",slo="shop-chat"}'
GAUGE = EventsSli(
    "sum(count_over_time(probe_success[{{window}}]))",
    EventFunction.COUNT_OVER_TIME,
    good="sum(sum_over_time(probe_success[{{window}}]))",
)
# What the list page asks, and the detail page per SLO.
PAGES = {
    "pyrra_objective": 0.999,
    "pyrra_window": 2_592_000,
    "pyrra_availability": 0.95,
    "(pyrra_availability - pyrra_objective) / (1 - pyrra_objective)": (0.95 - 0.999) / 0.001,
    'sum(pyrra_requests:rate5m{slo="shop-chat"})': 10,
    'sum(pyrra_errors:rate5m{slo="shop-chat"})': 0.5,
}


def judged(tmp_path, promise, series, expected, at="4h5m"):
    """Run promtool over the rules of an SLO: each expression has to have its value."""
    (tmp_path / "rules.yaml").write_text(yaml_text.rules(groups(promise, pyrra=True)))
    asked = [
        {
            "expr": f"round(sum({expr}), 1e-6)",
            "eval_time": at,
            "exp_samples": [{"labels": "{}", "value": round(value, 6)}],
        }
        for expr, value in expected.items()
    ]
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": asked,
    }
    test = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "test.yaml").write_text(yaml_text.dump(test))
    run("promtool", "test", "rules", tmp_path / "test.yaml", timeout_s=60)


def test_the_pages_of_pyrra_find_what_they_ask_for(tmp_path):
    series = {
        'http_requests_total{job="web",code="200"}': "0+570x300",
        'http_requests_total{job="web",code="500"}': "0+30x300",
    }
    judged(tmp_path, slo(own()), series, PAGES)


def test_samples_of_a_gauge_are_counted_exactly(tmp_path):
    """Of a gauge that is 0 each fifth minute, one of five samples is bad, whatever the window."""
    expected = {
        f"slo:total_events:increase5m{SLO.replace('shop-chat', 'chat')}": 5,
        f"slo:bad_events:increase5m{SLO.replace('shop-chat', 'chat')}": 1,
        f"slo:bad_events:increase1h{SLO.replace('shop-chat', 'chat')}": 12,
        # One sample more than four hours have: that of the first instant.
        "pyrra_availability": 1 - 48 / 241,
        "slo:budget_spent:ratio": 48 / 241 / 0.001 * 4 / 720,
    }
    judged(tmp_path, slo(GAUGE), {"probe_success": "1 1 1 1 0 " * 60}, expected, at="4h")


def test_without_the_option_there_are_none():
    names = {rule.record for group in groups(slo(own())) for rule in group.rules if hasattr(rule, "record")}
    assert not [name for name in names if name.startswith("pyrra")]
