"""A group of rules evaluated too seldom for a short window."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.finding import Level
from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import ROOT, Lint, Need, Spot
from llmslo_rulegen.slo import Slo

LONGEST_S = 300  # Prometheus forgets a sample after five minutes: a recorded series would have gaps


def ask(case: Case) -> Iterator[Spot]:
    """Ask each group whose interval is known whether it sees a short window at least once (slo-rules 5.1, 18)."""
    seen: set[str] = set()
    shortest = {name: slo for slo in case.slos for name in (group.name for group in groups(slo, sloth=case.sloth))}
    for rule in case.rules:
        if rule.interval_s is None or f"{rule.place.file} {rule.group}" in seen:
            continue
        seen.add(f"{rule.place.file} {rule.group}")
        longest_s = _longest_s(shortest.get(rule.group))
        if rule.interval_s > longest_s:
            found = f"group {rule.group[:80]} is evaluated every {durations.show(rule.interval_s)}"
            fix = f"write `interval: {durations.show(longest_s)}` or less"
            yield Spot(
                rule.place,
                f"{found}, its short windows need {durations.show(longest_s)}",
                fix,
                (ROOT, *rule.place.path[:-2], "interval"),
            )
    for name, slo in shortest.items() if case.server is not None else ():
        interval_s = case.server.interval_s(name) if case.server is not None else None
        if interval_s is not None and interval_s > _longest_s(slo):
            found = f"the server evaluates group {name} every {durations.show(interval_s)}"
            longest = durations.show(_longest_s(slo))
            fix = f"set Prometheus' evaluation_interval to {longest} or less"
            yield Spot(slo.place, f"{found}, its short windows need {longest}", fix)


def _longest_s(slo: Slo | None) -> int:
    tiers = tiers_of(slo) if slo is not None else ()
    return min([LONGEST_S, *(tier.short_s for tier in tiers)])


LINT = Lint("rules/interval", Level.ERROR, "a group interval too long for a short window", ask, Need.LOADED)
