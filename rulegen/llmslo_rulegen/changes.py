"""What a change of SLO files means: what is promised, what the budget is worth, when who is told, at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from llmslo_rulegen import budget, reading_cost
from llmslo_rulegen.outline import Fact, Outline
from llmslo_rulegen.reading_cost import Cost
from llmslo_rulegen.slo import Window
from llmslo_rulegen.tier import Tier

EVENTS = 1_000_000  # what a budget in events is told for
OUTAGES = (1.0, 0.1, 0.01)  # share of bad events
# Facts that decide what is counted.
COUNTED = frozenset(
    ("sli", "select", "threshold", "native", "bad", "good", "total", "histogram", "ratio", "good_when", "group_by")
)

_REST = "expressions"  # of rendered rules; said only where nothing else differs


class Kind(Enum):
    """What happened to an SLO."""

    ADDED = "added"
    CHANGED = "changed"
    RENAMED = "renamed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Said:
    """One fact before and after; None: it was not said, or is no more."""

    what: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What a budget is worth."""

    share: Decimal
    events: Decimal  # of EVENTS
    minutes: Decimal  # of total outage


@dataclass(frozen=True, slots=True)
class Told:
    """A burn alert: how it is, and the seconds after which it tells of each of OUTAGES; None: never."""

    tier: Tier
    after_s: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one SLO. Pairs are before and after; those that are alike are None."""

    kind: Kind
    id: str
    place: str
    was: str = ""  # its name before
    said: tuple[Said, ...] = ()
    budgets: tuple[Budget | None, Budget | None] | None = None
    told: tuple[tuple[Told | None, Told | None], ...] = ()  # of each tier that is not as before
    costs: tuple[Cost | None, Cost | None] | None = None
    mixed: Window | None = None  # for so long the budget holds events of both ways of counting
    begins_anew: tuple[str, ...] | None = None  # the labels of budgets that have no past


def changes(before: Iterable[Outline], after: Iterable[Outline]) -> tuple[Change, ...]:
    """Return what is not as before, sorted by the id of the SLO."""
    old, new = ({one.id: one for one in sorted(side, key=lambda one: one.id)} for side in (before, after))
    gone = [one for name, one in old.items() if name not in new]
    found = [_changed(old[name], one) for name, one in new.items() if name in old and old[name] != one]
    for name, one in new.items():
        if name not in old:
            alike = next((other for other in gone if _is_renamed(other, one)), None)
            if alike is not None:
                gone.remove(alike)
            found.append(_added(one) if alike is None else _renamed(alike, one))
    found += map(_removed, gone)
    return tuple(sorted(found, key=lambda change: (change.id, change.kind.value)))


def _is_renamed(one: Outline, other: Outline) -> bool:
    """Return whether both promise the same of the same events."""
    left, right = (frozenset(fact for fact in each.facts if fact.what in COUNTED) for each in (one, other))
    return (one.objective, one.window, one.tiers, left) == (other.objective, other.window, other.tiers, right)


def _changed(old: Outline, new: Outline) -> Change:
    said = tuple(_said(old, new))
    said = tuple(one for one in said if one.what != _REST) or said
    counts_otherwise = bool(COUNTED.intersection(one.what for one in said))
    is_split = any(one.what == "group_by" for one in said)
    budgets = _budget(old), _budget(new)
    costs = _cost(old), _cost(new)
    return Change(
        Kind.CHANGED,
        new.id,
        new.place,
        said=said,
        budgets=budgets if budgets[0] != budgets[1] else None,
        told=tuple(_told(old, new)),
        costs=costs if costs[0] != costs[1] else None,
        mixed=new.window if counts_otherwise and not is_split else None,
        begins_anew=new.group_by if is_split else None,
    )


def _renamed(old: Outline, new: Outline) -> Change:
    said = tuple(_said(old, new))
    return Change(Kind.RENAMED, new.id, new.place, was=old.id, said=said, begins_anew=new.group_by)


def _added(new: Outline) -> Change:
    told = tuple((None, _tells(tier, new)) for tier in new.tiers)
    said = (Said("objective", "", None, _percent(new.objective)), Said("window", "", None, _window(new.window)))
    facts = tuple(Said(fact.what, fact.name, None, fact.value) for fact in new.facts if fact.what in COUNTED)
    return Change(Kind.ADDED, new.id, new.place, "", (*said, *facts), (None, _budget(new)), told, (None, _cost(new)))


def _removed(old: Outline) -> Change:
    return Change(Kind.REMOVED, old.id, old.place, costs=(_cost(old), None))


def _said(old: Outline, new: Outline) -> Iterator[Said]:
    if old.objective != new.objective:
        yield Said("objective", "", _percent(old.objective), _percent(new.objective))
    if old.window != new.window:
        yield Said("window", "", _window(old.window), _window(new.window))
    before, after = (_by_name(side.facts) for side in (old, new))
    for key in dict.fromkeys((*after, *before)):
        if before.get(key) != after.get(key):
            yield Said(*key, before.get(key), after.get(key))


def _by_name(facts: Sequence[Fact]) -> dict[tuple[str, str], str]:
    return {(fact.what, fact.name): fact.value for fact in facts}


def _budget(one: Outline) -> Budget:
    share = 1 - one.objective / 100
    minutes = budget.budget_minutes(one.objective, one.window.seconds)
    return Budget(share, budget.budget_events(one.objective, EVENTS), minutes)


def _told(old: Outline, new: Outline) -> Iterator[tuple[Told | None, Told | None]]:
    before, after = ({tier.name: _tells(tier, side) for tier in side.tiers} for side in (old, new))
    for name in dict.fromkeys((*after, *before)):
        pair = before.get(name), after.get(name)
        if pair[0] != pair[1]:
            yield pair


def _tells(tier: Tier, one: Outline) -> Told:
    return Told(tier, tuple(budget.detection_s(tier, one.objective, share) for share in OUTAGES))


def _cost(one: Outline) -> Cost:
    return reading_cost.cost(one.made, one.scrape_s)


def _percent(objective: Decimal) -> str:
    return f"{objective.normalize():f} %"


def _window(window: Window) -> str:
    return f"calendar {window.calendar.value}" if window.calendar else f"{window.seconds // 86_400}d"
