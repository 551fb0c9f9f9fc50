"""docs/verify.md is true: its commands run, what it shows is what they print, and it names every fault and code."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from llmslo_rulegen import cli
from llmslo_rulegen.verify import gate
from llmslo_rulegen.verify.fault import FaultKind
from llmslo_rulegen.verify.verdict import Verdict
from tests.verify import made
from tests.verify.test_command import COPILOT

PAGE = (Path(__file__).parents[2] / "docs" / "verify.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
(SLO,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
SHOWN = re.findall(r"```\n(support-chat.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("slo.yaml").write_text(SLO)
    for name, recorded in (("traces", "usual"), ("after", "incident")):
        Path(f"{name}.jsonl.gz").symlink_to(made.SPANS / f"{recorded}.jsonl.gz")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(command, capsys):
    program, *words = shlex.split(command)
    assert program == "llmslo-rulegen"
    expected = gate.BREACH if "after.jsonl.gz" in words else gate.FINE
    assert cli.main(words, io.StringIO()) == expected, capsys.readouterr().err


@pytest.mark.parametrize(("number", "words"), [(0, "traces.jsonl.gz --faults"), (1, "after.jsonl.gz")])
def test_what_is_shown_is_what_is_printed(number, words):
    out = io.StringIO()
    cli.main(["verify", *words.split(), "--slo", "slo.yaml"], out)
    assert out.getvalue() == SHOWN[number]


def test_every_fault_verdict_code_and_field_is_named():
    assert [kind.value for kind in FaultKind if f"`{kind.value}:" not in PAGE] == []
    assert [one.value for one in Verdict if f"| {one.value} |" not in PAGE] == []
    assert [on.value for on in gate.On if f"`{on.value}`" not in PAGE] == []
    codes = {gate.BREACH, gate.UNPROVEN, gate.NO_DATA}
    assert [code for code in codes if f"\n| {code} |" not in PAGE] == []
    assert [name for name in COPILOT if f"`{name}" not in PAGE] == []
