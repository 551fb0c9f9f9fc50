"""PromQL as values: what an expression is made of, each part once, so that equal parts are evaluated once.

Everything that a replay knows is listed here; another function, operator or modifier is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import NoReturn

import promql_parser as ast

from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.slo import Matcher, Op

AGGREGATIONS = frozenset({"sum", "min", "max", "avg", "count", "group"})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^"})
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS = frozenset({"and", "or", "unless"})
OVER_TIME = frozenset(
    {"last_over_time", "min_over_time", "max_over_time", "sum_over_time", "avg_over_time", "count_over_time"}
    | {"present_over_time", "increase", "rate", "delta", "resets", "changes"}
)
INSTANT = frozenset(
    {"absent", "clamp", "clamp_max", "clamp_min", "label_replace", "scalar", "time", "vector"}
    | {"floor", "ceil", "abs", "sqrt", "exp", "ln", "sgn"}
    | {"year", "month", "day_of_month", "day_of_week", "days_in_month", "hour", "minute"}
)
_OPS = {
    "MatchOp.Equal": Op.EQUAL,
    "MatchOp.NotEqual": Op.NOT_EQUAL,
    "MatchOp.Re": Op.MATCH,
    "MatchOp.NotRe": Op.NO_MATCH,
}


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of a name that match, as they were `offset_ms` before."""

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """The samples of a selector within `range_ms`."""

    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression at the multiples of `step_ms` within `range_ms`."""

    inner: Node
    range_ms: int
    step_ms: int
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function, on a vector, a range or a scalar."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Many series to one; `labels` are kept, or with `without` dropped."""

    operator: str
    inner: Node
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides, matched `on` labels (None: all but `ignoring`); `many`: of a kind the left side may have several."""

    operator: str
    left: Node
    right: Node
    on: tuple[str, ...] | None = None
    ignoring: tuple[str, ...] = ()
    is_bool: bool = False
    many: bool = False
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus sign."""

    inner: Node


Node = Number | Text | Selector | Range | Subquery | Call | Aggregate | Binary | Negative


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return an expression; raises UnsupportedError for what a replay does not know."""
    try:
        tree = ast.parse(text)
    except ValueError as error:
        msg = f"no PromQL: {error}"
        raise UnsupportedError(msg) from error
    return _Reader().read(tree)


class _Reader:
    """Reads one expression; equal parts of it become one value."""

    def __init__(self) -> None:
        self._known: dict[Node, Node] = {}

    def read(self, tree: ast.Expr) -> Node:
        while isinstance(tree, ast.ParenExpr):
            tree = tree.expr
        found = self._read(tree)
        return self._known.setdefault(found, found)

    def _read(self, tree: ast.Expr) -> Node:
        match tree:
            case ast.SubqueryExpr():
                return self._subquery(tree)
            case ast.Call():
                return self._call(tree)
            case ast.AggregateExpr():
                return self._aggregate(tree)
            case ast.BinaryExpr():
                return self._binary(tree)
            case ast.UnaryExpr():
                return Negative(self.read(tree.expr))
        return _leaf(tree)

    def _subquery(self, tree: ast.SubqueryExpr) -> Subquery:
        if tree.at is not None:
            _refuse("the modifier @")
        if tree.step is None:
            _refuse("a subquery without a step")
        return Subquery(self.read(tree.expr), _ms(tree.range), _ms(tree.step), _ms(tree.offset))

    def _call(self, tree: ast.Call) -> Call:
        name = tree.func.name
        if name not in OVER_TIME | INSTANT:
            _refuse(f"the function {name}")
        return Call(name, tuple(self.read(each) for each in tree.args))

    def _aggregate(self, tree: ast.AggregateExpr) -> Aggregate:
        operator = str(tree.op)
        if operator not in AGGREGATIONS:
            _refuse(f"the aggregation {operator}")
        labels = tuple(tree.modifier.labels) if tree.modifier else ()
        without = tree.modifier is not None and str(tree.modifier.type).endswith("Without")
        return Aggregate(operator, self.read(tree.expr), labels, without)

    def _binary(self, tree: ast.BinaryExpr) -> Binary:
        operator = str(tree.op)
        if operator not in ARITHMETIC | COMPARISONS | SETS:
            _refuse(f"the operator {operator}")
        left, right, how = self.read(tree.lhs), self.read(tree.rhs), tree.modifier
        if how is None:
            return Binary(operator, left, right)
        matching = how.matching
        is_on = matching is not None and str(matching.type).endswith("Include")
        labels = tuple(sorted(matching.labels)) if matching is not None else ()
        card = str(how.card).rpartition(".")[2]
        if card == "OneToMany":
            _refuse("group_right")
        on, ignoring = (labels, ()) if is_on else (None, labels)
        many, include = card == "ManyToOne", tuple(how.group_labels or ())
        return Binary(operator, left, right, on, ignoring, how.return_bool, many, include)


def _leaf(tree: ast.Expr) -> Node:
    if isinstance(tree, ast.NumberLiteral):
        return Number(tree.val)
    if isinstance(tree, ast.StringLiteral):
        return Text(tree.val)
    if isinstance(tree, ast.MatrixSelector):
        return Range(_selector(tree.vector_selector), _ms(tree.range))
    if isinstance(tree, ast.VectorSelector):
        return _selector(tree)
    return _refuse(type(tree).__name__)


def _selector(tree: ast.VectorSelector) -> Selector:
    if tree.at is not None:
        _refuse("the modifier @")
    if tree.matchers.or_matchers:
        _refuse("or between matchers")
    matchers = [Matcher(each.name, _OPS[str(each.op)], each.value) for each in tree.matchers.matchers]
    names = [each.value for each in matchers if each.label == "__name__" and each.op is Op.EQUAL]
    name = tree.name or (names[0] if names else "")
    if not name:
        _refuse("a selector without a name")
    return Selector(name, tuple(each for each in matchers if each.label != "__name__"), _ms(tree.offset))


def _refuse(what: str) -> NoReturn:
    msg = f"{what} is not replayed"
    raise UnsupportedError(msg)


def _ms(length: timedelta | None) -> int:
    return 0 if length is None else round(length.total_seconds() * 1000)


def walk(node: Node) -> Mapping[int, Node]:
    """Return every part of an expression by its identity."""
    found: dict[int, Node] = {}
    waiting: list[Node] = [node]
    while waiting:
        one = waiting.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        waiting += children(one)
    return found


def children(node: Node) -> tuple[Node, ...]:
    """Return what an expression is made of."""
    match node:
        case Range():
            return (node.selector,)
        case Subquery() | Aggregate() | Negative():
            return (node.inner,)
        case Call():
            return node.arguments
        case Binary():
            return (node.left, node.right)
        case _:
            return ()
