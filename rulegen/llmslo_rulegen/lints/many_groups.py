"""More budgets than a Prometheus should keep."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import events, promql
from llmslo_rulegen.finding import Level
from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot

MOST_SERIES = 20_000  # of one SLO; a Prometheus of 8 GB holds about two million


def ask(case: Case) -> Iterator[Spot]:
    """Ask the server how many values `group_by` has, times the series that are recorded of each."""
    if case.server is None:
        return
    for slo in case.slos:
        counters = events.counters(slo)[:1] if slo.group_by else ()
        for counter in counters:
            by = promql.summed(f"last_over_time({counter}[1h])", slo.group_by)
            answers = case.server.ask(f"count({by})")
            rules = sum(len(group.rules) for group in groups(slo, sloth=case.sloth))
            count = answers[0].value if answers else 0
            if count * rules > MOST_SERIES:
                text = f"{count:,.0f} groups of {rules} rules are {count * rules:,.0f} series, {MOST_SERIES:,} are many"
                yield Spot(slo.place, text, "group by less, or narrow `select`", ("group_by",))


LINT = Lint("online/groups", Level.WARNING, "group_by has too many values on the server", ask, Need.PROMETHEUS)
