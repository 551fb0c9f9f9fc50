"""Vectors over many instants: per label set a value and whether it is there; sums over labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np

from llmslo_rulegen.backtest.points import Mask, Values
from llmslo_rulegen.backtest.unsupported import UnsupportedError

NAME = "__name__"
Labels = tuple[tuple[str, str], ...]  # sorted; the name of a metric is one of them, a label without a value is none


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One label set: its value at each instant, and at which of them it has one."""

    values: Values
    present: Mask


Vector = dict[Labels, Element]


def labels(pairs: Iterable[tuple[str, str]]) -> Labels:
    """Return a label set."""
    return tuple(sorted((name, value) for name, value in pairs if value))


def without(found: Labels, names: Collection[str]) -> Labels:
    """Return a label set without some labels, nor a metric's name."""
    return tuple(pair for pair in found if pair[0] != NAME and pair[0] not in names)


def only(found: Labels, names: Collection[str]) -> Labels:
    """Return what a label set has of some labels."""
    return tuple(pair for pair in found if pair[0] in names)


def put(vector: Vector, key: Labels, element: Element) -> None:
    """Add an element; one of the same labels may be there at other instants, not at the same ones."""
    there = vector.get(key)
    if there is None:
        vector[key] = element
        return
    if (there.present & element.present).any():
        shown = ", ".join(f"{name}={value}" for name, value in key)
        msg = f"two series have the labels {{{shown}}} at once; Prometheus refuses such a rule"
        raise UnsupportedError(msg)
    values = np.where(element.present, element.values, there.values)
    vector[key] = Element(values, there.present | element.present)


def mapped(vector: Vector, change: Callable[[Values], Values]) -> Vector:
    """Return new values without the name of the metric, as functions do."""
    found: Vector = {}
    for key, element in vector.items():
        put(found, without(key, ()), Element(change(element.values), element.present))
    return found


def aggregated(vector: Vector, operator: str, names: Collection[str], *, is_without: bool) -> Vector:
    """Return one element per group of labels: those that `names` leave, or with `is_without` all others."""
    groups: dict[Labels, list[Element]] = {}
    for key, element in vector.items():
        group = without(key, names) if is_without else only(key, names)
        groups.setdefault(group, []).append(element)
    return {key: _AGGREGATED[operator](members) for key, members in groups.items()}


def _sum(members: list[Element]) -> Element:
    if len(members) == 1:
        return members[0]
    total = np.where(members[0].present, members[0].values, 0.0)
    present = members[0].present.copy()
    for each in members[1:]:
        total += np.where(each.present, each.values, 0.0)
        present |= each.present
    return Element(total, present)


def _count(members: list[Element]) -> Element:
    number: Values = np.sum([each.present for each in members], axis=0, dtype=np.float64)
    present: Mask = number > 0
    return Element(number, present)


def _mean(members: list[Element]) -> Element:
    total, number = _sum(members), _count(members)
    return Element(total.values / np.maximum(number.values, 1), number.present)


def _group(members: list[Element]) -> Element:
    present = np.logical_or.reduce([each.present for each in members])
    return Element(np.ones(len(present)), present)


def _chosen(choose: np.ufunc, members: list[Element]) -> Element:
    """The lowest or highest; NaN only where there is nothing else."""
    found = members[0]
    for each in members[1:]:
        both = choose(found.values, each.values)
        values = np.where(found.present & each.present, both, np.where(found.present, found.values, each.values))
        found = Element(values, found.present | each.present)
    return found


_AGGREGATED: dict[str, Callable[[list[Element]], Element]] = {
    "sum": _sum,
    "count": _count,
    "avg": _mean,
    "group": _group,
    "min": lambda members: _chosen(np.fmin, members),
    "max": lambda members: _chosen(np.fmax, members),
}
