"""A selector that no series can meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import matching, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.lints.written import Use
from llmslo_rulegen.promql import matcher as shown
from llmslo_rulegen.slo import Matcher, Op


def ask(case: Case) -> Iterator[Spot]:
    """Ask matchers on one label whether one of them wants exactly what another one refuses."""
    for slo in case.slos:
        for part in written.parts(slo.sli):
            for use in part.uses:
                found = _contradiction(use)
                if found is not None:
                    text = f"no series has both {shown(found[0])} and {shown(found[1])}"
                    yield Spot(slo.place, text, f"take `{shown(found[1])}` out", part.at, found[1].label)


def _contradiction(use: Use) -> tuple[Matcher, Matcher] | None:
    by_label: dict[str, list[Matcher]] = defaultdict(list)
    for matcher in use.matchers:
        by_label[matcher.label].append(matcher)
    for matchers in by_label.values():
        for one in matchers:
            for other in matchers if one.op is Op.EQUAL else ():
                if matching.refuses(other, one.value):
                    return one, other
    return None


LINT = Lint("sli/impossible", Level.ERROR, "matchers that contradict each other", ask)
