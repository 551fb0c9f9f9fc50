"""An objective that the count of events cannot tell from a better one."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import volume
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.promql import number
from llmslo_rulegen.slo import SlicedSli


def ask(case: Case) -> Iterator[Spot]:
    """Ask each SLO whether its budget is one event at least; slices of time are counted, events have to be told."""
    for slo in case.slos:
        per_hour = volume.per_hour(slo, case)
        if per_hour is None:
            continue
        events = per_hour * slo.window.seconds / 3600
        allowed = events * float(slo.budget)
        if allowed < 1:
            what = "minutes" if isinstance(slo.sli, SlicedSli) else "events"
            lower = volume.objective_for(events)
            yield Spot(
                slo.place,
                f"of {events:,.3g} {what} in {durations.show(slo.window.seconds)} {number(slo.objective)} % allows "
                f"{allowed:.2g} bad ones: a single one breaks the promise",
                f"write `objective: {lower}` or less, or a longer window" if lower else "write a longer window",
                ("objective",),
            )


LINT = Lint("objective/volume", Level.WARNING, "an objective that the volume cannot measure", ask)
