"""A fallback to 0 on one side only."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import templates
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask templates for `or vector(0)`: it drops labels, and hides a missing target (slo-rules 5.1, 4)."""
    for slo in case.slos:
        parts = written.parts(slo.sli)
        filled = [part for part in parts if templates.fills_with_zero(part.text)]
        for part in filled:
            side = part.at[-1]
            why = "a missing target stays unseen" if side == "total" else "the rules fill bad with 0 where total is"
            one = "of one side only " if 0 < len(filled) < len(parts) else ""
            yield Spot(
                slo.place,
                f"`or vector(0)` {one}drops labels, and {why}",
                "take `or vector(0)` out",
                part.at,
                "vector(0",
            )


LINT = Lint("sli/fallback", Level.WARNING, "a fallback to 0, on one side or on both", ask)
