"""What a team's own PromQL says: its parts, and each selector with the functions around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import promql_parser as promql

from llmslo_rulegen import templates
from llmslo_rulegen.slo import EventsSli, HistogramSli, Matcher, Op, Sli, SlicedSli


@dataclass(frozen=True, slots=True)
class Use:
    """A selector. `calls` are the functions and aggregations around it, the nearest first.

    `range_s` is its own range in seconds: None without one, 0 for `{{window}}`.
    """

    name: str
    matchers: tuple[Matcher, ...]
    calls: tuple[str, ...]
    range_s: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One expression of an SLI, and where it stands below its SLO."""

    at: tuple[str, ...]
    text: str
    uses: tuple[Use, ...]

    @property
    def tree(self) -> promql.Expr:
        """Its syntax tree."""
        return templates.tree_of(self.text)


def parts(sli: Sli) -> tuple[Part, ...]:
    """Return the expressions that a team wrote for an SLI; none for one of the catalog."""
    match sli:
        case EventsSli():
            first = ("bad", sli.bad) if sli.bad is not None else ("good", sli.good or "")
            return _part("sli", *first), _part("sli", "total", sli.total)
        case HistogramSli():
            return (_part("sli", "histogram", sli.selector),)
        case SlicedSli():
            return (_part("sli", "good_when" if sli.condition else "ratio", sli.expression),)
        case _:
            return ()


def uses(text: str) -> tuple[Use, ...]:
    """Return the selectors of an expression; ExpressionError where it is none."""
    return tuple(_uses(templates.tree_of(text), ()))


def nodes(tree: promql.Expr) -> tuple[promql.Expr, ...]:
    """Return all nodes of a tree."""
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    return tuple(found)


def bare(tree: promql.Expr) -> promql.Expr:
    """Return `tree` without parentheses around it."""
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    return tree


@lru_cache(maxsize=4096)
def _part(key: str, name: str, text: str) -> Part:
    return Part((key, name), text, uses(text))


def _uses(node: promql.Expr, calls: tuple[str, ...]) -> Iterator[Use]:
    match node:
        case promql.VectorSelector():
            yield _use(node, calls, None)
        case promql.MatrixSelector():
            length = 0.0 if node.range == templates.MARK else node.range.total_seconds()
            yield _use(node.vector_selector, calls, length)
        case promql.Call():
            for argument in node.args:
                yield from _uses(argument, (node.func.name, *calls))
        case promql.AggregateExpr():
            yield from _uses(node.expr, (str(node.op), *calls))
        case promql.BinaryExpr():
            yield from _uses(node.lhs, calls)
            yield from _uses(node.rhs, calls)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _uses(node.expr, calls)
        case _:
            pass


def _use(node: promql.VectorSelector, calls: tuple[str, ...], range_s: float | None) -> Use:
    found = tuple(Matcher(one.name, _op(one.op), one.value) for one in node.matchers.matchers)
    name = node.name or next((one.value for one in found if one.label == "__name__" and one.op is Op.EQUAL), "")
    return Use(name, tuple(one for one in found if one.label != "__name__"), calls, range_s)


def _op(op: promql.MatchOp) -> Op:
    """Return a parser's operator, which has no text and no hash, as ours."""
    for ours, theirs in (
        (Op.EQUAL, promql.MatchOp.Equal),
        (Op.NOT_EQUAL, promql.MatchOp.NotEqual),
        (Op.MATCH, promql.MatchOp.Re),
    ):
        if op == theirs:
            return ours
    return Op.NO_MATCH
