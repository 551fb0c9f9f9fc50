"""A window that is longer than Prometheus keeps its data."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask each window whether what the command line or the server says of retention covers it and an hour."""
    kept_s = case.retention_s
    if kept_s is None and case.server is not None:
        kept_s = case.server.retention_s()
    if kept_s is None:
        return
    for slo in case.slos:
        needed_s = slo.window.seconds + 3600
        if kept_s < needed_s:
            days = -(-needed_s // durations.DAY_S)
            text = f"a window of {durations.show(slo.window.seconds)} is summed over data that is kept for"
            fix = f"run Prometheus with --storage.tsdb.retention.time={days}d or more, or write a shorter `window`"
            yield Spot(slo.place, f"{text} {durations.show(kept_s)} only", fix, ("window",))


LINT = Lint("window/retention", Level.ERROR, "retention shorter than the window", ask, Need.RETENTION)
