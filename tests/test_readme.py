"""The README's commands run, and what it shows is what they give."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmslo_rulegen import promtool

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(sh|yaml)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if "llmslo-rulegen" in line]
SHOWN = [text for kind, text in BLOCKS if kind == "yaml"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run the commands in the order of the page, each as it stands there; return their folder and exit codes."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (folder / "tests").symlink_to(ROOT / "tests")
    codes = {}
    for command in COMMANDS:
        shell = ["/bin/sh", "-c", command]
        codes[command] = subprocess.run(shell, cwd=folder, capture_output=True, timeout=110, check=False).returncode
    return folder, codes


@pytest.mark.skipif(promtool.find() is None, reason="needs promtool")
def test_every_command_of_the_rule_generator_ends_well(ran):
    _, codes = ran
    assert len(codes) >= 5
    assert set(codes.values()) == {0}, codes


def test_the_alert_that_is_shown_is_generated(ran):
    folder, _ = ran
    (shown,) = SHOWN
    rendered = (folder / "out/rules/support-bot.yaml").read_text()
    assert shown.startswith("- alert: ")
    alerts = [text.split("      - ")[0] for text in rendered.split("      - alert: ")[1:]]
    first = next(text for text in alerts if text.startswith("FirstToken"))
    assert shown == "- alert: " + re.sub(r"(?m)^ {6}", "", first), "put what is rendered into README.md"


def test_all_commands_are_on_the_page():
    named = {line.split("llmslo-rulegen ")[1].split()[0] for line in COMMANDS}
    assert {"init", "render", "check", "test", "explain", "derive", "verify", "backtest"} <= named
