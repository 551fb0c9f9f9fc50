"""A selector that matches no series of a Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import events
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case, Server
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.promql import selector
from llmslo_rulegen.slo import CatalogSli, HistogramSli, Slo

_RANGE = "1h"


def ask(case: Case) -> Iterator[Spot]:
    """Ask the server for an hour's series that total counts; those of errors may be missing until the first."""
    if case.server is None:
        return
    for slo in case.slos:
        found = _selectors(slo)
        if not found or any(_count(case.server, text) for _, text, _ in found):
            continue
        at, text, name = found[0]
        count = _count(case.server, name) if text != name else 0
        what = f"{name} has {count:.0f} series, none with these labels" if count else f"no {name} is there"
        fix = f"correct the labels in `{text[:120]}`" if count else "look whether its targets are scraped, or its name"
        yield Spot(slo.place, f"nothing matches: {what}", fix, at, name if at != ("select",) else "")


def _count(server: Server, text: str) -> float:
    answers = server.ask(f"count(last_over_time({text}[{_RANGE}]))")
    return answers[0].value if answers else 0.0


def _selectors(slo: Slo) -> list[tuple[tuple[str, ...], str, str]]:
    """Return where each selector of total stands, the selector, and its metric's name."""
    if isinstance(slo.sli, CatalogSli):
        at = ("select",) if slo.sli.select else ("sli",)
        return [(at, text, text.split("{")[0]) for text in events.counters(slo)]
    part = written.parts(slo.sli)[-1]
    ending = "_count" if part.at[-1] == "histogram" and isinstance(slo.sli, HistogramSli) and not slo.sli.native else ""
    named = [(f"{use.name}{ending}", use.matchers) for use in part.uses if use.name]
    return [(part.at, selector(name, matchers), name) for name, matchers in named]


LINT = Lint("online/no-series", Level.ERROR, "a selector that matches no series", ask, Need.PROMETHEUS)
