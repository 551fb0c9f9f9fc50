"""A runbook page for the alerts of each SLO: what fired, what that means in its numbers, what to ask, what to do.

Every alert has a section under its tier's or kind's name, so a link may end in `#page_fast` or `#absent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, budget, events, first_look, promql
from llmslo_rulegen.shape import ALERT, DESCRIPTION, Form, shape
from llmslo_rulegen.slo import Calendar, CatalogSli, HistogramSli, Slo
from llmslo_rulegen.tier import Severity, Tier

if TYPE_CHECKING:
    import jinja2

FOLDER = "runbooks"
_TEMPLATE = Path(__file__).with_name("runbook.md.j2")
_MILLION = 1_000_000
_TENTH = 0.1
_WHO = {Severity.PAGE: "page", Severity.TICKET: "ticket"}
_FORGOTTEN = {
    Calendar.WEEK: "the next week begins",
    Calendar.MONTH: "the next month begins",
    Calendar.QUARTER: "the next quarter begins",
    None: "the worst events have left the window",
}
# What Markdown would take for its own, and HTML; an underscore inside of a word is none.
_SPECIAL = re.compile(r"[\\`*\[\]<>|#&~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BACKTICKS = re.compile(r"`+")


class _Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def path(slo: Slo) -> str:
    """Return where the page of an SLO is, below the output folder."""
    return f"{FOLDER}/{slo.id}.md"


def pages(slos: Iterable[Slo]) -> dict[str, str]:
    """Return the page of each SLO by its path."""
    found = {}
    for slo in slos:
        its = shape(slo)
        escapes = {hole: escaped(its.texts[hole]) for hole in (ALERT, DESCRIPTION) if hole in its.texts}
        texts = {**its.texts, **escapes}
        found[path(slo)] = _form(its.common).filled(texts.__getitem__) if its.texts else _text(slo)
    return found


@lru_cache(maxsize=256)
def _form(slo: Slo) -> Form:
    return Form(_text(slo))


def _text(slo: Slo) -> str:
    return template().render(page=_page(slo)).rstrip() + "\n"


def escaped(text: str) -> str:
    """Return `text` as Markdown shows it: on one line, without markup of its own."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def code(text: str) -> str:
    """Return a block of code; its fence is longer than any row of backticks within."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return _Markdown(f"{fence}promql\n{text}\n{fence}")


@lru_cache
def template() -> jinja2.Template:
    """Return the template of a page; every value in it is escaped, and a missing one is an error."""
    import jinja2  # noqa: PLC0415 -- 60 ms that only a rendering needs

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, _Markdown) else escaped(str(value)),
        autoescape=False,  # noqa: S701 -- Markdown, escaped by `finalize`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _page(slo: Slo) -> dict[str, object]:
    tiers = alerts.tiers_of(slo)
    shortest_s = min((tier.short_s for tier in tiers), default=3600)
    calendar = slo.window.calendar
    return {
        "alert": slo.alerting.name,
        "id": f"{slo.service}/{slo.name}",
        "description": slo.description,
        "objective": promql.number(slo.objective),
        "events": _events(slo),
        "window": f"a {calendar.value}" if calendar else promql.duration(slo.window.seconds),
        "group_by": ", ".join(slo.group_by),
        "by": _by(slo),
        "budget_percent": promql.number(slo.budget * 100),
        "budget_events": f"{budget.budget_events(slo.objective, _MILLION):,.0f}",
        "budget_time": _time(float(budget.budget_minutes(slo.objective, slo.window.seconds)) * 60),
        "shortest": promql.duration(shortest_s),
        "forgotten": _FORGOTTEN[calendar],
        "tiers": [_tier(slo, tier) for tier in tiers],
        "kinds": alerts.names(slo) if Severity.TICKET not in slo.alerting.disabled else {},
        "queries": [
            *([first_look.bad_share(slo, shortest_s)] if tiers else []),
            *first_look.causes(slo, shortest_s),
            first_look.budget_left(slo),
            first_look.other_alerts(slo),
        ],
        "liveness": list(first_look.liveness(slo)),
    }


def _tier(slo: Slo, tier: Tier) -> dict[str, object]:
    share = float(alerts.threshold(slo, tier))
    return {
        "name": tier.name,
        "is_page": tier.severity is Severity.PAGE,
        "who": _WHO[tier.severity],
        "factor": promql.number(tier.factor),
        "share": promql.number(alerts.threshold(slo, tier) * 100),
        "long": promql.duration(tier.long_s),
        "short": promql.duration(tier.short_s),
        "min_bad": tier.min_bad,
        "gone": _digits(100 * budget.share_at_firing(tier, slo.window.seconds)),
        "exhausted": _time(budget.exhausted_after_s(slo.objective, slo.window.seconds, share)),
        "outage": _after(budget.detection_s(tier, slo.objective, 1)),
        "tenth": _after(budget.detection_s(tier, slo.objective, _TENTH)),
    }


def _events(slo: Slo) -> str:
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        within = f" within {promql.number(sli.threshold)}" if sli.threshold is not None else ""
        return f"the events of the SLI {sli.name} (source {sli.source}{within}: {events.definition(sli).description})"
    if isinstance(sli, HistogramSli):
        return f"the observations of {sli.selector} within {promql.number(sli.threshold)}"
    return "the events that the SLO file counts"


def _by(slo: Slo) -> str:
    """Return what to tell culprits by."""
    if isinstance(slo.sli, CatalogSli):
        labels = (label.name for label in events.definition(slo.sli).total[0].metric.labels)
        known = [
            label for label in labels if label in {catalog.PROVIDER.name, catalog.MODEL.name, catalog.WORKLOAD.name}
        ]
        return ", ".join(known) or "label"
    return ", ".join(slo.group_by) or "label"


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else _time(seconds)


def _time(seconds: float) -> str:
    """Return a length with its two largest units."""
    for unit, below in ((1, 600), (60, 86_400), (3600, float("inf"))):
        if seconds < below:
            return promql.duration(max(unit, round(seconds / unit) * unit))
    raise AssertionError


def _digits(value: float) -> str:
    return promql.number(Decimal(f"{value:.3g}"))
