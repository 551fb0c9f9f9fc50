"""Bad or good events that are not among the total ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmslo_rulegen import samples
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, matching, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.lints.written import Use
from llmslo_rulegen.promql import matcher as shown
from llmslo_rulegen.slo import EventsSli, Matcher

_ANY = "some-other-value"


def ask(case: Case) -> Iterator[Spot]:
    """Ask each selector of bad or good for one of total that takes the same series, label by label."""
    for slo in case.slos:
        if not isinstance(slo.sli, EventsSli):
            continue
        judged, total = written.parts(slo.sli)
        for use in judged.uses:
            alike = [one for one in total.uses if _base(one.name) == _base(use.name)]
            missing = [_missing(use, one) for one in alike]
            if missing and all(one is not None for one in missing):
                first = next(one for one in missing if one is not None)
                side = judged.at[-1]
                text = f"{side} counts events that total leaves out: total has {shown(first)}"
                yield Spot(
                    slo.place, text, f"add `{shown(first)}` to {side}, or take it out of total", judged.at, use.name
                )
            elif not alike and _is_own_kind(use) and all(_is_own_kind(one) for one in total.uses):
                side = judged.at[-1]
                names = ", ".join(dict.fromkeys(one.name for one in total.uses))[:120]
                text = f"{side} counts {use.name[:80]}, total {names}: nothing says that the one is part of the other"
                fix = f"count both from one metric, such as `{total.uses[0].name[:80]}`"
                yield Spot(slo.place, text, fix, judged.at, use.name)


def _base(name: str) -> str:
    """Return the histogram's name for its series: `_bucket` observations are among `_count`."""
    for ending in ("_bucket", "_count"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _is_own_kind(use: Use) -> bool:
    """Return whether only one metric counts such events; one called errors or failures counts those of another."""
    return known.metric(use.name) is not None


def _missing(use: Use, of: Use) -> Matcher | None:
    """Return a matcher of total that refuses a value which the other takes."""
    for matcher in of.matchers:
        if matcher.label == "le" or matcher in use.matchers:
            continue
        own = [one for one in use.matchers if one.label == matcher.label]
        if not _implies(own, matcher):
            return matcher
    return None


def _implies(own: Sequence[Matcher], matcher: Matcher) -> bool:
    """Return whether all that `own` takes is taken by `matcher`, as far as examples tell."""
    if not own:
        return not matching.refuses(matcher, _ANY)
    if not all(map(samples.is_tame, (*own, matcher))):
        return True
    tried = (*samples.accepted(own), *samples.refused([matcher]))
    return not any(
        matching.refuses(matcher, value) for value in tried if not any(matching.refuses(one, value) for one in own)
    )


LINT = Lint("sli/subset", Level.WARNING, "bad or good events that total does not count", ask)
