"""What can be counted after the fact: the records that the rules of an SLO read back in time.

`promtool tsdb create-blocks-from rules` evaluates each rule for all of the past before the next one, against what the
server has, so a rule sees nothing that another one of the same run records. Rules made for that would record wrong
values where they fill a gap with 0 because a source is not there yet. These count from the counters alone, or give
nothing until a run before has recorded what they read: slices of time first, then hours, then days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmslo_exporter import catalog
from llmslo_rulegen import events, records, staging
from llmslo_rulegen.counting import HOUR_S, Count, When
from llmslo_rulegen.rule import Group, RecordingRule
from llmslo_rulegen.slo import SlicedSli, Slo


def groups(slos: Iterable[Slo]) -> Iterator[Group]:
    """Yield the rules of each SLO."""
    for slo in slos:
        yield Group(f"backfill-{slo.id}", tuple(_rules(slo)))


def runs(slo: Slo) -> int:
    """Return how often promtool must evaluate the rules of an SLO until all is recorded."""
    return 1 + isinstance(slo.sli, SlicedSli) + staging.needs_days(slo.window)


def _rules(slo: Slo) -> Iterator[RecordingRule]:
    labels = records.identity_labels(slo)
    if isinstance(slo.sli, SlicedSli):
        yield RecordingRule(catalog.SLICE_BAD, events.slices(slo, slo.sli), labels)
    for when, ending in ((When.HOUR, catalog.HOUR), (When.SO_FAR, catalog.HOUR_SO_FAR)):
        count = Count(when, HOUR_S, slo.scrape_interval_s)
        total = events.total_events(slo, count)
        yield RecordingRule(f"{catalog.TOTAL}{ending}", total, labels)
        yield RecordingRule(f"{catalog.BAD}{ending}", events.bad_events(slo, count, f"({total})"), labels)
    if staging.needs_days(slo.window):
        ids = events.identity(slo)
        for name in (catalog.TOTAL, catalog.BAD):
            yield RecordingRule(f"{name}{catalog.DAY}", staging.day(name, ids), labels)
            yield RecordingRule(f"{name}{catalog.DAY_SO_FAR}", staging.day_so_far(name, ids), labels)
