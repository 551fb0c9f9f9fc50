"""docs/backtest.md is true: its commands run, and what it shows is what they print."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from llmslo_rulegen import cli
from tests.backtest import made
from tests.backtest.test_command import SHIFT_S

PAGE = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
(SLO,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
(SHOWN,) = re.findall(r"```\n(chat.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("slo.yaml").write_text(SLO)
    Path("traces.json").write_text(made.otlp(made.calls(), SHIFT_S))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(command, capsys):
    program, *words = shlex.split(command)
    assert program == "llmslo-rulegen"
    assert cli.main(words, io.StringIO()) == 0, capsys.readouterr().err


def test_what_is_shown_is_what_is_printed():
    out = io.StringIO()
    cli.main(["backtest", "traces.json", "--slo", "slo.yaml"], out)
    assert out.getvalue().rstrip("\n") == SHOWN.rstrip("\n")


def test_every_option_of_its_own_is_on_the_page(capsys):
    cli.main(["backtest", "--help"], io.StringIO())
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, flags=re.MULTILINE))
    mine = options & {"--slo", "--episode", "--grid", "--report", "--every", "--exit-code", "--json", "--cross-source"}
    assert len(mine) == 8
    assert [option for option in mine | {"--prometheus", "--prometheus-version"} if option not in PAGE] == []
