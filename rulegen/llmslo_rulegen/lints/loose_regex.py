"""A regular expression that is none, or takes everything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import CatalogSli, Matcher, Op

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_EVERYTHING = (".*", "^.*$")


def ask(case: Case) -> Iterator[Spot]:
    """Ask each regular expression for a sign that makes it one: PromQL anchors it, so `gpt-4` is no prefix."""
    for slo in case.slos:
        if isinstance(slo.sli, CatalogSli):
            for matcher in slo.sli.select:
                if matcher.op is Op.MATCH and (found := _why(matcher)):
                    fix = found[1].format(f"{matcher.label}: ", "~")
                    yield Spot(slo.place, found[0], fix, ("select", matcher.label))
        for part in written.parts(slo.sli):
            for use in part.uses:
                for matcher in use.matchers:
                    if matcher.op in {Op.MATCH, Op.NO_MATCH} and (found := _why(matcher)):
                        exact = "=" if matcher.op is Op.MATCH else "!="
                        fix = found[1].format(f"{matcher.label}{exact}", "")
                        yield Spot(slo.place, found[0], fix, part.at, matcher.value)


def _why(matcher: Matcher) -> tuple[str, str] | None:
    value = matcher.value
    if value in _EVERYTHING:
        return f"{matcher.label} matches {value}, which is everything", "leave it out"
    if not _META.search(value):
        exact = f'write `{{0}}"{value[:60]}"`, or `{{1}}{value[:60]}.*` for all that begins so'
        return (
            f"{value[:60]} has no sign of a regular expression, and is anchored: nothing but this text matches",
            exact,
        )
    return None


LINT = Lint("sli/regex", Level.WARNING, "a regular expression that is none, or takes everything", ask)
