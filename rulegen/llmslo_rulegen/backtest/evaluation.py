"""One expression at many instants at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmslo_rulegen.backtest import functions, operators
from llmslo_rulegen.backtest.expression import (
    OVER_TIME,
    Aggregate,
    Binary,
    Call,
    Negative,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)
from llmslo_rulegen.backtest.over_time import Ranges, over_time
from llmslo_rulegen.backtest.points import Dialect, Instants, Points, Sight, Values
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Element, Labels, Vector, aggregated, mapped, put, without

_SECOND_MS = 1000


class Evaluation:
    """Expressions at fixed instants; equal parts are evaluated once.

    `given` stands for parts of an expression, by their identity, that are not to be evaluated.
    """

    def __init__(
        self, store: Store, instants: Instants, dialect: Dialect, given: Mapping[int, Vector] | None = None
    ) -> None:
        self._store, self._instants, self._dialect = store, instants, dialect
        self._sight = Sight(instants, dialect)
        self._given = given or {}
        self._known: dict[int, Vector | Values] = {}
        self._inner: dict[tuple[int, int, int], Evaluation] = {}

    def vector(self, node: Node) -> Vector:
        """Return the vector that an expression is; raises UnsupportedError where it is a number."""
        found = self._value(node)
        if not isinstance(found, dict):
            msg = "a rule that is a number, not a vector, is not replayed"
            raise UnsupportedError(msg)
        return found

    def _number(self, node: Node) -> Values:
        found = self._value(node)
        if isinstance(found, dict):
            msg = "a vector stands where a number is needed"
            raise UnsupportedError(msg)
        return found

    def _value(self, node: Node) -> Vector | Values:
        key = id(node)
        if key in self._given:
            return self._given[key]
        if key not in self._known:
            self._known[key] = self._evaluated(node)
        return self._known[key]

    def _evaluated(self, node: Node) -> Vector | Values:
        match node:
            case Number():
                return np.full(len(self._instants), node.value)
            case Selector():
                return self._selected(node)
            case Call():
                return self._called(node)
            case Aggregate():
                inner = self.vector(node.inner)
                return aggregated(inner, node.operator, node.labels, is_without=node.without)
            case Binary():
                return operators.combined(node, self._value(node.left), self._value(node.right))
            case Negative():
                value = self._value(node.inner)
                return mapped(value, np.negative) if isinstance(value, dict) else -value
            case Range() | Subquery() | Text():
                msg = f"a {type(node).__name__.lower()} outside of a function is not replayed"
                raise UnsupportedError(msg)

    def _selected(self, node: Selector) -> Vector:
        found: Vector = {}
        for key, points in self._store.matching(node):
            found[key] = Element(*self._sight.newest(points, node.offset_ms))
        return found

    def _called(self, node: Call) -> Vector | Values:
        if node.function in OVER_TIME:
            return self._over_time(node)
        if node.function in functions.CALENDAR:
            return self._calendar(node)
        if node.function == "time":
            return self._instants / _SECOND_MS
        if node.function == "vector":
            return {(): Element(self._number(node.arguments[0]), np.ones(len(self._instants), np.bool_))}
        vector = self.vector(node.arguments[0])
        if node.function == "scalar":
            return _scalar(vector, len(self._instants))
        return functions.called(node, vector, len(self._instants))

    def _calendar(self, node: Call) -> Vector:
        if not node.arguments:
            values = functions.calendar(node.function, self._instants / _SECOND_MS)
            return {(): Element(values, np.ones(len(values), np.bool_))}
        vector = self.vector(node.arguments[0])
        return {
            without(key, ()): Element(functions.calendar(node.function, element.values), element.present)
            for key, element in vector.items()
        }

    def _over_time(self, node: Call) -> Vector:
        (over,) = node.arguments
        series: list[tuple[Labels, Points]]
        if isinstance(over, Range):
            series, offset_ms = self._store.matching(over.selector), over.selector.offset_ms
        elif isinstance(over, Subquery):
            series, offset_ms = self._sampled(over), over.offset_ms
        else:
            msg = f"{node.function} of a {type(over).__name__.lower()} is not replayed"
            raise UnsupportedError(msg)
        found: Vector = {}
        for key, points in series:
            ranges = Ranges(
                *self._sight.within(points, over.range_ms, offset_ms), self._instants - offset_ms, over.range_ms
            )
            values, present = over_time(node.function, points, ranges, self._dialect)
            kept = key if node.function == "last_over_time" else without(key, ())
            put(found, kept, Element(values, present))
        return found

    def _sampled(self, node: Subquery) -> list[tuple[Labels, Points]]:
        """Return the points of a subquery, for all instants at once."""
        if not len(self._instants):
            return []
        key = (node.range_ms, node.step_ms, node.offset_ms)
        if key not in self._inner:
            begin = int(self._instants[0]) - node.offset_ms - node.range_ms
            end = int(self._instants[-1]) - node.offset_ms
            first = -(-begin // node.step_ms) * node.step_ms
            instants = np.arange(first, end + 1, node.step_ms, dtype=np.int64)
            self._inner[key] = Evaluation(self._store, instants, self._dialect)
        return self._inner[key].points(node.inner)

    def points(self, node: Node) -> list[tuple[Labels, Points]]:
        """Return a vector as series with a sample at each instant at which it has a value."""
        return [
            (key, Points(self._instants[element.present], element.values[element.present]))
            for key, element in self.vector(node).items()
        ]


def _scalar(vector: Vector, size: int) -> Values:
    number = np.sum([element.present for element in vector.values()], axis=0) if vector else np.zeros(size)
    found = np.full(size, np.nan)
    for element in vector.values():
        alone = element.present & (number == 1)
        found[alone] = element.values[alone]
    return found


def named(vector: Vector, name: str, more: Labels) -> Vector:
    """Return a vector as a rule records it: under its name, with the labels of the rule."""
    found: Vector = {}
    own = {NAME: name, **dict(more)}
    for key, element in vector.items():
        put(found, tuple(sorted((dict(key) | own).items())), element)
    return found
