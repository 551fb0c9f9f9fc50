"""Two templates that count the same events."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import EventsSli


def ask(case: Case) -> Iterator[Spot]:
    """Ask each pair of templates whether they differ, by their syntax trees."""
    for slo in case.slos:
        if not isinstance(slo.sli, EventsSli):
            continue
        judged, total = written.parts(slo.sli)
        if judged.tree.prettify() == total.tree.prettify():
            side = judged.at[-1]
            always = "every event is bad" if side == "bad" else "no event is bad"
            fix = f"narrow {side} to the events that are {side}, by a matcher such as" + ' `code=~"5.."`'
            yield Spot(slo.place, f"{side} and total count the same, so {always}", fix, judged.at)


LINT = Lint("sli/same-events", Level.ERROR, "bad or good is the same as total", ask)
