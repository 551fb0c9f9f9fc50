"""Operators between vectors and numbers, matched label by label as Prometheus does (promql/engine.go, VectorBinop)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llmslo_rulegen.backtest.expression import COMPARISONS, Binary
from llmslo_rulegen.backtest.points import Values
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import Element, Labels, Vector, labels, only, put, without

_COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def combined(node: Binary, left: Vector | Values, right: Vector | Values) -> Vector | Values:
    """Return the result of an operator; a number is an array of its values."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if isinstance(left, dict) and isinstance(right, dict):
            return _SETS[node.operator](node, left, right) if node.operator in _SETS else _matched(node, left, right)
        if isinstance(left, dict):
            return _with_number(node, left, lambda values: (values, right))
        if isinstance(right, dict):
            return _with_number(node, right, lambda values: (left, values))
        found: Values = _COMPUTED[node.operator](left, right).astype(np.float64)
        return found


def _with_number(node: Binary, vector: Vector, sides: Callable[[Values], tuple[Any, Any]]) -> Vector:
    found: Vector = {}
    filters = node.operator in COMPARISONS and not node.is_bool
    for key, element in vector.items():
        result = _COMPUTED[node.operator](*sides(element.values))
        if filters:
            put(found, key, Element(element.values, element.present & result))
        else:
            put(found, without(key, ()), Element(result.astype(np.float64), element.present))
    return found


def _signature(node: Binary, key: Labels) -> Labels:
    return without(key, node.ignoring) if node.on is None else only(key, node.on)


def _by_signature(node: Binary, vector: Vector) -> dict[Labels, list[tuple[Labels, Element]]]:
    found: dict[Labels, list[tuple[Labels, Element]]] = {}
    for key, element in vector.items():
        found.setdefault(_signature(node, key), []).append((key, element))
    return found


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    found: Vector = {}
    others = _by_signature(node, right)
    for signature, members in _by_signature(node, left).items():
        partners = others.get(signature, [])
        if len(partners) > 1:
            _alone(partners)
        if len(members) > 1 and partners and not node.many:
            _alone(members)
        for key, element in members:
            for other_key, other in partners:
                put(found, _result_labels(node, key, other_key), _result(node, element, other))
    return found


def _alone(members: list[tuple[Labels, Element]]) -> None:
    """Refuse two series of one kind at the same instant; one after the other they are well."""
    number = np.sum([element.present for _, element in members], axis=0)
    if (number > 1).any():
        kinds = " and ".join("{" + ", ".join(f"{name}={value}" for name, value in key) + "}" for key, _ in members[:2])
        msg = f"{kinds} match the same series at once; Prometheus refuses such a rule"
        raise UnsupportedError(msg)


def _result(node: Binary, element: Element, other: Element) -> Element:
    present = element.present & other.present
    result = _COMPUTED[node.operator](element.values, other.values)
    if node.operator in COMPARISONS and not node.is_bool:
        return Element(element.values, present & result)
    return Element(result.astype(np.float64), present)


def _result_labels(node: Binary, key: Labels, other: Labels) -> Labels:
    keeps_name = node.operator in COMPARISONS and not node.is_bool
    kept = key if keeps_name else without(key, ())
    if node.many:
        own = [pair for pair in kept if pair[0] not in node.include]
        return labels((*own, *only(other, node.include)))
    if node.on is not None:
        return only(kept, node.on)
    return tuple(pair for pair in kept if pair[0] not in node.ignoring)


def _anywhere(node: Binary, vector: Vector) -> dict[Labels, Any]:
    """Return per signature the instants at which anything has it."""
    found: dict[Labels, Any] = {}
    for key, element in vector.items():
        signature = _signature(node, key)
        found[signature] = found[signature] | element.present if signature in found else element.present
    return found


def _and(node: Binary, left: Vector, right: Vector) -> Vector:
    there = _anywhere(node, right)
    return {
        key: Element(element.values, element.present & there[signature])
        for key, element in left.items()
        if (signature := _signature(node, key)) in there
    }


def _unless(node: Binary, left: Vector, right: Vector) -> Vector:
    there = _anywhere(node, right)
    found: Vector = {}
    for key, element in left.items():
        other = there.get(_signature(node, key))
        found[key] = element if other is None else Element(element.values, element.present & ~other)
    return found


def _or(node: Binary, left: Vector, right: Vector) -> Vector:
    there = _anywhere(node, left)
    found = dict(left)
    for key, element in right.items():
        other = there.get(_signature(node, key))
        put(found, key, element if other is None else Element(element.values, element.present & ~other))
    return found


_SETS: dict[str, Callable[[Binary, Vector, Vector], Vector]] = {"and": _and, "unless": _unless, "or": _or}
