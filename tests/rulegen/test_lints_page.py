"""docs/lints.md is true: every code, its severity, its module, its test; and the examples."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from llmslo_rulegen import codes, lints, reading
from llmslo_rulegen.lints.every import LINTS
from tests.rulegen import test_lints, test_online_lints
from tests.rulegen.test_cli import run

PAGE = (Path(__file__).parents[2] / "docs" / "lints.md").read_text()
PACKAGE = Path(lints.__file__).parents[1]


def modules():
    """Return the module of each lint by its code."""
    names = [found.name for found in pkgutil.iter_modules(lints.__path__)]
    every = {name: importlib.import_module(f"llmslo_rulegen.lints.{name}") for name in names}
    return {module.LINT.code: name for name, module in every.items() if hasattr(module, "LINT")}


def test_the_table_holds_every_lint_in_one_line():
    rows = {lint.code: (lint.level.value, lint.title, lint.need.value, modules()[lint.code]) for lint in LINTS}
    shown = re.findall(r"^\| `([\w/-]+)` \| (\w+) \| (.+?) \| (.+?) \| `(\w+)` \|$", PAGE, flags=re.MULTILINE)
    assert {code: tuple(row) for code, *row in shown} == rows
    assert len(shown) == len(LINTS) >= 24


def test_every_lint_is_asked_and_has_its_test():
    assert {lint.code for lint in LINTS} == modules().keys() == test_lints.TRIPS.keys() | test_online_lints.TRIPS.keys()


def test_the_other_codes_are_listed():
    shown = dict(re.findall(r"^\| `([\w/-]+)` \| ([^|]+) \|$", PAGE, flags=re.MULTILINE))
    assert shown == {code: title for code, title in codes.titles().items() if code not in modules()}


def test_every_code_that_is_given_to_a_finding_is_known():
    given = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        given |= set(re.findall(r'"((?:convert|file|spec|slo|rule|ignore)/[\w-]+)"', text))
        given |= {f"slo/{name}" for name in re.findall(r'(?:here|top)\.(?:error|warn)\(\s*"([\w-]+)"', text)}
    assert given - {"rule/for"} <= codes.titles().keys() | {"rules/", "convert/"}


def test_the_finding_that_is_shown_is_what_check_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    document = test_lints.HEAD + test_lints.TTFT + '    select: {model: "~gpt-4"}\n'
    Path("slo.yaml").write_text(document)
    _, text = run("check", "slo.yaml")
    assert "\n".join(text.split("\n")[:3]) in PAGE


def test_the_example_of_a_comment_is_accepted_and_of_use(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (example,) = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL) if "llmslo-ignore" in text]
    assert reading.read({"slo.yaml": example.encode()}).findings == ()
    (tmp_path / "slo.yaml").write_text(example)
    code, text = run("check", tmp_path / "slo.yaml", "--strict")
    assert code == 0
    assert "warning" not in text


def test_every_option_of_check_about_the_world_is_explained(capsys):
    assert run("check", "--help")[0] == 0
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out.split("beside their files")[1]))
    assert {option for option in options if f"`{option}" not in PAGE} == set()
