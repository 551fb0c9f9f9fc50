"""Two alerts that nobody can tell apart."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import identities
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.rule import AlertRule


def ask(case: Case) -> Iterator[Spot]:
    """Ask each alert of a team's rule files for a name and labels of its own, as Alertmanager tells alerts apart."""
    for rule, first in identities.doubled(case, AlertRule):
        text = f"alert {rule.name[:120]} with the same labels stands twice, {first} is the other: one ends the other"
        yield Spot(rule.place, text, rule.fix, token=rule.name)


LINT = Lint("rules/duplicate-alert", Level.ERROR, "two alerts of one name and the same labels", ask, Need.RULES)
