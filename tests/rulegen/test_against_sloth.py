"""What a team is told that had Sloth's rules; the old file is made by Sloth's published formulas."""

from __future__ import annotations

import io
import json

import pytest

from llmslo_rulegen import against_sloth, cli, compared, reading, sloth_rules
from llmslo_rulegen.against_sloth import GONE, NEW, RELABELLED, SAME
from llmslo_rulegen.errors import InputError
from tests.rules import documents, sloth_output


def comparison(tmp_path, old, new=documents.SLOTH["getting-started"]):
    path = tmp_path / "old.rules.yaml"
    path.write_text(old)
    slos = reading.read({"sloth.yaml": new.encode()}).slos
    return against_sloth.compare(sloth_rules.read(path), slos)


def test_records_without_labels_of_a_team_keep_their_identity(tmp_path):
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests")).changes
    by = {}
    for record in change.records:
        by.setdefault(record.identity, set()).add(record.name)
    assert by.keys() == {SAME, RELABELLED, NEW}
    assert len(by[SAME]) == 14  # 8 ratios, 6 of the metadata
    assert by[RELABELLED] == {"sloth_slo_info"}
    assert "slo:budget_spent:ratio" in by[NEW]


def test_labels_that_records_had_are_named(tmp_path):
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests", owner="web", repo="x")).changes
    ratio = next(one for one in change.records if one.name == "slo:sli_error:ratio_rate5m")
    assert (ratio.identity, ratio.without, ratio.more) == (RELABELLED, ("owner", "repo"), ())


def test_expressions_that_stay_are_told_from_those_that_change(tmp_path):
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests")).changes
    kept = {one.name for one in change.records if one.is_expression_kept}
    assert kept == {"slo:objective:ratio", "slo:time_period:days", "sloth_slo_info"}
    assert change.averages_ratios


def test_the_same_promise_is_detected_as_before(tmp_path):
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests")).changes
    assert change.old == change.new
    assert [one.old_s for one in change.detections] == pytest.approx([one.new_s for one in change.detections])


@pytest.mark.parametrize(
    ("objective", "days", "sentence"),
    [
        (
            99.9,
            30,
            "The promise stays: 99.9 % over 30 days, that is 1,000 bad events of a million, 43m of",
        ),
        (99.5, 30, "The promise CHANGES from 99.5 % over 30 days (5,000 of a million, 3h36m) to 99.9 % over 30 days"),
        (99.9, 28, "The promise CHANGES from 99.9 % over 28 days (1,000 of a million, 40m) to 99.9 % over 30 days"),
    ],
)
def test_a_change_of_the_budget_is_said_in_words(tmp_path, objective, days, sentence):
    found = compared.text(comparison(tmp_path, sloth_output.rules("shop-requests", objective, days)), ["sloth.yaml"])
    assert sentence in found


def test_a_low_objective_pages_sooner_and_says_so(tmp_path):
    """At 80 % no page of Sloth's can fire (slo-rules 3.3)."""
    new = documents.text(documents.sloth(documents.slo(objective=80)))
    found = compared.text(comparison(tmp_path, sloth_output.rules("shop-requests", 80), new), ["sloth.yaml"])
    assert "100% bad events: the first page comes after 27m (was: never)." in found


def test_alerts_are_told_by_name_and_severity(tmp_path):
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests")).changes
    found = {(one.name, one.severity): one for one in change.alerts}
    page = found["ShopHighErrorRate", "page"]
    assert (page.identity, page.rules, page.without) == (SAME, 2, ())
    assert {"tier", "long_window", "slo"} <= set(page.more)
    assert found["ShopHighErrorRateAbsent", "ticket"].identity == NEW


def test_an_alert_that_is_renamed_is_gone(tmp_path):
    new = documents.text(documents.sloth(documents.slo(alerting={"name": "Other"})))
    (change,) = comparison(tmp_path, sloth_output.rules("shop-requests"), new).changes
    assert {(one.name, one.identity) for one in change.alerts if one.identity == GONE} == {("ShopHighErrorRate", GONE)}


def test_slos_of_one_side_only_are_named(tmp_path):
    found = comparison(tmp_path, sloth_output.rules("shop-other"))
    assert (found.gone, found.new) == (("shop-other",), ("shop-requests",))


def test_the_command_for_what_is_there_already_is_printed(tmp_path):
    found = compared.text(comparison(tmp_path, sloth_output.rules("shop-requests")), ["sloth.yaml"])
    assert "Budgets start again" in found
    assert "promtool tsdb create-blocks-from rules" in found
    assert "llmslo-rulegen backfill sloth.yaml > backfill.yaml" in found


def test_rules_within_an_object_are_read_as_well(tmp_path):
    inner = "".join(f"  {line}\n" for line in sloth_output.rules("shop-requests").splitlines())
    found = comparison(tmp_path, f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n{inner}")
    assert [one.id for one in found.changes] == ["shop-requests"]


@pytest.mark.parametrize(
    "text", ["groups: []\n", "a: 1\n", "[1, 2]\n", "groups: {a: b}\n", "groups: [1, {rules: 2}]\n"]
)
def test_what_is_no_rule_file_of_sloths_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="give a rule file that Sloth made"):
        comparison(tmp_path, text)


def test_as_json_it_holds_the_same(tmp_path, capsys):
    (tmp_path / "old.yaml").write_text(sloth_output.rules("shop-requests"))
    (tmp_path / "slo.yaml").write_text(documents.SLOTH["getting-started"])
    out = io.StringIO()
    words = ["compare", "--sloth", str(tmp_path / "old.yaml"), str(tmp_path / "slo.yaml"), "--json"]
    assert cli.main(words, out) == 0, capsys.readouterr().err
    found = json.loads(out.getvalue())
    assert found["changes"][0]["old"]["objective"] == 99.9
    assert found["changes"][0]["detections"][0].keys() == {"severity", "bad_share", "old_s", "new_s"}
