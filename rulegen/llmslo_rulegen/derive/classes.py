"""Traffic classes: calls that a label of the source tells apart and that behave differently, each with its own promise.

Values of a label that behave alike stay together. What differs though no label tells it is said, not split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmslo_rulegen.baseline.cell import Kind
from llmslo_rulegen.derive import history, interval, promise
from llmslo_rulegen.derive.history import History
from llmslo_rulegen.derive.interval import Estimate
from llmslo_rulegen.observed import labels

MOST_CLASSES = 12  # of one SLI; more promises than a team can mean
APART = 3.0  # times the share of bad events, of what one budget for both would be too loose or too tight for
_UNTOLD = ("stream", "prompt")  # fields that matter and that hardly a metric has a label for
_LEAST_SHARE = 1e-5  # below it twice as many is nothing to speak of

Histories = Mapping[Kind, History]
Choices = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """Kinds of calls with their common history; `select` says by which labels and values they are chosen."""

    kinds: tuple[Kind, ...]
    select: Choices
    history: History


@dataclass(frozen=True, slots=True)
class Comparing:
    """What SLI of what source is compared, and the share of good events that its thresholds are chosen for."""

    source: str
    sli: str
    target: float
    from_above: bool


def classes(found: Histories, asked: Comparing) -> tuple[TrafficClass, ...]:
    """Return the classes of some kinds, those of most events first."""
    fields = tuple(field for field in labels.FIELDS if labels.label(asked.source, asked.sli, field))
    parts = _split(found, (), fields, asked)
    if len(parts) > MOST_CLASSES:
        parts = _split(found, (), fields[:1], asked)
    if len(parts) > MOST_CLASSES:
        parts = [_whole(found, ())]
    return tuple(sorted(parts, key=lambda one: (-one.history.count, one.select)))


def untold(one: TrafficClass, found: Histories, asked: Comparing) -> tuple[str, ...]:
    """Return one sentence for each field in which calls of a class differ and that no label of the source tells."""
    said = []
    for field in (*labels.FIELDS, *_UNTOLD):
        if labels.label(asked.source, asked.sli, field) is not None:
            continue
        groups = _groups({kind: found[kind] for kind in one.kinds}, field, asked)
        if len(groups) > 1:
            best, worst = groups[0], groups[-1]
            said.append(
                f"{field} {_shown(worst)} has another share of bad events than {field} {_shown(best)}, and no label of"
                f" {asked.source} tells them apart: the promise is for this mixture of both"
            )
    return tuple(dict.fromkeys(said))


def _split(found: Histories, select: Choices, fields: Sequence[str], asked: Comparing) -> list[TrafficClass]:
    if not fields:
        return [_whole(found, select)]
    field, *rest = fields
    groups = _groups(found, field, asked)
    label = labels.label(asked.source, asked.sli, field)
    if len(groups) < 2 or label is None:  # noqa: PLR2004 -- one is no split
        return _split(found, select, rest, asked)
    parts = []
    for values in groups:
        within = {kind: one for kind, one in found.items() if _value(kind, field) in values}
        parts += _split(within, (*select, (label, tuple(sorted(values)))), rest, asked)
    return parts


def _whole(found: Histories, select: Choices) -> TrafficClass:
    return TrafficClass(tuple(sorted(found)), select, history.merged(found.values()))


def _groups(found: Histories, field: str, asked: Comparing) -> list[frozenset[str]]:
    """Return the values of a field, those that behave alike together, the best first.

    Values of too few events to tell are taken to be like most are; where they alone differ, nobody can know.
    """
    by_value: dict[str, list[History]] = {}
    for kind, one in found.items():
        by_value.setdefault(_value(kind, field), []).append(one)
    whole = {value: history.merged(parts) for value, parts in by_value.items()}
    known = {value: one for value, one in whole.items() if one.count >= promise.FEWEST_EVENTS}
    rest = whole.keys() - known.keys()
    if len(known) < 2:  # noqa: PLR2004 -- one is compared with nothing
        return [frozenset(whole)]
    judge = _judge(known, asked)
    groups: list[tuple[set[str], History]] = []
    for value in sorted(known, key=lambda value: (judge(known[value]).share, value)):
        if groups and not _apart(judge(groups[-1][1]), judge(known[value])):
            groups[-1][0].add(value)
            groups[-1] = groups[-1][0], history.merged((groups[-1][1], known[value]))
        else:
            groups.append(({value}, known[value]))
    largest = max(groups, key=lambda group: group[1].count)
    largest[0].update(rest)
    return [frozenset(values) for values, _ in groups]


def _judge(known: Mapping[str, History], asked: Comparing) -> Callable[[History], Estimate]:
    """Return how values are compared: at the strictest threshold that one of them could promise."""
    columns = [
        column
        for one in known.values()
        if (column := promise.column_of(one, asked.target, from_above=asked.from_above)) is not None
    ]
    strictest = (max if asked.from_above else min)(columns, default=0)
    return lambda one: interval.estimate(*one.at(strictest), promise.AHEAD_H)


def _apart(better: Estimate, worse: Estimate) -> bool:
    return worse.low > better.high and worse.share >= APART * max(better.share, _LEAST_SHARE)


def _value(kind: Kind, field: str) -> str:
    return labels.text(getattr(kind, field))


def _shown(values: frozenset[str]) -> str:
    return " or ".join(value or "(none)" for value in sorted(values))
