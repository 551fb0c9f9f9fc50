"""A selector that matches no series of a Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import events
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.promql import selector
from llmslo_rulegen.slo import CatalogSli, Slo

_RANGE = "1h"


def ask(case: Case) -> Iterator[Spot]:
    """Ask the server for a series of the last hour that each selector of all events takes; errors may be missing."""
    if case.server is None:
        return
    for slo in case.slos:
        for at, text, name in _selectors(slo):
            if case.server.ask(f"count(last_over_time({text}[{_RANGE}]))"):
                continue
            is_there = case.server.ask(f"count(last_over_time({name}[{_RANGE}]))") if text != name else ()
            what = (
                f"{name} has {is_there[0].value:.0f} series, none with these labels"
                if is_there
                else f"no {name} is there"
            )
            fix = (
                f"correct the labels in `{text[:120]}`"
                if is_there
                else "look whether its targets are scraped, or its name"
            )
            yield Spot(slo.place, f"nothing matches: {what}", fix, at, name if at != ("select",) else "")


def _selectors(slo: Slo) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield where each stands, the selector, and its metric's name."""
    if isinstance(slo.sli, CatalogSli):
        at = ("select",) if slo.sli.select else ("sli",)
        for text in events.counters(slo):
            yield at, text, text.split("{")[0]
        return
    parts = written.parts(slo.sli)
    for part in parts if len(parts) == 1 else parts[1:]:
        for use in part.uses:
            if use.name:
                name = f"{use.name}_count" if part.at[-1] == "histogram" else use.name
                yield part.at, selector(name, use.matchers), name


LINT = Lint("online/no-series", Level.ERROR, "a selector that matches no series", ask, Need.PROMETHEUS)
