"""An SLO that does not say what it promises."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask each SLO for a description, which alerts and runbooks show."""
    for slo in case.slos:
        if not slo.description:
            fix = "add `description: ...`, what users get, in one sentence"
            yield Spot(slo.place, "nothing says what is promised, in the words of those who are promised it", fix)


LINT = Lint("alert/description", Level.NOTE, "an SLO without a description", ask)
