"""A share written in percent."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import SlicedSli

_HUNDRED = 100.0


def ask(case: Case) -> Iterator[Spot]:
    """Ask each `ratio`, a share from 0 to 1, for a factor of 100."""
    for slo in case.slos:
        if not isinstance(slo.sli, SlicedSli) or slo.sli.condition:
            continue
        for part in written.parts(slo.sli):
            node = written.bare(part.tree)
            if isinstance(node, promql.BinaryExpr) and str(node.op) == "*" and _is_hundred(node):
                text = "this is percent, a share from 0 to 1 is needed: 1 % and more would count as all of it"
                yield Spot(slo.place, text, "take `100 *` or `* 100` out", part.at, "100")


def _is_hundred(node: promql.BinaryExpr) -> bool:
    sides = (written.bare(node.lhs), written.bare(node.rhs))
    return any(isinstance(side, promql.NumberLiteral) and side.val == _HUNDRED for side in sides)


LINT = Lint("sli/percent", Level.ERROR, "a share written in percent", ask)
