"""`top` over a served page: in a terminal, in a dumb one, in a pipe, with names that would take the terminal over."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from llmslo_exporter.catalog import EXCHANGE_LABELS, REQUESTS
from tests.exporter.test_scraped import Exporter, served
from tests.exporter.test_terminal import LEAVE, Terminal

EVIL = ("店" * 40, "\x1b]0;owned\x07\x1b[2J", "openai", "m\u202eodel\x9b31m", "chat", "client")
PROGRAM = """
import os, sys
os.environ.pop("NO_COLOR", None)
os.environ.update({environment!r})
sys.argv = ["llmslo-exporter", "top", "--interval=0.2", "--url={url}"]
from llmslo_exporter.__main__ import main
main()
"""


@pytest.fixture
def url():
    exporter = Exporter()
    labels = ",".join(f'{label.name}="{value}"' for label, value in zip(EXCHANGE_LABELS, EVIL, strict=True))
    lines = [f'{REQUESTS.name}{{{labels},outcome="ok",retry="false"}} 3', f'{REQUESTS.name}{{workload="other"}} 1']
    exporter.body = "\n".join([*lines, ""]).encode()
    with served(exporter) as address:
        yield address


def shown(url, columns=80, **environment):
    screen = Terminal(columns=columns, rows=10, program=PROGRAM.format(url=url, environment=environment))
    try:
        screen.wait_for(b"other")
        screen.press(b"q")
        assert screen.end() == 0
        return screen.seen.decode()
    finally:
        os.close(screen.side)


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_no_name_reaches_the_terminal_as_a_command(url, columns):
    text = shown(url, columns, TERM="xterm")
    assert "\x1b]0;" not in text
    assert "\x1b[2J" not in text
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert LEAVE.decode() in text


def test_colours_unless_they_are_not_wanted(url):
    assert "\x1b[1mWORKLOAD" in shown(url, TERM="xterm")
    assert "\x1b[1m" not in shown(url, TERM="xterm", NO_COLOR="1")


def test_a_dumb_terminal_gets_lines(url):
    screen = Terminal(program=PROGRAM.format(url=url, environment={"TERM": "dumb"}))
    try:
        screen.wait_for(b"other")
        screen.press(b"\x03")
        assert screen.end() == 0
        assert b"\x1b" not in screen.seen
    finally:
        os.close(screen.side)


def ran(*arguments, **environment):
    command = [sys.executable, "-m", "llmslo_exporter", "top", "--interval=0.1", *arguments]
    found = subprocess.run(
        command, env=os.environ | environment, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert (found.returncode, found.stderr) == (0, b"")
    return found.stdout.decode()


def test_a_pipe_gets_tables_and_json_a_line_each(url):
    text = ran("--url", url, "--count=3")
    assert text.count("WORKLOAD") == 3
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    tables = [json.loads(line) for line in ran("--url", url, "--count=2", "--json").splitlines()]
    assert [sorted(row["calls"] for row in table["rows"]) for table in tables] == [[1, 3]] * 2


def test_an_output_without_the_letters_gets_question_marks(url):
    assert "?" in ran("--url", url, "--count=1", PYTHONIOENCODING="ascii")
