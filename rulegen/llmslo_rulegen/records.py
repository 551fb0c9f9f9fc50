"""What is recorded of an SLO: bad and total events per window, the budget spent, how much of the window is covered.

A record is named after its value and its window; its labels are the SLO's identity and its groups, nothing that a team
might change. Everything stands after what it reads, in one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_rulegen import events, promql, staging
from llmslo_rulegen.counting import Count, When
from llmslo_rulegen.rule import Labels, RecordingRule
from llmslo_rulegen.slo import SlicedSli, Slo, Window
from llmslo_rulegen.staging import HOUR_S

_NAME = "\0"
_SUMMED = "longer windows: hours recorded so far, the hour that runs, less what came before the window"
_COMMENTS = {
    catalog.COVERED_SINCE: "the budget: since when there is data, the share of the window that has some, what is spent",
}
IDS = f"{{{_NAME}}}"  # where an expression that many SLOs share names one: its matchers, in braces


def records(slo: Slo, windows_s: tuple[int, ...]) -> Iterator[RecordingRule]:
    """Yield the records of `slo`: those of burn windows, sorted, then the budget's."""
    labels = identity_labels(slo)
    if isinstance(slo.sli, SlicedSli):
        yield RecordingRule(catalog.SLICE_BAD, events.slices(slo, slo.sli), labels, "the bad share of this instant")
    for window_s in windows_s:
        if not staging.slides(window_s):
            count = Count(When.NOW, window_s, slo.scrape_interval_s)
            comment = f"all events and the bad ones of the last {promql.duration(window_s)}"
            yield from _counted(slo, count, f"{catalog.INCREASE}{promql.duration(window_s)}", comment)
    hour, so_far = (Count(when, HOUR_S, slo.scrape_interval_s) for when in (When.HOUR, When.SO_FAR))
    yield from _counted(slo, hour, catalog.HOUR, "of the last full hour of the clock")
    yield from _counted(slo, so_far, catalog.HOUR_SO_FAR, "since that hour's end; a counter's restart is told apart")
    for place, (record, template) in enumerate(
        _staged(tuple(filter(staging.slides, windows_s)), slo.window, slo.budget)
    ):
        comment = _COMMENTS.get(record, "") if place else _SUMMED
        yield RecordingRule(record, named(template, slo), labels, comment)
    yield RecordingRule(catalog.INFO, "vector(1)", _info(slo), "what was promised: labels of the SLO file, no value")


def period(window: Window) -> str:
    """Return the ending of the records of a budget's window."""
    return f"{catalog.INCREASE}{promql.duration(window.seconds)}"


def named(template: str, slo: Slo) -> str:
    """Return an expression that many SLOs share as that of `slo`."""
    return template.replace(_NAME, events.identity(slo)[1:-1])


def identity_labels(slo: Slo) -> Labels:
    """Return the static labels of every record."""
    return ((catalog.SERVICE_LABEL, slo.service), (catalog.SLO_LABEL, slo.name))


def _counted(slo: Slo, count: Count, ending: str, comment: str) -> Iterator[RecordingRule]:
    labels = identity_labels(slo)
    yield RecordingRule(f"{catalog.TOTAL}{ending}", events.total_events(slo, count), labels, comment)
    total = promql.summed(f"{catalog.TOTAL}{ending}{events.identity(slo)}", slo.group_by)
    yield RecordingRule(f"{catalog.BAD}{ending}", events.bad_events(slo, count, total), labels)


@lru_cache(maxsize=256)
def _staged(windows_s: tuple[int, ...], window: Window, budget: Decimal) -> tuple[tuple[str, str], ...]:
    """Return what is summed from records, as pairs of name and expression: the same for every SLO of such windows."""
    found: list[tuple[str, str]] = []
    for name in (catalog.TOTAL, catalog.BAD):
        found += [
            (f"{name}{catalog.INCREASE}{promql.duration(each_s)}", staging.sliding(name, IDS, each_s))
            for each_s in windows_s
        ]
        if staging.needs_days(window):
            found.append((f"{name}{catalog.DAY}", staging.day(name, IDS)))
            found.append((f"{name}{catalog.DAY_SO_FAR}", staging.day_so_far(name, IDS)))
        found.append((f"{name}{period(window)}", staging.of_budget(name, IDS, window)))
    found.append((catalog.COVERED_SINCE, staging.begin(IDS, window)))
    found.append((catalog.COVERED, staging.covered(IDS, window, f"{catalog.TOTAL}{period(window)}{IDS}")))
    found.append((catalog.SPENT, _spent(period(window), budget)))
    return tuple(found)


def _spent(ending: str, budget: Decimal) -> str:
    """Return the share of the budget that is gone, 1 for all of it.

    bad / (allowed x total x window / covered): while the window is not full, a budget for all of it is foretold.
    """
    bad, total = (f"{name}{ending}{IDS}" for name in (catalog.BAD, catalog.TOTAL))
    return f"{bad} / ({total} > 0) * {catalog.COVERED}{IDS} / {promql.number(budget)} or 0 * {total}"


def _info(slo: Slo) -> Labels:
    length = slo.window.calendar.value if slo.window.calendar else promql.duration(slo.window.seconds)
    own = {catalog.OBJECTIVE: promql.number(slo.objective), catalog.WINDOW_LABEL: length}
    return tuple(sorted((dict(slo.labels) | own | dict(identity_labels(slo))).items()))
