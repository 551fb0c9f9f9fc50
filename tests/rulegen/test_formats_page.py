"""docs/formats.md is true: its tables are what happens, its commands and its program run."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from llmslo_rulegen import cli, starter
from llmslo_rulegen.target import FORMATS
from tests.rules import documents, migrations, sloth_output

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("family", documents.FAMILIES)
def test_the_table_of_documents_is_what_becomes_of_them(family):
    assert "\n".join(migrations.table(family)) in PAGE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("slo.yaml").write_text(starter.TEXT)
    Path("sloth.yaml").write_text(documents.SLOTH["getting-started"])
    Path("old.rules.yaml").write_text(sloth_output.rules("shop-requests", owner="web"))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(command, capsys):
    program, *words = shlex.split(command)
    assert program == "llmslo-rulegen"
    out = io.StringIO()
    # The starter has an SLO that OpenSLO cannot hold as it stands: the page says what then is printed.
    expected = {0, 1} if "--to openslo" in command else {0}
    assert cli.main(words, out) in expected, capsys.readouterr().err
    assert out.getvalue() or "--out" in words or "is lost" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_the_program_runs():
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(PROGRAM, "formats.md", "exec"), {})  # noqa: S102 -- it is what the page shows
    assert "Budget: " in said.getvalue()


def test_every_format_is_named():
    assert [name for name in FORMATS if f"`{name}`" not in PAGE] == []


def test_the_library_is_typed(tmp_path):
    """A program that uses the API passes mypy from outside of the package."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + "\nreveal_type(api.load('a').slos[0].objective)\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
    )
    assert 'Revealed type is "decimal.Decimal"' in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
