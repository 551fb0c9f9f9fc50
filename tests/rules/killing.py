"""Does promtool see it? The generated tests of an SLO are run against its rules, and against spoilt ones."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmslo_rulegen.rule import AlertRule, Group, Rule

TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """`passed`: promtool found nothing wrong; `text`: what it said."""

    passed: bool
    text: str


class Bench:
    """The generated tests of one SLO, in a folder, each case a file of its own: who has killed most goes first.

    What was seen is kept in `seen`, by the bytes of rules and tests: a second run need not ask promtool again.
    """

    def __init__(self, folder: Path, files: Iterable[dict[str, Any]], seen: Path | None = None) -> None:
        self._folder = folder
        self._seen = seen
        self._kills: Counter[str] = Counter()
        cases = [(last_instant(case), file, case) for file in files for case in file["tests"]]
        self._parts: list[str] = []
        digest = hashlib.sha256()
        for number, (_, file, case) in enumerate(sorted(cases, key=lambda each: each[0])):
            text = json.dumps({**file, "rule_files": ["rules.json"], "tests": [case]})
            digest.update(text.encode())
            (folder / f"case-{number}.json").write_text(text)
            self._parts.append(f"case-{number}.json")
        self._digest = digest

    def run(self, groups: Sequence[Group]) -> Verdict:
        """Run the tests against `groups`, up to the first that fails."""
        text = json.dumps(data(groups))
        digest = self._digest.copy()
        digest.update(text.encode())
        known = self._seen / digest.hexdigest()[:32] if self._seen else None
        if known and known.exists():
            return Verdict(known.read_text() == "", known.read_text())
        (self._folder / "rules.json").write_text(text)
        verdict = self._run()
        if known:
            known.parent.mkdir(parents=True, exist_ok=True)
            known.write_text("" if verdict.passed else verdict.text or "failed")
        return verdict

    def _run(self) -> Verdict:
        for part in sorted(self._parts, key=lambda part: -self._kills[part]):
            verdict = promtool(self._folder, part)
            if not verdict.passed:
                self._kills[part] += 1
                return verdict
        return Verdict(passed=True, text="")


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
