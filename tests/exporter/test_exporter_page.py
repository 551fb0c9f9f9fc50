"""docs/exporter.md: what it shows is what the commands give."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmslo_exporter import arguments
from llmslo_exporter.activity import Row
from llmslo_exporter.board import lines
from llmslo_exporter.configuration import parse
from llmslo_exporter.options import Options

PAGE = (Path(__file__).parents[2] / "docs" / "exporter.md").read_text()
YAML, MISTAKES, CHECK, TOP = re.findall(r"```(?:yaml)?\n(.*?)```", PAGE, flags=re.DOTALL)
COMMAND = [sys.executable, "-m", "llmslo_exporter"]


def test_the_settings_that_are_shown_are_the_defaults_but_for_the_last_three():
    shown = parse(YAML.encode(), "exporter.yaml")
    default = Options()
    for name in ("address", "loader", "log_level", "log_format", "bpf_stats", "limits"):
        assert getattr(shown, name) == getattr(default, name)
    assert len(shown.provider_map) == 2
    assert len(shown.tls_exclude.patterns) == 3
    assert len(shown.families) == 2


def test_the_mistakes_that_are_shown_are_told_so(tmp_path):
    (tmp_path / "exporter.yaml").write_text("web:\n  listen-address: :9\nlimits:\n  models: 0\n")
    found = subprocess.run(
        [*COMMAND, "--config.file=exporter.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", MISTAKES)


def test_the_table_that_is_shown_is_drawn_so():
    rows = [
        Row("shop", "support-bot", "openai", "gpt-5-mini", "chat", "client", 2, 1.0, 431, 3, 0.343, 9.0, 88.1, "ok"),
        Row(
            "",
            "curl",
            "anthropic",
            "claude-sonnet-4-5",
            "chat",
            "client",
            0,
            None,
            7,
            7,
            None,
            None,
            None,
            "rate_limited",
        ),
    ]
    assert list(lines(rows, 80)) == TOP.splitlines()


def test_the_report_that_is_shown_has_the_lines_of_a_real_one():
    found = subprocess.run([*COMMAND, "check", "--no-load"], capture_output=True, text=True, timeout=100, check=False)
    real = {line[8:30] for line in found.stdout.splitlines() if re.match(r"(ok|warn|fail|unknown) ", line)}
    shown = {line[8:30] for line in CHECK.splitlines() if not line.startswith(" ")}
    assert len(shown) == 5
    assert shown <= real


def test_the_schema_is_printed():
    found = subprocess.run([*COMMAND, "schema"], capture_output=True, text=True, timeout=60, check=False)
    committed = Path(__file__).parents[2] / "docs" / "llmslo-exporter.schema.json"
    assert (found.returncode, found.stdout) == (0, committed.read_text())


@pytest.mark.parametrize("line", re.findall(r"^\| `llmslo-exporter ?([^`]*)`", PAGE, flags=re.MULTILINE))
def test_every_command_of_the_page_is_one(line):
    arguments.parse(line.split())


def test_every_flag_of_the_page_is_in_the_help():
    help_ = "".join(
        subprocess.run([*COMMAND, *command, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        for command in ((), ("check",), ("top",))
    )
    flags = set(re.findall(r"--[a-z.-]+[a-z]", re.sub(r"docker --pid=host", "", PAGE)))
    assert len(flags) > 8
    assert {flag for flag in flags if flag not in help_} == set()
