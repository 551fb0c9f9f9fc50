"""A latency objective above the time at which clients give up by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations, measures
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import CatalogSli, HistogramSli, Sli

# Of OpenAI's and Anthropic's SDKs, which most clients are built on; LiteLLM's proxy has the same.
TIMEOUT_S = 600.0
_FIX = "write what users wait for, such as `threshold: 30s`"


def ask(case: Case) -> Iterator[Spot]:
    """Ask each threshold of time whether a request may still be under way then."""
    for slo in case.slos:
        threshold_s = _seconds(slo.sli)
        if threshold_s is not None and threshold_s >= TIMEOUT_S:
            what = f"a threshold of {durations.show(threshold_s)} is not below the SDKs' own timeout of"
            text = f"{what} {durations.show(TIMEOUT_S)}: slower requests end as errors, so none is ever too slow"
            yield Spot(slo.place, text, _FIX, ("threshold",))


def _seconds(sli: Sli) -> float | None:
    if isinstance(sli, CatalogSli):
        measure = measures.measure(sli.name, sli.source)
        return sli.threshold if measure is not None and measure.is_time else None
    is_time = isinstance(sli, HistogramSli) and "seconds" in sli.selector.split("{")[0]
    return sli.threshold if isinstance(sli, HistogramSli) and is_time else None


LINT = Lint("sli/timeout", Level.WARNING, "a latency objective above the SDKs' own timeout", ask)
