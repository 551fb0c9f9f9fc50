"""What an own SLI counts, read from its PromQL by AST: a sum of weighted selectors, or no such thing."""

from __future__ import annotations

from collections.abc import Callable

import promql_parser as ast

from llmslo_rulegen.kinds import Part, Term
from llmslo_rulegen.slo import EventsSli, HistogramSli, Matcher, Op

WINDOW = "{{window}}"
_OPS = {
    "MatchOp.Equal": Op.EQUAL,
    "MatchOp.NotEqual": Op.NOT_EQUAL,
    "MatchOp.Re": Op.MATCH,
    "MatchOp.NotRe": Op.NO_MATCH,
}
_COUNTS = {"rate", "increase"}


class NotLinearError(Exception):
    """The expression is no sum of counters: which events it counts cannot be told from its text."""


def of_events(sli: EventsSli) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Return the terms of bad and of total; raise NotLinearError."""
    total = linear(sli.total)
    if sli.bad is not None:
        return linear(sli.bad), total
    return rest(total, linear(sli.good or "")), total


def rest(total: tuple[Term, ...], good: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return what is in `total` and not in `good`."""
    return (*total, *(_scaled(term, -1) for term in good))


def of_histogram(sli: HistogramSli) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Return the terms of bad and of total; half and twice the threshold stand for the other edges."""
    selector = ast.parse(sli.selector)
    if not isinstance(selector, ast.VectorSelector):
        msg = f"{sli.selector} is no selector"
        raise NotLinearError(msg)
    metric, matchers = selected(selector)
    edges = (sli.threshold / 2, sli.threshold, sli.threshold * 2)
    above = Term(metric, matchers, 1.0, Part.ABOVE, edges)
    return (above,), (Term(metric, matchers, 1.0, Part.COUNT, edges),)


def linear(template: str) -> tuple[Term, ...]:
    """Return `template` as weighted selectors of counters; raise NotLinearError where it is more than their sum."""
    return tuple(_terms(ast.parse(template.replace(WINDOW, "5m"))))


def _terms(node: ast.Expr) -> list[Term]:
    reader = _READERS.get(type(node))
    if reader is None:
        msg = f"a {type(node).__name__} is not read"
        raise NotLinearError(msg)
    return reader(node)


def _aggregate(node: ast.AggregateExpr) -> list[Term]:
    if str(node.op) != "sum":
        msg = f"{node.op} of counters is no sum"
        raise NotLinearError(msg)
    return _terms(node.expr)


def _binary(node: ast.BinaryExpr) -> list[Term]:
    op = str(node.op)
    if op in {"+", "-"}:
        return [*_terms(node.lhs), *(_scaled(term, 1 if op == "+" else -1) for term in _terms(node.rhs))]
    if op == "or" and not [term for term in _terms(node.rhs) if term.weight]:
        return _terms(node.lhs)
    for factor, other in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
        if op == "*" and isinstance(factor, ast.NumberLiteral):
            return [_scaled(term, factor.val) for term in _terms(other)]
    if op == "/" and isinstance(node.rhs, ast.NumberLiteral):
        return [_scaled(term, 1 / node.rhs.val) for term in _terms(node.lhs)]
    msg = f"operator {op} is not read"
    raise NotLinearError(msg)


def _call(node: ast.Call) -> list[Term]:
    argument = node.args[0] if node.args else None
    if node.func.name == "vector" and isinstance(argument, ast.NumberLiteral) and argument.val == 0:
        return []
    if node.func.name in _COUNTS and isinstance(argument, ast.MatrixSelector):
        selector = argument.vector_selector
        if selector.offset is None and selector.at is None:
            return [Term(*selected(selector))]
    msg = f"{node.func.name} is not read"
    raise NotLinearError(msg)


def _scaled(term: Term, by: float) -> Term:
    return Term(term.metric, term.matchers, term.weight * by, term.part, term.edges)


def selected(selector: ast.VectorSelector) -> tuple[str, tuple[Matcher, ...]]:
    """Return name and matchers of a selector; raise NotLinearError without a name."""
    matchers = [Matcher(each.name, _OPS[str(each.op)], each.value) for each in selector.matchers.matchers]
    name = selector.name or next((m.value for m in matchers if m.label == "__name__" and m.op is Op.EQUAL), None)
    if name is None:
        msg = "a selector without a metric name"
        raise NotLinearError(msg)
    return name, tuple(matcher for matcher in matchers if matcher.label != "__name__")


_READERS: dict[type[object], Callable[..., list[Term]]] = {
    ast.ParenExpr: lambda node: _terms(node.expr),
    ast.UnaryExpr: lambda node: [_scaled(term, -1) for term in _terms(node.expr)],
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
    ast.Call: _call,
}
