"""Changes of SLOs in words: for a terminal, for a review comment, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from llmslo_rulegen import durations
from llmslo_rulegen.changes import EVENTS, OUTAGES, Budget, Change, Kind, Said, Told
from llmslo_rulegen.finding import printable
from llmslo_rulegen.reading_cost import Cost
from llmslo_rulegen.slo import Window

_T = TypeVar("_T")
_MOST = 200  # characters of a value; whoever writes more reads it in the file
_DOES = {
    "alert": "routes and silences by the old name no longer meet it",
    "alert label": "on its alerts only",
    "label": "on alerts and on slo:info only, no budget begins anew",
    "annotation": "on its alerts only",
    "expressions": "rendered with other options, by another version, or edited by hand",
    "description": "in alerts and in the runbook",
    "runbook_url": "on its alerts only",
    "dashboard_url": "on its alerts only",
    "page": "nobody is woken while it is off",
    "ticket": "no ticket is left while it is off",
}


def text(changes: Sequence[Change]) -> str:
    """Return lines for a terminal; nothing where nothing changed."""
    found: list[str] = []
    for change in changes:
        found += [_title(change), *(f"  {line}" for line in sentences(change)), ""]
    return "".join(f"{line}\n" for line in (*found, *([_summary(changes)] if changes else [])))


def markdown(changes: Sequence[Change]) -> str:
    """Return a review comment in Markdown; nothing where nothing changed."""
    found = [f"**SLOs: {_summary(changes)}**", ""] if changes else []
    for change in changes:
        name = f"{_code(change.was)} to {_code(change.id)}" if change.was else _code(change.id)
        found += [f"#### {name}: {change.kind.value} ({_code(change.place)})", ""]
        found += [f"- {line}" for line in sentences(change, _code)]
        found += ["", *_table(change)]
    return "".join(f"{line}\n" for line in found)


def as_json(changes: Sequence[Change]) -> str:
    """Return the same as data: shares, events, minutes, seconds."""
    return json.dumps({"changes": [_record(change) for change in changes]}, indent=2) + "\n"


def _plain(value: str) -> str:
    return value


def _code(value: str) -> str:
    """Return a value as code, in which Markdown has no meaning."""
    fence = "`" * (max((len(run) for run in _runs(value)), default=0) + 1)
    pad = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{fence}{pad}{value}{pad}{fence}"


def _runs(value: str) -> list[str]:
    return "".join(char if char == "`" else " " for char in value).split()


def sentences(change: Change, quoted: Callable[[str], str] = _plain) -> Iterator[str]:
    """Yield what there is to say of one SLO, a line each; `quoted` marks values that a team wrote."""
    if change.kind is Kind.REMOVED:
        yield "its records and alerts end; `render --prune` takes its files away"
    for said in change.said:
        yield _sentence(said, quoted)
    if change.budgets is not None:
        yield _budgets(*change.budgets)
    yield from (_tells(*pair) for pair in change.told)
    if change.costs is not None:
        yield _costs(*change.costs)
    if change.mixed is not None:
        yield f"other events count from now on: for {_length(change.mixed)} the budget is made of both"
    if change.begins_anew is not None:
        of = f", one for each {', '.join(change.begins_anew)}" if change.begins_anew else ""
        yield f"the budget begins anew{of}: its records have other labels, back-fill them to keep the past"


def _sentence(said: Said, quoted: Callable[[str], str]) -> str:
    name = f"{said.what} {quoted(said.name)}" if said.name and said.what != "select" else said.what
    before, after = (None if value is None else quoted(_short(value)) for value in (said.before, said.after))
    if said.before is None:
        found = f"{name} is {after}"
    elif said.after is None:
        found = f"{name} was {before}, and is gone"
    else:
        found = f"{name} {before} -> {after}"
    does = _compared(said) or _DOES.get(said.what, "")
    return f"{found}: {does}" if does else found


def _compared(said: Said) -> str:
    """Return whether a promise is kept more easily."""
    if said.before is None or said.after is None:
        return ""
    if said.what == "objective":
        old, new = (float(value.removesuffix(" %")) for value in (said.before, said.after))
        return "stricter" if new > old else "looser"
    if said.what == "threshold":
        lengths = [durations.parse(value) for value in (said.before, said.after)]
        if lengths[0] is not None and lengths[1] is not None:
            return "looser" if lengths[1] > lengths[0] else "stricter"
    return ""


def _budgets(before: Budget | None, after: Budget | None) -> str:
    pairs = [
        [_percent(one.share), f"{one.events:,.0f}", _time(float(one.minutes) * 60)]
        for one in (before, after)
        if one is not None
    ]
    share, events, minutes = (" -> ".join(dict.fromkeys(values)) for values in zip(*pairs, strict=True))
    return f"budget: {share} of the events, {events} of {EVENTS:,}; {minutes} of total outage"


def _tells(before: Told | None, after: Told | None) -> str:
    one = after or before
    if one is None:
        return ""
    tier = one.tier
    if after is None:
        return f"{tier.name} ({tier.severity.value}) is gone"
    pairs = [found for found in (before, after) if found is not None]
    factor, long, short, severity = (
        " -> ".join(dict.fromkeys(values))
        for values in zip(
            *(
                (f"{p.tier.factor:g}", _time(p.tier.long_s), _time(p.tier.short_s), p.tier.severity.value)
                for p in pairs
            ),
            strict=True,
        )
    )
    outages = (f"{share:.0%} bad {_afters([p.after_s[number] for p in pairs])}" for number, share in enumerate(OUTAGES))
    gates = " -> ".join(dict.fromkeys(str(p.tier.min_bad) for p in pairs))
    least = f", not before {gates} bad events" if gates != "0" else ""
    new = "" if before is not None else " is new"
    return f"{tier.name} ({severity}){new}: burn {factor} over {long} and {short}{least}; tells of {', '.join(outages)}"


def _afters(seconds: Sequence[float | None]) -> str:
    """Return `after 12m -> 7m30s`, `never -> after 3h`, or one where both are alike."""
    shown = [None if one is None else _time(one) for one in seconds]
    if all(shown):
        return f"after {' -> '.join(dict.fromkeys(map(str, shown)))}"
    return " -> ".join(dict.fromkeys("never" if one is None else f"after {one}" for one in shown))


def _costs(before: Cost | None, after: Cost | None) -> str:
    found = [one for one in (before, after) if one is not None]
    series, samples = (
        " -> ".join(dict.fromkeys(values))
        for values in zip(*((f"{c.series:,}", f"{c.samples:,}") for c in found), strict=True)
    )
    if after is None:
        return f"cost: {series} series and {samples} samples read an evaluation less"
    return f"cost: {series} series, {samples} samples read an evaluation, for each group and one series a selector"


def _title(change: Change) -> str:
    name = f"{change.was} -> {change.id}" if change.was else change.id
    return printable(f"{change.kind.value} {name} ({change.place})")


def _summary(changes: Sequence[Change]) -> str:
    counts = {kind: sum(change.kind is kind for change in changes) for kind in Kind}
    return ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)


def _table(change: Change) -> Iterator[str]:
    """Yield when each tier tells of an outage, before and after."""
    if not change.told:
        return
    yield "| alert | " + " | ".join(f"{share:.0%} bad" for share in OUTAGES) + " |"
    yield "|---|" + "---|" * len(OUTAGES)
    for before, after in change.told:
        one = after or before
        cells = [
            _afters([p.after_s[number] for p in (before, after) if p is not None])
            + ("" if after is not None else " -> gone")
            for number in range(len(OUTAGES))
        ]
        yield f"| {one.tier.name if one else ''} | {' | '.join(cells)} |"
    yield ""


def _record(change: Change) -> dict[str, object]:
    return {
        "slo": change.id,
        "was": change.was or None,
        "kind": change.kind.value,
        "place": change.place,
        "text": list(sentences(change)),
        "said": [
            {"what": one.what, "name": one.name or None, "before": one.before, "after": one.after}
            for one in change.said
        ],
        "budget": _pair(change.budgets, _of_budget),
        "detection": [
            {"tier": one.tier.name, "before": _of_told(before), "after": _of_told(after)}
            for before, after in change.told
            if (one := after or before) is not None
        ],
        "cost": _pair(change.costs, _of_cost),
        "mixed_for_seconds": change.mixed.seconds if change.mixed is not None else None,
        "begins_anew": change.begins_anew is not None,
    }


def _pair(pair: tuple[_T | None, _T | None] | None, record: Callable[[_T], dict[str, object]]) -> object:
    if pair is None:
        return None
    return {key: None if one is None else record(one) for key, one in zip(("before", "after"), pair, strict=True)}


def _of_budget(one: Budget) -> dict[str, object]:
    return {"share": float(one.share), "events_per_million": float(one.events), "minutes": float(one.minutes)}


def _of_cost(one: Cost) -> dict[str, object]:
    return {"rules": one.rules, "series_per_group": one.series, "samples_per_evaluation": one.samples}


def _of_told(one: Told | None) -> object:
    if one is None:
        return None
    seconds = {f"{share:g}": after for share, after in zip(OUTAGES, one.after_s, strict=True)}
    return {
        "severity": one.tier.severity.value,
        "factor": one.tier.factor,
        "long_seconds": one.tier.long_s,
        "short_seconds": one.tier.short_s,
        "min_bad": one.tier.min_bad,
        "detection_seconds": seconds,
    }


def _short(value: str) -> str:
    found = printable(" ".join(value.split()))
    return found if len(found) <= _MOST else f"{found[:_MOST]}..."


def _length(window: Window) -> str:
    return f"a {window.calendar.value}" if window.calendar else _time(window.seconds)


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _time(seconds: float) -> str:
    """Return a length to the precision that matters: seconds below ten minutes, minutes above."""
    step = 1 if seconds < 600 else 60  # noqa: PLR2004 -- ten minutes
    return durations.show(max(step, round(seconds / step) * step))
