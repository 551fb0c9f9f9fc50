"""Input for SLIs that judge time slice by slice: values of gauges at which an expression says what a test needs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product

import promql_parser as ast

from llmslo_rulegen import samples
from llmslo_rulegen.kinds import Series
from llmslo_rulegen.slo import Matcher, SlicedSli
from llmslo_rulegen.terms import NotLinearError, selected

MOST_TRIES = 20_000
CLOSE = 1e-9  # of a share, to what was asked for

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
# Of one series an aggregation is the series, or 1.
_ONE = {"sum": None, "avg": None, "max": None, "min": None, "count": 1.0, "group": 1.0}

Values = Mapping[Series, float]


class Slices:
    """An expression over gauges, one series per selector."""

    def __init__(self, sli: SlicedSli, group: Sequence[tuple[str, str]]) -> None:
        self._sli = sli
        self._tree = ast.parse(sli.expression)
        self._group = dict(group)
        self._series: dict[str, Series] = {}
        self._numbers = {0.0, 1.0}
        self._read(self._tree)
        top = self._tree
        while isinstance(top, ast.ParenExpr):
            top = top.expr
        self._filters = isinstance(top, ast.BinaryExpr) and str(top.op) in _COMPARISONS and not _returns_bool(top)

    def values(self, bad: float) -> Values | None:
        """Return values of the series at which the bad share of a slice is `bad`; None where none is found."""
        names = list(self._series.values())
        for tried in islice(product(self._candidates(bad), repeat=len(names)), MOST_TRIES):
            given = dict(zip(names, tried, strict=True))
            if self._fits(self._evaluate(self._tree, given), bad):
                return given
        return None

    def _fits(self, value: float | None, bad: float) -> bool:
        if not self._sli.condition:
            return value is not None and abs(value - bad) < CLOSE
        if self._filters:  # its value says nothing: it is there or it is not
            return bad in {0.0, 1.0} and (value is None if bad else bool(value)) and not (bad and self._group)
        return bad in {0.0, 1.0} and value is not None and (value == 0) == (bad == 1)

    def _candidates(self, bad: float) -> list[float]:
        found = dict.fromkeys((bad, 1 - bad))
        for number in sorted(self._numbers):
            found |= dict.fromkeys((number, number * bad, number * (1 - bad), number + 1, number - 1, number / 2))
        return list(found)

    def _read(self, node: ast.Expr) -> None:
        if isinstance(node, ast.NumberLiteral):
            self._numbers.add(node.val)
        elif isinstance(node, ast.VectorSelector):
            self._series[str(node.prettify())] = self._named(node)
        elif isinstance(node, ast.AggregateExpr | ast.ParenExpr | ast.UnaryExpr):
            self._read(node.expr)
        elif isinstance(node, ast.BinaryExpr):
            self._read(node.lhs)
            self._read(node.rhs)
        else:
            msg = f"what a {type(node).__name__} makes of its input is not computed here"
            raise NotLinearError(msg)

    def _named(self, node: ast.VectorSelector) -> Series:
        name, matchers = selected(node)
        if node.offset is not None or node.at is not None:
            msg = "a selector of another time"
            raise NotLinearError(msg)
        by_label: dict[str, list[Matcher]] = {}
        for matcher in matchers:
            by_label.setdefault(matcher.label, []).append(matcher)
        labels = {label: (samples.accepted(of) or ("",))[0] for label, of in by_label.items()} | self._group
        return Series(name, tuple(sorted((label, value) for label, value in labels.items() if value)))

    def _evaluate(self, node: ast.Expr, given: Values) -> float | None:
        if isinstance(node, ast.NumberLiteral):
            return node.val
        if isinstance(node, ast.VectorSelector):
            return given[self._series[str(node.prettify())]]
        if isinstance(node, ast.BinaryExpr):
            return self._binary(node, given)
        if isinstance(node, ast.ParenExpr):
            return self._evaluate(node.expr, given)
        if isinstance(node, ast.UnaryExpr):
            value = self._evaluate(node.expr, given)
            return None if value is None else -value
        if isinstance(node, ast.AggregateExpr) and str(node.op) in _ONE:
            value, one = self._evaluate(node.expr, given), _ONE[str(node.op)]
            return value if one is None or value is None else one
        msg = f"{str(node)[:40]} is not computed here"
        raise NotLinearError(msg)

    def _binary(self, node: ast.BinaryExpr, given: Values) -> float | None:
        left, right = self._evaluate(node.lhs, given), self._evaluate(node.rhs, given)
        if left is None or right is None:
            return None
        op = str(node.op)
        if op in _ARITHMETIC:
            return None if op == "/" and right == 0 else _ARITHMETIC[op](left, right)
        if op not in _COMPARISONS:
            msg = f"operator {op} is not computed here"
            raise NotLinearError(msg)
        holds = _COMPARISONS[op](left, right)
        if _returns_bool(node):
            return float(holds)
        return left if holds else None


def _returns_bool(node: ast.BinaryExpr) -> bool:
    return node.modifier is not None and bool(node.modifier.return_bool)


def states(sli: SlicedSli, group: Sequence[tuple[str, str]], shares: Sequence[float]) -> Iterator[Values]:
    """Yield values for each bad share; raise NotLinearError where one cannot be reached."""
    slices = Slices(sli, group)
    for share in shares:
        found = slices.values(share)
        if found is None:
            msg = f"no input was found at which its bad share is {share:g}"
            raise NotLinearError(msg)
        yield found
