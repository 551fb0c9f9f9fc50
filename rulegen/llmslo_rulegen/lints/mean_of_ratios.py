"""A ratio that is taken before the sum."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import SlicedSli


def ask(case: Case) -> Iterator[Spot]:
    """Ask each expression that is judged by time for a quotient within an aggregation (slo-rules 5.1, 1)."""
    for slo in case.slos:
        for part in written.parts(slo.sli) if isinstance(slo.sli, SlicedSli) else ():
            for node in written.nodes(part.tree):
                if isinstance(node, promql.AggregateExpr) and _is_quotient(written.bare(node.expr)):
                    text = (
                        f"{node.op} of a quotient weighs an idle instance like a busy one, and is NaN where one is idle"
                    )
                    fix = "divide last, as `sum(bad) / sum(total)`, or give bad and total as templates"
                    yield Spot(slo.place, text, fix, part.at, str(node.op))
                    break


def _is_quotient(node: promql.Expr) -> bool:
    """Return whether both sides of a division have series."""
    if not isinstance(node, promql.BinaryExpr) or str(node.op) != "/":
        return False
    return all(_has_series(side) for side in (node.lhs, node.rhs))


def _has_series(node: promql.Expr) -> bool:
    return any(isinstance(one, (promql.VectorSelector, promql.MatrixSelector)) for one in written.nodes(node))


LINT = Lint("sli/mean-of-ratios", Level.WARNING, "an aggregation of quotients", ask)
