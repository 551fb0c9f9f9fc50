"""What OpenSLO's indicators and budgeting methods count, as one of our SLIs.

Occurrences are events; where there is only a value to look at, each evaluation is one. Time slices are judged at every
minute of the clock: those longer than a minute overlap, so that a bad stretch counts by its length all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import promql_parser as ast

from llmslo_rulegen import promql, templates, terms
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.foreign import quotient, sloth
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import Node
from llmslo_rulegen.templates import WINDOW

_RANGE = re.compile(r"\[\s*([0-9]+[smhdwy])\s*\]")
_OPERATORS = {"lte": "<=", "gte": ">=", "lt": "<", "gt": ">"}
_SLICE_S = 60
_NOT_ZERO = re.compile(r"\((.*)\) != bool 0", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Indicator:
    """Queries and their `kind`: good or bad (of a total), success or failure (a ratio), or threshold."""

    kind: str
    query: Node
    total: Node | None
    is_counter: bool
    comparison: str = ""  # `<= 0.5`, of a threshold


@dataclass(frozen=True, slots=True)
class Slice:
    """The budgeting method; of time slices their length and the least share of good in one of them."""

    method: str
    target: Decimal
    seconds: int
    node: Node


def threshold(query: Node, objective: Node) -> Indicator | None:
    """Return what compares a value with an objective's."""
    op, value = objective.at("op").one_of(*_OPERATORS), objective.at("value").number()
    if op is None or value is None:
        objective.error("a thresholdMetric needs op and value in each objective: add them")
        return None
    return Indicator("threshold", query, None, is_counter=False, comparison=f"{_OPERATORS[op]} {promql.number(value)}")


def sli(draft: Draft, found: Indicator, how: Slice) -> None:
    """Write the SLI of one objective."""
    try:
        if how.method != "Occurrences" and how.seconds > _SLICE_S:
            how.node.changed("time is judged at every minute, so that slices overlap")
        if found.kind == "threshold":
            _threshold(draft, found, how)
        elif found.total is None:
            _raw(draft, found, how)
        else:
            _events(draft, found, found.total, how)
    except ExpressionError as error:
        found.query.error(str(error), "slo/promql")


def _threshold(draft: Draft, found: Indicator, how: Slice) -> None:
    query = templates.instant(found.query.needed())
    if how.method == "Timeslices" and (how.seconds > _SLICE_S or how.target < 1):
        held = f"(({query}) {found.comparison.replace(' ', ' bool ')})"
        range_ = f"[{promql.duration(how.seconds)}:1m]"
        draft.sli(found.query, good_when=f"avg_over_time({held}{range_}) >= {promql.number(how.target)}")
        return
    found.query.changed("each evaluation counts once; one without a value is bad")
    draft.sli(found.query, good_when=f"({query}) {found.comparison}")


def _raw(draft: Draft, found: Indicator, how: Slice) -> None:
    query, is_good = found.query.needed(), found.kind == "success"
    if templates.ANY_WINDOW.search(query):
        quotient.ratio(draft, f"1 - ({query})" if is_good else query, found.query)
        return
    if how.method == "Timeslices":
        limit = f">= {promql.number(how.target)}" if is_good else f"<= {promql.number(1 - how.target)}"
        draft.sli(found.query, good_when=f"({templates.instant(query)}) {limit}")
        return
    if how.method == "Occurrences":
        found.query.changed("a ratio holds no count of events: each evaluation counts once")
    if not is_good:
        draft.sli(found.query, ratio=query)
    elif (held := _NOT_ZERO.fullmatch(query)) is not None:
        draft.sli(found.query, good_when=held[1])
    elif _is_condition(query):
        draft.sli(found.query, good_when=query)
    else:
        draft.sli(found.query, ratio=f"1 - ({query})")


def _is_condition(query: str) -> bool:
    """Return whether a query says 1 or 0."""
    tree = templates.parse(query.strip())
    return isinstance(tree, ast.BinaryExpr) and tree.modifier is not None and bool(tree.modifier.return_bool)


def _events(draft: Draft, found: Indicator, total: Node, how: Slice) -> None:
    part_text, total_text = (_template(node, is_counter=found.is_counter) for node in (found.query, total))
    if how.method == "Occurrences":
        draft.sli(found.query, **{found.kind: part_text, "total": total_text})
        for text, node in ((part_text, found.query), (total_text, total)):
            quotient.summed(text, node)
        return
    part, of = (text.replace(WINDOW, promql.duration(how.seconds)) for text in (part_text, total_text))
    # Without a bad event there is no series of them; without an event at all nothing is broken.
    share = f"(({part}) or 0 * ({of})) / (({of}) > 0)"
    if how.method == "RatioTimeslices":
        draft.sli(found.query, ratio=share if found.kind == "bad" else f"1 - {share}")
        return
    limit = (
        f">= bool {promql.number(how.target)}" if found.kind == "good" else f"<= bool {promql.number(1 - how.target)}"
    )
    draft.sli(found.query, good_when=f"({share} {limit}) or (({of}) == bool 0)")


def _template(node: Node, *, is_counter: bool) -> str:
    """Return a query as a template: the window it has, or the one it needs."""
    text = sloth.stepped(node)
    if templates.ANY_WINDOW.search(text):
        return text
    tree = templates.parse(text.strip())
    ranges = set(_RANGE.findall(templates.without_strings(text)))
    if ranges:
        if len(ranges) > 1:
            msg = f"ranges of {' and '.join(sorted(ranges))} are mixed: write {WINDOW} instead"
            raise ExpressionError(msg)
        node.changed(f"its range of {ranges.pop()} gives way to that of each rule")
        return templates.outside_strings(text, lambda part: _RANGE.sub(f"[{WINDOW}]", part))
    if not is_counter:
        node.changed("a value that goes up and down is summed over time, a minute a sample")
        return f"sum_over_time(({text.strip()})[{WINDOW}:1m])"
    node.changed("a counter counts by its rate")
    return _rated(tree)


def _rated(tree: ast.Expr) -> str:
    if isinstance(tree, ast.VectorSelector):
        try:
            return f"rate({promql.selector(*terms.selected(tree))}[{WINDOW}])"
        except terms.NotLinearError as error:
            raise ExpressionError(str(error)) from error
    if isinstance(tree, ast.ParenExpr):
        return f"({_rated(tree.expr)})"
    if isinstance(tree, ast.BinaryExpr) and str(tree.op) in {"+", "-"}:
        return f"{_rated(tree.lhs)} {tree.op} {_rated(tree.rhs)}"
    if isinstance(tree, ast.AggregateExpr) and str(tree.op) == "sum":
        by = tree.modifier
        if by is None or by.type is ast.AggModifierType.By:
            return promql.summed(_rated(tree.expr), tuple(by.labels) if by is not None else ())
    msg = f"the counters in it cannot be told: write sums of rate(name{{...}}[{WINDOW}])"
    raise ExpressionError(msg)
