"""A ratio written as one expression, taken apart again: budgets need bad and total, not their quotient."""

from __future__ import annotations

import re
from collections.abc import Collection

import promql_parser as promql

from llmslo_rulegen import templates
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import Node
from llmslo_rulegen.templates import WINDOW

_MARK = "1234567s"  # stands for the window while an expression is parsed; nobody writes it
_SHOWN_MARK = "14d6h56m7s"  # the same as the parser prints it
_NEED = "only a quotient of events (bad / total, 1 - good / total) or an average over time can be taken apart"


def ratio(draft: Draft, text: str, node: Node) -> None:
    """Write the SLI whose bad share `text` is; the window of Sloth's form stands in it."""
    if not text:
        return
    marked = templates.ANY_WINDOW.sub(_MARK, text.strip())
    try:
        tree = _bare(templates.parse(marked))
        rest = _complement(tree)
        _quotient(draft, tree if rest is None else rest, node, is_good=rest is not None)
    except ExpressionError as error:
        node.error(f"{error}", "slo/promql")


def groups(draft: Draft, total: str, node: Node) -> None:
    """Write the labels by which a query divides: one SLO of Sloth's is one for each of its series."""
    try:
        text, _ = templates.template(total)
        kept = templates.grouping(text)
    except ExpressionError:
        return  # said where the SLI is read
    if kept is None:
        node.changed("it is summed over all of its series: one budget, not one for each")
    else:
        draft.group_by(tuple(sorted(kept)), node)


def summed(text: str, node: Node, kept: Collection[str] = ()) -> None:
    """Say by which labels a query divides that its budget is summed over; `kept` are those that divide the budget."""
    try:
        own = templates.grouping(templates.template(text)[0])
    except ExpressionError:
        return  # as above
    more = sorted((own or frozenset()) - set(kept))
    if more:
        node.changed(f"it is summed over {', '.join(more)}: one budget, not one for each")


def _quotient(draft: Draft, tree: promql.Expr, node: Node, *, is_good: bool) -> None:
    if isinstance(tree, promql.BinaryExpr) and str(tree.op) == "/":
        part, total = _text(tree.lhs), _text(tree.rhs)
        templates.template(part)
        templates.template(total)
        draft.sli(node, **{"good" if is_good else "bad": part, "total": total})
        groups(draft, total, node)
        node.changed("a quotient is taken apart: its sides are counted, and divided last")
        return
    inner = _averaged(tree)
    if inner is None:
        msg = f"this error ratio is not understood, {_NEED}: write error and total queries"
        raise ExpressionError(msg)
    if isinstance(inner, promql.MatrixSelector):
        series = _text(inner)
        total = f"sum(count_over_time({series}))"
        draft.sli(node, **{"good" if is_good else "bad": f"sum(sum_over_time({series}))", "total": total})
        node.changed("an average over time is taken apart: the sum of its samples by their count, over all series")
    else:
        text = _text(inner)
        draft.sli(node, ratio=f"1 - ({text})" if is_good else text)
        draft.group_by(tuple(sorted(templates.grouping(text) or ())), node)


def _averaged(tree: promql.Expr) -> promql.Expr | None:
    """Return what `avg_over_time` averages over the window; None: this is no such thing."""
    if not isinstance(tree, promql.Call) or tree.func.name != "avg_over_time":
        return None
    ranged = tree.args[0]
    if isinstance(ranged, promql.MatrixSelector):
        return ranged if _MARK in _raw(ranged.range) else None
    if isinstance(ranged, promql.SubqueryExpr) and _MARK in _raw(ranged.range):
        return _bare(ranged.expr)
    return None


def _complement(tree: promql.Expr) -> promql.Expr | None:
    """Return X of `1 - X`."""
    if isinstance(tree, promql.BinaryExpr) and str(tree.op) == "-":
        one = _bare(tree.lhs)
        if isinstance(one, promql.NumberLiteral) and one.val == 1:
            return _bare(tree.rhs)
    return None


def _bare(tree: promql.Expr) -> promql.Expr:
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    return tree


def _raw(length: object) -> str:
    return f"{int(length.total_seconds())}s" if hasattr(length, "total_seconds") else ""


def _text(tree: promql.Expr) -> str:
    """Return a part of an expression as text; `prettify` escapes, unlike `str`."""
    return re.sub(r"\s*\n\s*", " ", _bare(tree).prettify()).strip().replace(_SHOWN_MARK, WINDOW)
