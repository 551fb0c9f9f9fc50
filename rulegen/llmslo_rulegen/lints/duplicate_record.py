"""Two rules that record the same series."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import identities
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.rule import RecordingRule


def ask(case: Case) -> Iterator[Spot]:
    """Ask each record of a team's rule files whether another rule, theirs or one rendered, writes the same series."""
    for rule, first in identities.doubled(case, RecordingRule):
        text = (
            f"{rule.name[:120]} with the same labels is recorded twice, {first} does it too: one overwrites the other"
        )
        yield Spot(rule.place, text, rule.fix, token=rule.name)


LINT = Lint("rules/duplicate-record", Level.ERROR, "two rules record the same series", ask, Need.RULES)
