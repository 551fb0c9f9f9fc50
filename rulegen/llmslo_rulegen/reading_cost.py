"""What rules cost a Prometheus: the series that they write, and the samples that they read at each evaluation.

Counted from the expressions as Prometheus counts (`totalQueryableSamples` of its query statistics), for one series a
selector and group: a range holds one sample a scrape, of records one an evaluation, and a subquery holds one a step,
whatever was read for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import promql_parser

EVALUATION_S = 60
_RECORDED = "slo:"  # the beginning of all names of ours


@dataclass(frozen=True, slots=True)
class Cost:
    """Rules, and per group series and samples read an evaluation."""

    rules: int
    series: int
    samples: int


def cost(rules: Iterable[tuple[str, str]], scrape_s: int) -> Cost:
    """Return the cost of rules, given as name and expression; an alert's state is a series as well while it fires."""
    expressions = [expression for _, expression in rules]
    return Cost(len(expressions), len(expressions), round(sum(_samples_of(one, scrape_s) for one in expressions)))


@lru_cache(maxsize=4096)
def _samples_of(expression: str, scrape_s: int) -> float:
    try:
        tree = promql_parser.parse(expression)
    except ValueError:  # of a file that somebody edited
        return 0.0
    return _samples(tree, scrape_s)


def _samples(node: promql_parser.Expr, scrape_s: int) -> float:
    found = 0.0
    match node:
        case promql_parser.VectorSelector():
            found = 1.0
        case promql_parser.MatrixSelector():
            name = node.vector_selector.name or ""
            step_s = EVALUATION_S if name.startswith(_RECORDED) else scrape_s
            found = max(1.0, node.range.total_seconds() / step_s)
        case promql_parser.SubqueryExpr():
            each_s = node.step.total_seconds() if node.step is not None else EVALUATION_S
            length_s = node.range.total_seconds() if node.range is not None else 0.0
            found = math.ceil(length_s / each_s)
        case promql_parser.Call():
            found = sum(_samples(one, scrape_s) for one in node.args)
        case promql_parser.BinaryExpr():
            found = _samples(node.lhs, scrape_s) + _samples(node.rhs, scrape_s)
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            found = _samples(node.expr, scrape_s)
        case _:
            pass
    return found
