"""A quantile judged by time, where a histogram counts events."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import SlicedSli

_BUCKET = "_bucket"


def ask(case: Case) -> Iterator[Spot]:
    """Ask each expression that is judged by time for a quantile: one slow call at night weighs as many as by day."""
    for slo in case.slos:
        for part in written.parts(slo.sli) if isinstance(slo.sli, SlicedSli) else ():
            for use in part.uses:
                if "histogram_quantile" in use.calls:
                    base = use.name.removesuffix(_BUCKET)[:80]
                    text = "a quantile judged by time gives a minute of one call the weight of one of a thousand"
                    fix = f"count calls: `sli: {{histogram: {base}}}` with `threshold`, the objective for the quantile"
                    yield Spot(slo.place, text, fix, part.at, "histogram_quantile")
                elif any(one.label == "quantile" for one in use.matchers):
                    text = "quantiles of a summary cannot be added up, neither over instances nor over time"
                    fix = "count calls from a histogram: `sli: {histogram: ...}` with `threshold`"
                    yield Spot(slo.place, text, fix, part.at, "quantile")


LINT = Lint("sli/quantile", Level.WARNING, "a quantile where events could be counted", ask)
