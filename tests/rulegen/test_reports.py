"""What pipelines read: each format against its published rules, rebuilt here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.reports import github, gitlab, junit, sarif, text
from tests.rulegen.test_cli import ROOT, run
from tests.rulegen.test_lints import HEAD, TTFT

BAD = HEAD + TTFT.replace("    sli: ttft", '    sli: ttft\n    select: {model: "~gpt-4"}\n    group_by: [user_id]')
IGNORED = BAD.replace("    group_by", "    # llmslo-ignore sli/unbounded-label: a handful of users\n    group_by")
# Of SARIF 2.1.0 (OASIS, errata 01), what a result may hold: section numbers beside.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {  # 3.14
            "type": "object",
            "required": ["tool"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "additionalProperties": False,
                    "properties": {"driver": {"$ref": "#/$defs/component"}},
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "component": {  # 3.19
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "version": {"type": "string"},
                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/descriptor"}},
            },
        },
        "descriptor": {  # 3.49
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/message"}},
        },
        "message": {  # 3.11
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}},
        },
        "result": {  # 3.27
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "suppressions": {"type": "array", "items": {"$ref": "#/$defs/suppression"}},
            },
        },
        "suppression": {  # 3.35
            "type": "object",
            "required": ["kind"],
            "additionalProperties": False,
            "properties": {"kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"}},
        },
        "location": {  # 3.28, 3.29
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "additionalProperties": False,
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"uri": {"type": "string", "pattern": r"^[\w/.~%@+-]+$"}},
                        },
                        "region": {"$ref": "#/$defs/region"},
                    },
                }
            },
        },
        "region": {  # 3.30
            "type": "object",
            "required": ["startLine"],
            "additionalProperties": False,
            "properties": {
                "startLine": {"type": "integer", "minimum": 1},
                "startColumn": {"type": "integer", "minimum": 1},
                "endColumn": {"type": "integer", "minimum": 2},
            },
        },
    },
}
# docs.gitlab.com, "Code quality report format".
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": r"^[^/.]"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
# As actions/runner takes a command apart.
COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-zA-Z]+=[^,:\r\n]*,?)+)::([^\r\n]*)")
HOSTILE = Finding(
    "a/b", "dir,1:2/\u202e\x1b[2J\n%.yaml", 3, Level.ERROR, "100 % <b>&]]>\ud800\x00\r\n::set-env::\ufffe", "do", 7, 2
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team").mkdir()
    monkeypatch.setenv("PATH", "")
    return tmp_path


def written(document, form, *more, name="team/slo.yaml"):
    Path(name).write_text(document)
    return run("check", name, f"--format={form}", *more)


@pytest.mark.usefixtures("folder")
def test_text_shows_the_line_and_a_caret_under_what_is_meant():
    code, shown = written(BAD, "text")
    assert code == 0
    first, line, caret, *_ = shown.split("\n")
    assert first.startswith("team/slo.yaml:9: warning: gpt-4 has no sign of a regular expression")
    assert first.endswith("(sli/regex)")
    assert line == '  9 |     select: {model: "~gpt-4"}'
    assert line[caret.index("^") : caret.rindex("^") + 1] == "model"


def test_a_caret_stays_in_sight_in_a_long_line():
    finding = Finding("a/b", "f", 1, Level.ERROR, "t", "", 5_000, 3)
    _, line, caret = text.lines([finding], lambda *_: "x" * 4_999 + "abc" + "y" * 9_000)
    assert line[caret.index("^") : caret.rindex("^") + 1] == "abc"
    assert len(line) < 200


def test_tabs_and_control_characters_do_not_move_the_caret():
    finding = Finding("a/b", "f", 1, Level.ERROR, "t", "", 5, 3)
    _, line, caret = text.lines([finding], lambda *_: "\t\x1b\u202e\x00abc")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "abc"


@pytest.mark.usefixtures("folder")
def test_github_commands_escape_what_would_end_them():
    _, shown = written(BAD, "github")
    commands = [COMMAND.fullmatch(line) for line in shown.splitlines()]
    assert all(commands)
    properties = dict(part.split("=", 1) for part in commands[0][2].split(","))
    assert properties | {"endColumn": ""} == {
        "file": "team/slo.yaml", "line": "9", "col": "14", "endColumn": "", "title": "sli/regex"
    }  # fmt: skip
    (line,) = github.lines([HOSTILE])
    assert COMMAND.fullmatch(line)
    assert "file=dir%2C1%3A2/" in line


@pytest.mark.usefixtures("folder")
def test_gitlab_report_holds_its_fields_and_a_fingerprint_that_lines_above_do_not_change():
    _, shown = written(BAD, "gitlab")
    issues = json.loads(shown)
    jsonschema.validate(issues, GITLAB)
    assert issues[0]["location"] == {"path": "team/slo.yaml", "lines": {"begin": 9}}
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) > 1
    _, later = written("# a line\n" + BAD, "gitlab")
    assert [one["fingerprint"] for one in json.loads(later)] == [one["fingerprint"] for one in issues]
    jsonschema.validate(json.loads(gitlab.text([HOSTILE, HOSTILE], str)), GITLAB)


@pytest.mark.parametrize("given", ["team/slo.yaml", "./team/slo.yaml", "team/../team/slo.yaml", "absolute"])
def test_paths_are_told_from_the_root_of_the_repository(given, folder):
    name = str(folder / "team" / "slo.yaml") if given == "absolute" else given
    _, shown = written(BAD, "gitlab", name=name)
    assert {issue["location"]["path"] for issue in json.loads(shown)} - {"rules"} == {"team/slo.yaml"}


@pytest.mark.usefixtures("folder")
def test_sarif_is_valid_and_shows_what_is_ignored_as_suppressed():
    _, shown = written(IGNORED, "sarif")
    found = json.loads(shown)
    jsonschema.validate(found, SARIF)
    (one,) = found["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"])
    suppressed = [result for result in one["results"] if "suppressions" in result]
    assert [result["ruleId"] for result in suppressed] == ["sli/unbounded-label"]
    assert suppressed[0]["suppressions"] == [{"kind": "inSource", "justification": "a handful of users"}]
    hostile = json.loads(sarif.text([HOSTILE], [], {}, str, "1"))
    jsonschema.validate(hostile, SARIF)
    place = hostile["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == HOSTILE.file


@pytest.mark.usefixtures("folder")
def test_junit_fails_what_fails_the_pipeline():
    for more, fails in (((), 0), (("--strict",), 1)):
        code, shown = written(BAD.replace("    group_by: [user_id]\n", ""), "junit", *more)
        root = ET.fromstring(shown)  # noqa: S314 -- our own
        assert root.tag == "testsuites"
        (suite,) = root
        cases = suite.findall("testcase")
        assert int(root.get("tests")) == int(suite.get("tests")) == len(cases)
        assert int(root.get("failures")) == len(suite.findall("testcase/failure")) == fails == code
        assert all(case.get("name") and case.get("classname") for case in cases)
    ET.fromstring(junit.text([HOSTILE], [], {Level.ERROR}))  # noqa: S314 -- our own


def test_junit_has_a_passed_case_for_a_file_without_findings():
    root = ET.fromstring(junit.text([], ["slo.yaml"], {Level.ERROR}))  # noqa: S314 -- our own
    assert [case.get("classname") for case in root.iter("testcase")] == ["slo.yaml"]
    assert root.get("failures") == "0"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["github", "gitlab", "sarif", "junit"])
def test_a_file_that_cannot_be_read_is_in_every_report(form):
    code, shown = run("check", "missing.yaml", f"--format={form}")
    assert code == 1
    assert "file/read" in shown


def test_the_hook_names_a_command_that_refuses_a_bad_file_and_takes_a_good_one(tmp_path):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["language"] == "python"
    program, *words = shlex.split(hook["entry"])
    (tmp_path / "slo.yaml").write_text(HEAD + TTFT)
    (tmp_path / "other.yaml").write_text(HEAD + TTFT.replace("99", "101"))
    command = [Path(sys.executable).with_name(program), *words]
    codes = [
        subprocess.run([*command, name], cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode
        for name in ("slo.yaml", "other.yaml")
    ]
    assert codes == [0, 1]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("slo.yaml", True),
        ("team/slos.yml", True),
        ("chat.slo.yaml", True),
        ("chat-slos.yaml", True),
        ("slos/chat.yaml", True),
        ("slow.yaml", False),
        ("rules/slo-chat.yaml", False),
        ("slos/readme.md", False),
        ("out/rules/chat.yaml", False),
    ],
)
def test_the_hook_takes_files_by_their_usual_names(name, is_one):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (re.search(hook["files"], name) is not None) == is_one
