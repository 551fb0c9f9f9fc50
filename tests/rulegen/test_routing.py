from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import promql_parser
import pytest
import yaml

from llmslo_exporter import catalog
from llmslo_rulegen import followers, routing, yaml_text
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.slo import Alerting, EventFunction, EventsSli, Place, Slo, Window
from llmslo_rulegen.tier import Severity, Tier

AMTOOL, PROMTOOL = shutil.which("amtool"), shutil.which("promtool")
RATE = "sum(rate(calls_total[{{window}}]))"
ONE = Slo(
    *("support.bot", "first-token", EventsSli(RATE, EventFunction.RATE, RATE), Decimal("99.9"), Window(30 * 86400)),
    *(Alerting("SlowFirstToken"), Place("slo.yaml", 1)),
)
GROUPED = replace(ONE, service="checkout", name="errors", group_by=("model", "region"))
NO_PAGE = replace(ONE, name="quiet", alerting=replace(ONE.alerting, disabled=frozenset({Severity.PAGE})))
OWN_TIERS = replace(
    ONE,
    name="own",
    alerting=replace(
        ONE.alerting,
        tiers=(
            Tier("tenth", Severity.TICKET, 2, 7200, 600),
            Tier("slow", Severity.PAGE, 4, 7200, 600),
            Tier("fast", Severity.PAGE, 10, 3600, 300),
        ),
    ),
)
# The same first tier, with other tiers behind it.
SHORTER = replace(OWN_TIERS, name="shorter", alerting=replace(OWN_TIERS.alerting, tiers=OWN_TIERS.alerting.tiers[1:]))
LONGER = replace(
    SHORTER,
    name="longer",
    alerting=replace(
        SHORTER.alerting, tiers=(*SHORTER.alerting.tiers, Tier("slowest", Severity.PAGE, 2, 14_400, 1200))
    ),
)
ALL = (ONE, GROUPED, NO_PAGE, OWN_TIERS, SHORTER, LONGER)


def routes(files):
    return yaml.safe_load(files["alertmanager/routes.yaml"])


def inhibitions(files):
    return yaml.safe_load(files["alertmanager/inhibit_rules.yaml"])


@pytest.mark.skipif(AMTOOL is None, reason="needs amtool")
def test_amtool_accepts_the_example(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(routing.files(ALL)["alertmanager/example.yaml"])
    done = subprocess.run([AMTOOL, "check-config", path], check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(AMTOOL is None, reason="needs amtool")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"service": "support.bot", "slo": "first-token", "severity": "page", "tier": "page_fast"}, "slo-page"),
        ({"service": "checkout", "slo": "errors", "severity": "ticket", "tier": "ticket_slow"}, "slo-ticket"),
        ({"service": "checkout", "slo": "errors", "severity": "ticket", "kind": "absent"}, "slo-ticket"),
        ({"service": "checkout", "slo": "errors", "severity": "none", "kind": "already_notified"}, "slo-none"),
        ({"service": "supportxbot", "slo": "first-token", "severity": "page"}, "team"),
        ({"service": "support.bot", "severity": "page", "alertname": "SomethingElse"}, "team"),
    ],
)
def test_alerts_go_where_they_belong_and_a_teams_own_stay_theirs(tmp_path, labels, receiver):
    example = yaml.safe_load(routing.files(ALL)["alertmanager/example.yaml"])
    example["route"]["receiver"] = "team"
    example["receivers"].append({"name": "team"})
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(example))
    words = [f"{name}={value}" for name, value in labels.items()]
    command = [AMTOOL, "config", "routes", "test", f"--config.file={path}", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == [receiver]


def test_fragments_are_what_the_example_is_made_of():
    files = routing.files(ALL)
    example = yaml.safe_load(files["alertmanager/example.yaml"])
    assert example["route"]["routes"] == routes(files)
    assert example["inhibit_rules"] == inhibitions(files)


def test_a_page_of_one_group_silences_no_ticket_of_another():
    assert all(
        {"service", "slo", "cluster", "model", "region"} <= set(rule["equal"])
        for rule in inhibitions(routing.files(ALL))
    )


def test_one_notification_lists_every_group_that_burns():
    assert routes(routing.files(ALL))[0]["group_by"] == ["cluster", "service", "slo", "kind"]


def test_tickets_are_grouped_by_what_they_are_about():
    assert "kind" in routes(routing.files([ONE]))[0]["group_by"]


def test_an_incident_is_not_repeated_while_it_lasts_and_alertmanager_remembers_it():
    repeat = routes(routing.files([ONE]))[0]["repeat_interval"]
    assert repeat == "4d"  # Alertmanager's default retention is 5 days; what it forgot it tells again


def test_no_slos_make_no_files():
    assert routing.files([]) == {}


def test_the_order_of_slos_does_not_matter():
    assert routing.files(ALL) == routing.files(ALL[::-1])


def test_a_service_that_never_pages_has_no_tier_after_a_page():
    rules = followers.group(NO_PAGE.service, [NO_PAGE]).rules
    after = {dict(rule.labels).get("after") for rule in rules} - {None}
    assert after == {"ticket_fast"}


def test_a_single_tier_follows_nobody():
    alone = replace(OWN_TIERS, alerting=replace(OWN_TIERS.alerting, tiers=OWN_TIERS.alerting.tiers[:1]))
    assert followers.group(alone.service, [alone]).rules == ()
    assert not [path for path in routing.files([alone]) if "/rules/" in path]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_whatever_tiers_a_team_has_each_that_another_follows_records_that_it_told(size):
    for chosen in combinations(tiers_of(ONE), size):
        rules = followers.group("s", [replace(ONE, alerting=replace(ONE.alerting, tiers=chosen))]).rules
        told = {dict(rule.labels)["tier"] for rule in rules if getattr(rule, "record", "") == catalog.TOLD}
        asked = {
            matcher.value
            for rule in rules
            for found in re.findall(rf"{catalog.TOLD}{{[^}}]*}}", rule.expr)
            for matcher in promql_parser.parse(found).matchers.matchers
            if matcher.name == "tier"
        }
        assert {name for value in asked for name in value.split("|")} <= told == {tier.name for tier in chosen}


def test_a_teams_own_tiers_stand_by_severity_and_factor_not_by_their_place_in_the_file():
    rules = followers.group(OWN_TIERS.service, [OWN_TIERS]).rules
    led = {dict(rule.labels)["tier"]: dict(rule.labels)["after"] for rule in rules if "after" in dict(rule.labels)}
    assert led == {"slow": "fast", "tenth": "fast|slow"}


def test_slos_with_the_same_tiers_share_rules():
    many = [replace(ONE, name=f"slo-{number:03}") for number in range(100)]
    assert len(followers.group(ONE.service, many).rules) == len(followers.group(ONE.service, [ONE]).rules)


def test_every_expression_parses():
    for service in {slo.service for slo in ALL}:
        for rule in followers.group(service, [slo for slo in ALL if slo.service == service]).rules:
            promql_parser.parse(rule.expr)


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool")
def test_promtool_accepts_the_rules_with_every_lint(tmp_path):
    paths = []
    for path, text in routing.files(ALL).items():
        if "/rules/" in path:
            paths.append(tmp_path / path.rpartition("/")[2])
            paths[-1].write_text(text)
    command = [PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", *paths]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(paths) == 2


def test_the_rules_are_the_ones_of_the_module():
    files = routing.files([ONE])
    assert files["alertmanager/rules/support.bot.yaml"] == yaml_text.rules([followers.group(ONE.service, [ONE])])
