"""docs/derive.md is true: its commands run, and its numbers are those of the code."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

from llmslo_rulegen import cli
from llmslo_rulegen.derive import classes, interval, law, promise, review
from tests.derive import baselines, worlds

PAGE = (Path(__file__).parents[2] / "docs" / "derive.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight")


def test_the_commands_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # What is read is told by its bytes, so a baseline may stand for the spans that it was made of.
    baselines.save(tmp_path / "spans.jsonl.gz", baselines.world("mixed models"))
    for command in COMMANDS:
        program, *words = shlex.split(command)
        assert program == "llmslo-rulegen"
        assert cli.main(words, io.StringIO()) == 0, capsys.readouterr().err
    assert (tmp_path / "report.html").exists()


def test_the_ladder_is_that_of_the_code():
    rungs = ", ".join(f"{rung}" for rung in reversed(promise.LADDER))
    assert f"of {rungs} % whose" in PAGE


def test_the_limits_are_those_of_the_code():
    assert f"Fewer than {promise.FEWEST_EVENTS} events" in PAGE
    assert f"Less than {promise.FULL_DAYS} days of history" in PAGE
    assert f"less than {NUMBERS[interval.FEWEST_BLOCKS]} hours" in PAGE
    assert f"{NUMBERS[int(interval.ASSUMED_CLUMPING)]} are then taken for one" in PAGE
    assert f"differ by {NUMBERS[int(classes.APART)]} times" in PAGE
    assert f"more than {NUMBERS[int(review.LOOSE)]} times what was bad" in PAGE
    assert f"chance of {law.CHANCE:.0%}".replace("%", " %") in PAGE.replace("\n  ", " ")


def test_the_worlds_are_as_many_as_it_says():
    changing = sum(world.changes for world in worlds.WORLDS)
    assert f"{len(worlds.WORLDS) - changing} whose law stays and {changing} whose law changes" in PAGE


def test_every_verdict_is_named():
    assert [one.value for one in review.Verdict if f"`{one.value}`" not in PAGE] == []
