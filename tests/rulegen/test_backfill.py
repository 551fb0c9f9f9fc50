"""The past counted by promtool, as docs/slo-file.md says, and budgets that reach back into it."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from llmslo_exporter.catalog import SLO_LABEL, SPENT
from llmslo_rulegen import backfill, cli, yaml_text
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import Calendar, Window
from tests.rules import traffic
from tests.rules.backend import braced, lacks, run, storage
from tests.rules.counters import DAY_S, EPOCH_S, HOUR_S
from tests.rules.examples import AVAILABILITY, EXAMPLES
from tests.rules.judging import off, stretch
from tests.rules.staging import Grid, Job, needed, record

PAGE = (Path(__file__).parents[2] / "docs" / "slo-file.md").read_text()
(COMMAND,) = re.findall(r"^(promtool tsdb create-blocks-from .*?[^\\])$", PAGE, re.DOTALL | re.MULTILINE)
GRID = Grid(300, 215)
LIMIT_S = 240.0

engines = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))


def command(**options):
    """Return the documented command with other values."""
    words = shlex.split(COMMAND.replace("\\\n", " "))
    named = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    assert named.keys() <= {word.partition("=")[0] for word in words}
    return [f"{name}={named[name]}" if (name := word.partition("=")[0]) in named else word for word in words]


@engines
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("own-good", Window(DAY_S)),  # what is bad is what is not good, so no rule of bad events is without another
        ("slices", Window(DAY_S)),
        ("day-night", Window(31 * DAY_S, Calendar.MONTH)),  # on its third day
    ],
)
def test_budgets_reach_back_to_what_was_counted_after_the_fact(tmp_path, name, window):
    (scenario,) = traffic.scenarios([name])
    at_s = (
        (datetime(2026, 2, 3, tzinfo=UTC).timestamp() - EPOCH_S + 7 * HOUR_S) if window.calendar else scenario.asked_s
    )
    at_s = int(at_s) + 7 * 60
    slo = replace(scenario.slo, window=window)
    loaded_s = at_s - 3 * HOUR_S
    begin_s = stretch(window, at_s).from_s - HOUR_S
    # promtool changes into no folder: the name of the file is all that the command says of it.
    (tmp_path / "backfill.yaml").write_text(yaml_text.rules(backfill.groups([slo])))
    rules = needed(groups(slo), [SPENT])
    spent = SPENT + braced({SLO_LABEL: slo.name})
    with storage() as stored:
        stored.fill(scenario.series)
        for number in range(backfill.runs(slo)):
            blocks = tmp_path / f"blocks-{number}"
            with stored.served() as server:
                times = {"start": _iso(begin_s), "end": _iso(loaded_s)}
                interval = "1m" if name == "slices" else "5m"
                words = command(url=server.url, eval_interval=interval, output_dir=blocks, **times)
                run(*words, timeout_s=LIMIT_S, folder=tmp_path)
            stored.add(blocks)
        record(stored, [Job(rules, GRID, (at_s,), from_s=loaded_s)])
        with stored.served() as server:
            ((_, ours),) = server.query(spent, EPOCH_S + GRID.before(at_s)).values
    _, shown = stretch(window, GRID.before(at_s)).spent(scenario)
    assert abs(off(ours, shown)) < 0.001


def _iso(at_s):
    return datetime.fromtimestamp(EPOCH_S + at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_counted_is_named_as_the_rules_name_it(name):
    slo = EXAMPLES[name]
    (found,) = backfill.groups([slo])
    ours = {
        (rule.record, rule.labels): rule.expr
        for group in groups(slo)
        for rule in group.rules
        if hasattr(rule, "record")
    }
    assert all((rule.record, rule.labels) in ours for rule in found.rules)
    # One run sees nothing of itself: hours read slices at most, days read hours.
    assert sum(":hour" in rule.expr for rule in found.rules) == (
        4 if backfill.runs(replace(slo, sli=AVAILABILITY.sli)) > 1 else 0
    )


def test_the_command_prints_rules_that_promtool_takes_and_says_what_needs_another_run(tmp_path, capsys):
    file = tmp_path / "slo.yaml"
    slos = [
        "{name: one, sli: ttft, objective: 95}",
        "{name: two, sli: {good_when: up == 1}, objective: 99, window: 1y}",
    ]
    file.write_text("version: llmslo/v1\nservice: shop\nslos:\n" + "".join(f"  - {slo}\n" for slo in slos))
    out = io.StringIO()
    assert cli.main(["backfill", str(file)], out) == 0
    assert yaml.safe_load(out.getvalue())["groups"][1]["name"] == "backfill-shop-two"
    assert capsys.readouterr().err.startswith("shop-two: give them to promtool 3 times")
    file.write_text("version: llmslo/v1\n")
    assert cli.main(["backfill", str(file)], io.StringIO()) == 1
