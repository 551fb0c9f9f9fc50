"""Simulated traffic through the rendered rules: promtool says in which minutes each alert fires.

`python -m tests.rules.replay` replays random outages at random objectives, windows and rates; it exits 1 when a minute
of a page tier differs from the simulation that tests/rules/reach.py counts with.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from llmslo_rulegen import groups, yaml_text
from llmslo_rulegen.rule import AlertRule, Rule
from llmslo_rulegen.slo import Alerting, EventFunction, EventsSli, Place, Slo, Window
from llmslo_rulegen.tier import Severity
from llmslo_rulegen.tiers import solve
from tests.rules.simulation import Counts, Traffic, firings, poisson

LIMIT_S = 100
TRACES = 30
OBJECTIVES = ("50", "55", "60", "70", "80", "85", "90", "95", "97", "99", "99.5", "99.9", "99.99")


@dataclass(frozen=True, slots=True)
class Trace:
    """One row of traffic for one SLO, and the minutes (of `spans`: start, end) in which each page tier fires."""

    name: str
    objective: Decimal
    window_d: int
    traffic: Traffic
    spans: Mapping[str, Sequence[tuple[int, int]]]

    def slo(self) -> Slo:
        """Return the SLO with its two page tiers; every trace counts on metrics of its own."""
        bad, total = (f"sum(rate({self.name}_{each}_total[{{{{window}}}}]))" for each in ("failed", "calls"))
        return Slo(
            "replay",
            self.name,
            EventsSli(total, EventFunction.RATE, bad=bad),
            self.objective,
            Window(self.window_d * 86_400),
            Alerting(self.name, disabled=frozenset({Severity.TICKET})),
            Place("replay.yaml", 1),
        )


def simulated(name: str, objective: Decimal, window_d: int, traffic: Traffic) -> Trace:
    """Return `traffic` with what the simulation says of the solved page tiers."""
    tiers = solve(objective, window_d * 86_400, 60)
    budget = float(1 - objective / 100)
    spans = {
        tier.name: [(found.start, found.end) for found in firings(traffic, tiers, tier, budget)]
        for tier in tiers
        if tier.severity is Severity.PAGE
    }
    return Trace(name, objective, window_d, traffic, spans)


def differences(trace: Trace, folder: Path) -> str:
    """Return what promtool finds other than `spans` say; empty: every minute of every tier agrees."""
    rules = tuple(replace(group, rules=_needed(group.rules)) for group in groups.groups(trace.slo(), sloth=False))
    (folder / "rules.yaml").write_text(yaml_text.rules(rules))
    test = {"interval": "1m", "input_series": _series(trace), "promql_expr_test": _checks(trace)}
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(whole))
    found = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return "" if found.returncode == 0 else (found.stdout + found.stderr).strip()


def _needed(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Keep the burn alerts and what they read, however far above: the budget's records cost most of the time."""
    kept: list[Rule] = []
    for rule in reversed(rules):
        if isinstance(rule, AlertRule) or any(f"{rule.record}{{" in each.expr for each in kept):
            kept.insert(0, rule)
    return tuple(kept)


def _series(trace: Trace) -> list[dict[str, str]]:
    def counter(name: str, sums: Counts) -> dict[str, str]:
        return {"series": f'{trace.name}_{name}_total{{job="x"}}', "values": " ".join(map(str, sums[0].tolist()))}

    return [counter("failed", trace.traffic.bad), counter("calls", trace.traffic.total)]


def _checks(trace: Trace) -> list[dict[str, object]]:
    checks: list[dict[str, object]] = []
    for tier, spans in trace.spans.items():
        fires = [0] * trace.traffic.minutes
        for start, end in spans:
            fires[start:end] = [1] * (end - start)
        expression = f'sum(ALERTS{{alertname="{trace.name}",tier="{tier}",alertstate="firing"}}) or vector(0)'
        # Column t is seen whole at minute t + 1.
        checks += [
            {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
            for minute, value in enumerate(fires, start=1)
        ]
    return checks


def _random(rng: np.random.Generator, number: int) -> Trace:
    objective = Decimal(str(rng.choice(OBJECTIVES)))
    budget = float(1 - objective / 100)
    during = int(rng.integers(60, 140))
    bad_share = np.full(40 + during + 80, budget / 2)
    bad_share[40 : 40 + during] = max(rng.choice((1, 0.9, 0.6)), min(1, 3 * budget))
    traffic = poisson(rng, 1, float(rng.choice((10, 20, 50, 200, 1000))), bad_share)
    return simulated(f"trace{number}", objective, int(rng.choice((1, 3, 7, 14, 30))), traffic)


def main() -> int:
    """Replay TRACES outages."""
    rng = np.random.default_rng(99)
    minutes = firing = differing = 0
    for number in range(TRACES):
        trace = _random(rng, number)
        with TemporaryDirectory() as folder:
            found = differences(trace, Path(folder))
        minutes += trace.traffic.minutes * len(trace.spans)
        firing += sum(end - start for spans in trace.spans.values() for start, end in spans)
        differing += found.count("got:")
        if found:
            print(f"{trace.objective} % {trace.window_d}d {dict(trace.spans)}\n{found}")
    print(f"{TRACES} outages, {minutes} minutes of page tiers, {firing} of them firing: {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
