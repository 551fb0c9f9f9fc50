"""A comparison with Sloth's rules in words, for whoever has to approve it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from llmslo_rulegen import durations
from llmslo_rulegen.against_sloth import GONE, NEW, RELABELLED, SAME, Alert, Comparison, Detection, Record, SloChange

_BACKFILL = (
    "promtool tsdb create-blocks-from rules --url=http://prometheus:9090 --eval-interval=5m"
    ' --start="$(date -ud \'{days} days ago\' +%s)" --end="$(date -u +%s)" --output-dir=blocks backfill.yaml'
)
_MINUTES_S = 600


def text(found: Comparison, files: Iterable[str]) -> str:
    """Return paragraphs, one SLO after the other, then what holds for all; `files` are those of the SLOs."""
    lines: list[str] = []
    for change in found.changes:
        lines += [*_slo(change), ""]
    for ids, what in ((found.gone, "is in the old rules only: give its SLO too, or lose it"), (found.new, "is new")):
        lines += [f"{one}: {what}." for one in ids]
    if found.changes:
        lines += ["" if found.gone or found.new else None, *_budgets(found.changes, files)]  # type: ignore[list-item]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _slo(change: SloChange) -> Iterator[str]:
    yield f"{change.id}:"
    yield from _promise(change)
    yield from _records(change)
    yield from _alerts(change.alerts)
    yield from _detections(change.detections)


def _promise(change: SloChange) -> Iterator[str]:
    old, new = change.old, change.new
    budget = f"{new.events:,.0f} bad events of a million, {_time(new.minutes * 60)} of total outage"
    if old is None:
        yield f"  The old rules tell no objective; now: {new.objective:g} % over {_days(new.window_s)}, {budget}."
    elif (old.objective, old.window_s) == (new.objective, new.window_s):
        yield f"  The promise stays: {new.objective:g} % over {_days(new.window_s)}, that is {budget}."
    else:
        budget_was = f"{old.events:,.0f} of a million, {_time(old.minutes * 60)}"
        was = f"{old.objective:g} % over {_days(old.window_s)} ({budget_was})"
        yield f"  The promise CHANGES from {was} to {new.objective:g} % over {_days(new.window_s)}: {budget}."
    if change.averages_ratios:
        yield "  Budget spent was the mean of five-minute ratios, in which a quiet hour weighs as much as a busy one;"
        yield "  now it is bad events by all events: with uneven traffic the number differs, an idle hour makes no NaN."


def _records(change: SloChange) -> Iterator[str]:
    by = {
        identity: [one for one in change.records if one.identity == identity]
        for identity in (SAME, RELABELLED, GONE, NEW)
    }
    kept = [one for one in by[SAME] + by[RELABELLED] if one.is_expression_kept]
    if by[SAME]:
        yield f"  {len(by[SAME])} records keep name and labels: {_names(by[SAME])}."
    if by[RELABELLED]:
        yield f"  {len(by[RELABELLED])} records keep their name, not all labels: {_names(by[RELABELLED])}."
        yield f"    {_labels(by[RELABELLED])}; a query by sloth_id finds both."
    if by[GONE]:
        yield f"  {len(by[GONE])} records are gone: {_names(by[GONE])}."
    stays = len(by[SAME]) + len(by[RELABELLED])
    if stays:
        yield f"  Of these {stays}, {len(kept)} keep their expression{f': {_names(kept)}' if kept else ''}."
        yield f"  {stays - len(kept)} change it: they are computed from counted events."
    yield f"  {len(by[NEW])} records are new (slo:bad_events..., slo:total_events..., what the budget is made of)."


def _alerts(found: Sequence[Alert]) -> Iterator[str]:
    for one in found:
        about = f"  Alert {one.name} ({one.severity})"
        if one.identity == NEW:
            yield f"{about} is new."
        elif one.identity == GONE:
            yield f"{about} is GONE: no rule of that name and severity is made."
        else:
            changed = f"; {', '.join(one.without)} has another value" if one.without else ""
            more = f"; further labels: {', '.join(one.more)}" if one.more else ""
            yield f"{about} keeps its name and sloth_severity, as {one.rules} rules, one for each tier{changed}{more}."


def _detections(found: Sequence[Detection]) -> Iterator[str]:
    for one in found:
        was, now = (_told(seconds) for seconds in (one.old_s, one.new_s))
        if was != now:
            yield f"  {one.bad_share:.0%} bad events: the first {one.severity} comes {now} (was: {was})."
        elif one.new_s is not None:
            yield f"  {one.bad_share:.0%} bad events: the first {one.severity} comes {now}, as before."


def _budgets(changes: Iterable[SloChange], files: Iterable[str]) -> Iterator[str]:
    longest = max(change.new.window_s for change in changes)
    days = -(-longest // durations.DAY_S)
    yield "Budgets start again: the events that they are made of are recorded from the moment the new rules are loaded."
    yield f"Until {_days(longest)} have passed, the budget is foretold from what there is."
    yield "To count what Prometheus already has, right before the new rules are loaded:"
    yield f"  llmslo-rulegen backfill {shlex.join(files)} > backfill.yaml"
    yield f"  {_BACKFILL.format(days=days)}"
    yield "Then move the blocks into Prometheus' data; `backfill` says which SLOs need a second run."


def _names(records: Sequence[Record]) -> str:
    return ", ".join(record.name for record in records)


def _labels(records: Sequence[Record]) -> str:
    without = sorted({label for record in records for label in record.without})
    more = sorted({label for record in records for label in record.more})
    parts = [f"without {', '.join(without)} (it is on the info series and the alerts)"] if without else []
    return "; ".join([*parts, *([f"with {', '.join(more)}"] if more else [])])


def _told(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {_time(seconds)}"


def _time(seconds: float) -> str:
    """Return a length to the precision that matters: seconds below ten minutes, minutes above."""
    step = 1 if seconds < _MINUTES_S else 60
    return durations.show(max(step, round(seconds / step) * step))


def _days(seconds: int) -> str:
    return f"{seconds // durations.DAY_S} days"
