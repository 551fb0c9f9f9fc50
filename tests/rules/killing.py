"""Does promtool see it? The generated tests of an SLO are run against its rules, and against spoilt ones."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmslo_rulegen.rule import AlertRule, Group, Rule

TIMEOUT_S = 120
SHORT_S = 4 * 1800  # a case up to here costs next to nothing: most mutants end there


@dataclass(frozen=True, slots=True)
class Verdict:
    """`passed`: promtool found nothing wrong; `text`: what it said."""

    passed: bool
    text: str


class Bench:
    """The generated tests of one SLO, in a folder, the short ones apart from the long ones."""

    def __init__(self, folder: Path, file: dict[str, Any]) -> None:
        self._folder = folder
        self._parts = []
        cases = sorted(file["tests"], key=last_instant)
        for name, group in itertools.groupby(cases, key=lambda case: last_instant(case) > SHORT_S):
            path = folder / f"tests-{int(name)}.json"
            path.write_text(json.dumps({**file, "rule_files": ["rules.json"], "tests": list(group)}))
            self._parts.append(path.name)

    def run(self, groups: Sequence[Group]) -> Verdict:
        """Run the tests against `groups`, up to the first part that fails."""
        (self._folder / "rules.json").write_text(json.dumps(data(groups)))
        verdict = Verdict(passed=True, text="")
        for part in self._parts:
            verdict = promtool(self._folder, part)
            if not verdict.passed:
                break
        return verdict


def last_instant(case: dict[str, Any]) -> int:
    """Return the last instant a test looks at, in seconds."""
    checks = (*case.get("alert_rule_test", ()), *case.get("promql_expr_test", ()))
    return max(int(check["eval_time"].removesuffix("s")) for check in checks)


def promtool(folder: Path, file: str) -> Verdict:
    """Run `promtool test rules`; a run that does not end counts as one that fails."""
    try:
        done = subprocess.run(
            ["promtool", "test", "rules", file],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(passed=False, text="timeout")
    return Verdict(done.returncode == 0, done.stdout + done.stderr)


def data(groups: Sequence[Group]) -> dict[str, Any]:
    """Return a rule file as data: JSON is YAML too."""
    return {"groups": [{"name": group.name, "rules": [_rule(rule) for rule in group.rules]} for group in groups]}


def _rule(rule: Rule) -> dict[str, Any]:
    if not isinstance(rule, AlertRule):
        return {"record": rule.record, "expr": rule.expr, "labels": dict(rule.labels)}
    times = {"for": rule.for_s, "keep_firing_for": rule.keep_firing_s}
    return {
        "alert": rule.alert,
        "expr": rule.expr,
        **{name: f"{seconds}s" for name, seconds in times.items() if seconds},
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }
