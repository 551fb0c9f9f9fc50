"""Rules of an SLO, by a real promtool: what they count, when they alert, what Sloth's UI finds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, events
from llmslo_rulegen.groups import groups, groups_of
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.slo import (
    Alerting,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Op,
    Place,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.tier import Severity, Tier
from tests.rules import aligned
from tests.rules.backend import Series, lacks
from tests.rules.counters import EPOCH_S

pytestmark = pytest.mark.skipif(lacks() is not None, reason="promtool and prometheus are needed")

ROLE = (Matcher("role", Op.EQUAL, "client"),)
ONE = Slo(
    *("bot", "answers", CatalogSli("availability", catalog.OWN, ROLE), Decimal(99), Window(86_400)),
    *(Alerting("BotAnswers"), Place("slo.yaml", 1)),
)
ERRORS = EventsSli(
    'sum(rate(http_requests_total{job="a"}[{{window}}]))',
    EventFunction.RATE,
    'sum(rate(http_requests_total{job="a",code="500"}[{{window}}]))',
)
IDS = '{service="bot",slo="answers"}'


def counter(name, values, **labels):
    return Series(
        name, labels, [(EPOCH_S + 60 * minute, value) for minute, value in enumerate(values) if value is not None]
    )


def requests(outcome, values, **labels):
    return counter("llm_requests_total", values, role="client", outcome=outcome, **labels)


def asked(tmp_path, slo, series, *questions, every_s=60):
    rules = [rule for group in groups(slo) for rule in group.rules if isinstance(rule, RecordingRule)]
    found = aligned.values(tmp_path, rules, series, every_s, [(text, minute * 60) for text, minute in questions])
    return [found[place][0][1] if place in found else None for place in range(len(questions))]


def test_a_reset_two_instances_and_a_late_error_series_are_counted(tmp_path):
    one = [10 * minute for minute in range(90)] + [10 * minute for minute in range(90)]
    late = [None] * 100 + [2 * minute for minute in range(80)]
    series = [requests("ok", one, instance="a"), requests("ok", list(range(180)), instance="b")]
    series.append(requests("timeout", late, instance="a"))
    total, bad = f"slo:total_events:increase1d{IDS}", f"slo:bad_events:increase1d{IDS}"
    found = asked(tmp_path, ONE, series, (total, 179), (bad, 179), (bad, 60), (f"slo:bad_events:increase5m{IDS}", 179))
    # The hour of the reset is counted by `increase`, which knows it within a thousandth.
    assert found[0] == pytest.approx(890 + 890 + 179 + 158, rel=1e-3)
    assert found[1:] == [158, 0, 10]


def test_a_replica_is_no_second_instance(tmp_path):
    values = [3 * minute for minute in range(130)]
    gone = [value if minute < 70 or minute > 100 else None for minute, value in enumerate(values)]
    series = [requests("ok", values, replica="a"), requests("ok", gone, replica="b")]
    assert asked(tmp_path, ONE, series, (f"slo:total_events:increase1d{IDS}", 127)) == [3 * 127]


def test_an_idle_hour_gives_no_nan_and_spends_nothing(tmp_path):
    series = [requests("ok", [5 * min(minute, 20) for minute in range(200)])]
    found = asked(
        tmp_path, ONE, series, (f"slo:budget_spent:ratio{IDS}", 190), (f"slo:total_events:increase1h{IDS}", 190)
    )
    assert found == [0, 0]


@pytest.mark.parametrize("every_s", [30, 300])
def test_the_running_hour_shows_and_the_budget_is_foretold_for_the_whole_window(tmp_path, every_s):
    bad = [max(0, minute - 120) for minute in range(160)]
    series = [requests("ok", [9 * minute for minute in range(160)]), requests("timeout", bad)]
    found = asked(
        tmp_path,
        ONE,
        series,
        (f"slo:budget_spent:ratio{IDS}", 155),
        (f"slo:window_covered:ratio{IDS}", 155),
        every_s=every_s,
    )
    assert found[1] == pytest.approx(155 / 1440)
    assert found[0] == pytest.approx(35 / (9 * 155 + 35) / 0.01 * 155 / 1440)


def test_the_first_token_counts_streams_that_never_had_one(tmp_path):
    slo = replace(ONE, sli=CatalogSli("ttft", catalog.OWN, ROLE, 2.0), objective=Decimal(90))

    def streams(outcome, first, each):
        name = "llm_streams_total"
        labels = {"role": "client", "outcome": outcome, "first_token": first}
        return counter(name, [each * minute for minute in range(70)], **labels)

    series = [
        streams("completed", "true", 6),
        streams("truncated", "false", 1),
        streams("client_cancelled", "false", 5),
    ]
    series.append(streams("client_cancelled", "true", 1))
    for edge in ("2", "2.0"):
        within = counter(
            "llm_time_to_first_token_seconds_bucket", [4 * minute for minute in range(70)], role="client", le=edge
        )
        found = asked(
            tmp_path,
            slo,
            [*series, within],
            (f"slo:total_events:increase5m{IDS}", 66),
            (f"slo:bad_events:increase5m{IDS}", 66),
        )
        assert found == [5 * 8, 5 * 4]


def test_own_templates_histograms_and_slices_count_alike(tmp_path):
    minutes = range(70)
    http = [counter("http_requests_total", [9 * m for m in minutes], job="a", code="200")]
    http.append(counter("http_requests_total", list(minutes), job="a", code="500"))
    lat = [counter("lat_seconds_count", [10 * m for m in minutes], job="a")]
    lat.append(counter("lat_seconds_bucket", [9 * m for m in minutes], job="a", le="0.5"))
    queue = [counter("queue", [0 if m % 10 else 500 for m in minutes])]
    both = (f"slo:total_events:increase5m{IDS}", 65), (f"slo:bad_events:increase5m{IDS}", 65)
    assert asked(tmp_path, replace(ONE, sli=ERRORS), http, *both) == [50, 5]
    assert asked(tmp_path, replace(ONE, sli=HistogramSli('lat_seconds{job="a"}', 0.5)), lat, *both) == [50, 5]
    # An empty queue passes the filter as 0: that is good.
    assert asked(tmp_path, replace(ONE, sli=SlicedSli("queue < 100", condition=True)), queue, *both) == [5, 0]
    hour = f"slo:bad_events:hour{IDS}", f"slo:total_events:hour{IDS}"
    assert asked(
        tmp_path, replace(ONE, sli=SlicedSli("queue < 100", condition=True)), queue, *((q, 65) for q in hour)
    ) == [6, 60]


TIERS = (
    Tier("page_fast", Severity.PAGE, 14.4, 3600, 300, 3, 1),
    Tier("ticket_slow", Severity.TICKET, 1.0, 21_600, 1800),
)


def test_rare_calls_are_one_alert_and_it_ends_with_the_first_good_one(tmp_path):
    slo = replace(ONE, objective=Decimal(99), alerting=replace(ONE.alerting, tiers=TIERS))
    # One call in 8 minutes: good for 2 h, bad for 2 h, good again.
    ok = [min(minute, 120) // 8 + max(0, minute - 240) // 8 for minute in range(300)]
    bad = [max(0, min(minute, 240) - 120) // 8 for minute in range(300)]
    state = 'slo:burn_alert:firing{service="bot",slo="answers",tier="page_fast"}'
    found = asked(
        tmp_path, slo, [requests("ok", ok), requests("timeout", bad)], *((state, minute) for minute in range(100, 290))
    )
    assert found.count(None) == 0
    changes = [minute for minute, (one, other) in enumerate(pairwise(found), 101) if one != other]
    assert len(changes) == 2
    assert 120 < changes[0] < 150
    assert 240 <= changes[1] <= 250  # at most a short window after the first good call


def test_sloths_ui_finds_what_it_asks_for(tmp_path):
    slo = replace(ONE, window=Window(7 * 86_400))
    series = [requests("ok", [9 * m for m in range(130)]), requests("timeout", list(range(130)))]
    ids = '{sloth_id="bot-answers",sloth_service="bot",sloth_slo="answers"}'
    questions = (
        'sloth_slo_info{sloth_id!=""}',
        'count(count({__name__=~"^slo:sli_error:ratio_rate.*"}) by (__name__, sloth_id))',
        'max(slo:time_period:days{sloth_id!=""}) by (sloth_id)',
        'slo:current_burn_rate:ratio{sloth_id!=""}',
        'slo:period_error_budget_remaining:ratio{sloth_id!=""}',
        '1 - (max(slo:sli_error:ratio_rate5m{sloth_id="bot-answers"}))',
        f'slo:sli_error:ratio_rate7d{ids[:-1]},sloth_window="7d"}}',
        f"slo:error_budget:ratio{ids}",
    )
    found = asked(tmp_path, slo, series, *((text, 125) for text in questions))
    spent = 0.1 / 0.01 * 125 / (7 * 1440)
    assert found == pytest.approx([1, 8, 7, 10, 1 - spent, 0.9, 0.1, 0.01])


def test_records_carry_their_identity_and_nothing_that_changes():
    slo = replace(
        ONE, labels=(("team", "a"),), group_by=("model",), alerting=replace(ONE.alerting, labels=(("x", "y"),))
    )
    for group in groups(slo):
        for rule in group.rules:
            names = {name for name, _ in rule.labels}
            is_told = not isinstance(rule, RecordingRule)
            assert ("team" in names) == (is_told or rule.record in {catalog.INFO, catalog.SLOTH_INFO})
            assert ("x" in names) == is_told
            assert {catalog.SERVICE_LABEL, catalog.SLO_LABEL} <= names or {catalog.SLOTH_ID} <= names


def test_a_rule_stands_after_what_it_reads_of_the_same_moment():
    for group in groups_of([ONE, replace(ONE, name="year", window=Window(365 * 86_400))]):
        seen = set()
        for rule in group.rules:
            read = {name for name in catalog_records() if f"{name}{{" in rule.expr}
            own = {rule.record} if isinstance(rule, RecordingRule) else set()
            assert read - seen - own <= set() or rule.record == catalog.FIRING
            seen |= own


def catalog_records():
    return {rule.record for group in groups(ONE) for rule in group.rules if isinstance(rule, RecordingRule)}


def test_without_sloth_nothing_of_it_is_left():
    (group,) = groups(ONE, sloth=False)
    assert not [rule for rule in group.rules if "sloth" in repr(rule)]


def test_an_sli_without_a_metric_is_refused_by_name():
    with pytest.raises(catalog.UnknownSliError, match=r"source sglang has no metric for SLI gap"):
        groups(replace(ONE, sli=CatalogSli("gap", "sglang")))
    with pytest.raises(catalog.UnknownSourceError, match=r"no source is called x"):
        events.total(replace(ONE, sli=CatalogSli("gap", "x")), 300)


def test_severities_and_gates_are_as_a_team_chose():
    off = replace(ONE, alerting=replace(ONE.alerting, disabled=frozenset({Severity.TICKET})))
    assert {rule.labels for group in groups(off) for rule in group.rules if hasattr(rule, "alert")}
    assert {tier.severity for tier in alerts.tiers_of(off)} == {Severity.PAGE}
    assert {tier.min_bad for tier in alerts.tiers_of(replace(ONE, low_traffic=LowTraffic(min_bad=7)))} == {7}
    assert {tier.min_bad for tier in alerts.tiers_of(replace(ONE, low_traffic=LowTraffic(wilson=0.95)))} == {0}


def test_text_of_a_team_is_no_template():
    assert alerts.plain("a {{ b }}") == 'a {{ "{{" }} b }}'
