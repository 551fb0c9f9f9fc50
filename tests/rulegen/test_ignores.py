"""Comments that turn findings off, with a reason."""

from __future__ import annotations

import json

import pytest

from tests.rulegen.test_cli import run
from tests.rulegen.test_lints import HEAD, ONE

DOCUMENT = HEAD + ONE + '    sli: ttft\n    select: {model: "~gpt-4"}\n'
WHY = "# llmslo-ignore sli/regex: one model only"


def found(tmp_path, monkeypatch, document):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "slo.yaml").write_text(document)
    _, text = run("check", tmp_path / "slo.yaml", "--json")
    return [one["check"] for one in json.loads(text)["findings"] if one["check"] != "rule/promtool"]


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT.replace('"~gpt-4"}', f'"~gpt-4"}}  {WHY}'),
        DOCUMENT.replace("    select", f"    {WHY}\n    select"),
        DOCUMENT.replace("    select", f"    {WHY}\n    # and more\n    select"),
        DOCUMENT.replace("  - name: one", f"  {WHY}\n  - name: one"),
        DOCUMENT.replace("  - name: one", f"  - name: one {WHY}"),
        DOCUMENT.replace("slos:", f"{WHY}\nslos:"),
        DOCUMENT.replace("version", f"{WHY}\nversion"),
        DOCUMENT.replace("    select", "    # llmslo-ignore sli/regex , alert/runbook: both\n    select").replace(
            "runbook_url: https://example.org/r\n", ""
        )
        and DOCUMENT.replace("\n", "\r\n").replace("slos:", f"{WHY}\r\nslos:"),
    ],
)
def test_a_comment_on_the_line_or_above_what_it_is_part_of_turns_a_finding_off(document, tmp_path, monkeypatch):
    assert found(tmp_path, monkeypatch, document) == []


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT.replace("    sli: ttft", f"    sli: ttft {WHY}"),
        DOCUMENT + f"{WHY}\n",
        DOCUMENT.replace("  - name: one", f"  {WHY}\n\n  - name: one"),
    ],
)
def test_a_comment_elsewhere_turns_nothing_off_and_is_a_finding(document, tmp_path, monkeypatch):
    assert sorted(found(tmp_path, monkeypatch, document)) == ["ignore/unused", "sli/regex"]


@pytest.mark.parametrize(
    ("comment", "code"),
    [
        ("# llmslo-ignore sli/regex", "ignore/reason"),
        ("# llmslo-ignore sli/regex:", "ignore/reason"),
        ("# llmslo-ignore", "ignore/reason"),
        ("# llmslo-ignore sli/regexp: why", "ignore/unknown"),
        ("# llmslo-ignore spec/yaml: why", "ignore/unknown"),
    ],
)
def test_a_comment_without_a_reason_or_with_an_unknown_code_is_a_finding(comment, code, tmp_path, monkeypatch):
    document = DOCUMENT.replace("    select", f"    {comment}\n    select")
    assert sorted(found(tmp_path, monkeypatch, document)) == [code, "sli/regex"]
    fixed = document.replace(comment, WHY)
    assert found(tmp_path, monkeypatch, fixed) == []


def test_a_lint_that_was_not_asked_leaves_its_comment_alone(tmp_path, monkeypatch):
    """Whether the server has series is asked in one pipeline only."""
    document = DOCUMENT.replace(
        "    select", f"    {WHY}\n    # llmslo-ignore online/no-series: comes next week\n    select"
    )
    assert found(tmp_path, monkeypatch, document) == []


def test_errors_of_the_reader_cannot_be_ignored(tmp_path, monkeypatch):
    document = DOCUMENT.replace("objective: 99", "objective: 100 # llmslo-ignore slo/objective-100: we are perfect")
    assert found(tmp_path, monkeypatch, document) == ["slo/objective-100"]
