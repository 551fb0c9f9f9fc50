from __future__ import annotations

import pytest

from llmslo_rulegen import checking, reading
from llmslo_rulegen.promtool import Promtool, Verdict


def slos(*members):
    lines = "".join(f"  - {{name: s{number}, objective: 99, {one}}}\n" for number, one in enumerate(members))
    found = reading.read({"slo.yaml": f"version: llmslo/v1\nservice: bot\nslos:\n{lines}".encode()})
    assert found.findings == ()
    return found.slos


def test_slos_that_differ_in_names_and_numbers_only_have_one_shape():
    found = slos(
        "sli: ttft, select: {model: a}", "sli: ttft, threshold: 3s, select: {model: b}", "sli: gap, select: {model: a}"
    )
    assert [slo.name for slo in checking.one_of_each_shape(found)] == ["s1", "s2"]


@pytest.mark.parametrize(
    "other",
    [
        "sli: ttft, native: true",
        "sli: ttft, window: 1y",
        "sli: ttft, window: month",
        "sli: ttft, group_by: [model]",
        "sli: ttft, low_traffic: {wilson: 0.9}",
        "sli: ttft, source: vllm",
        "sli: ttft, select: {model: ~a}",
        "sli: {histogram: a}, threshold: 2s",
        "sli: {ratio: a}",
    ],
)
def test_what_makes_other_rules_is_another_shape(other):
    assert len(checking.one_of_each_shape(slos("sli: ttft", other))) == 2


def test_expressions_of_every_shape_parse():
    found = slos(
        "sli: ttft", "sli: availability, window: 1y", "sli: {good_when: up == 1}", "sli: {histogram: a}, threshold: 1s"
    )
    assert list(checking.expressions(found, sloth=True)) == []


def test_an_expression_that_does_not_parse_names_its_slo(monkeypatch):
    """Nothing that a team can write gets so far; a fault of ours would."""

    def refuse(expression):
        msg = f"no PromQL: {expression[:3]}"
        raise ValueError(msg)

    monkeypatch.setattr(checking.promql, "parses", refuse)
    first, *_ = checking.expressions(slos("sli: ttft"), sloth=True)
    assert str(first).startswith("slo.yaml:4: error: ")
    assert "of bot-s0 does not parse, no PromQL: " in first.text


class Refusing(Promtool):
    def check_rules(self, files):  # noqa: ARG002
        return Verdict(
            is_good=False, text="Checking /x/rules/bot.yaml\n  FAILED:\n/x/rules/bot.yaml: 3:4: bad\n  SUCCESS: 2 rules"
        )


def test_what_promtool_says_is_one_line_without_our_folder(tmp_path):
    tool = Refusing("promtool", (2, 42))
    (finding,) = checking.by_promtool(tmp_path.__class__("/x"), ["rules/bot.yaml", "tests/bot.yaml"], tool)
    assert finding.text == "promtool refuses: FAILED: rules/bot.yaml: 3:4: bad"


@pytest.mark.parametrize(
    ("path", "is_rules"),
    [
        ("rules/a.yaml", True),
        ("alertmanager/rules/a.yaml", True),
        ("alertmanager/routes.yaml", False),
        ("tests/rules.yaml", False),
    ],
)
def test_rule_files_are_told_by_their_folder(path, is_rules):
    assert checking.is_rules(path) == is_rules
