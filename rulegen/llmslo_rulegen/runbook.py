"""A runbook page for each alert: what fired, what that means in its numbers, what to ask, what to do.

The burn alert of an SLO is one, whatever tier of it fires: its page has a section under each tier's name, so that a
link may end in `#page_fast`. Absent data, a spent budget and nonsense have pages of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, budget, durations, events, first_look, promql
from llmslo_rulegen.shape import ALERT, DESCRIPTION, Form, shape
from llmslo_rulegen.slo import Calendar, CatalogSli, HistogramSli, Slo
from llmslo_rulegen.tier import Severity, Tier

if TYPE_CHECKING:
    import jinja2

FOLDER = "runbooks"
_TEMPLATES = Path(__file__).parent
_MILLION = 1_000_000
_HOUR_S = 3600
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


def path(slo: Slo, kind: str = "") -> str:
    """Return where a page is, below the output folder: that of the burn alert, or of a kind."""
    return f"{FOLDER}/{alerts.page(slo, kind)}"


def pages(slos: Iterable[Slo]) -> dict[str, str]:
    """Return the pages of each SLO by their paths."""
    found = {}
    for slo in slos:
        its = shape(slo)
        escapes = {hole: escaped(its.texts[hole]) for hole in (ALERT, DESCRIPTION) if hole in its.texts}
        fill = {**its.texts, **escapes}.__getitem__
        forms = _forms(its.common).items() if its.texts else ()
        texts = {kind: form.filled(fill) for kind, form in forms} or _texts(slo)
        found.update({path(slo, kind): text for kind, text in texts.items()})
    return found


@lru_cache(maxsize=256)
def _forms(slo: Slo) -> dict[str, Form]:
    return {kind: Form(text) for kind, text in _texts(slo).items()}


def _texts(slo: Slo) -> dict[str, str]:
    """Return the text of the burn alert's page, and of each kind's."""
    page = _page(slo)
    kinds = ("", *_kinds(slo))
    return {kind: template(kind).render(page=page).rstrip() + "\n" for kind in kinds}


def _kinds(slo: Slo) -> dict[str, str]:
    return {} if Severity.TICKET in slo.alerting.disabled else alerts.names(slo)


def escaped(text: str) -> str:
    """Return `text` as Markdown shows it: on one line, without markup of its own."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def code(text: str) -> str:
    """Return a block of code; its fence is longer than any row of backticks within."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return _Markdown(f"{fence}promql\n{text}\n{fence}")


@lru_cache
def template(kind: str) -> jinja2.Template:
    """Return the template of a page; every value in it is escaped, and a missing one is an error."""
    name = f"runbook_{kind}.md.j2" if kind else "runbook.md.j2"
    return _environment().from_string((_TEMPLATES / name).read_text(encoding="utf-8"))


@lru_cache
def _environment() -> jinja2.Environment:
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
    return environment


def _page(slo: Slo) -> dict[str, object]:
    tiers = alerts.tiers_of(slo)
    shortest_s = min((tier.short_s for tier in tiers), default=_HOUR_S)
    calendar = slo.window.calendar
    return {
        "alert": slo.alerting.name,
        "id": f"{slo.service}/{slo.name}",
        "file": _Markdown(alerts.page(slo)),
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
        "kinds": _kinds(slo),
        "queries": [
            *([first_look.bad_share(slo, shortest_s)] if tiers else []),
            *first_look.causes(slo, shortest_s),
            first_look.budget_left(slo),
            first_look.other_alerts(slo),
        ],
        "liveness": list(first_look.liveness(slo)),
        "spent": [first_look.budget_left(slo), *([first_look.bad_share(slo, shortest_s)] if tiers else [])],
        "counted": list(first_look.causes(slo, _HOUR_S)),
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
        found = events.definition(sli)
        return f"the events of the SLI {sli.name} (source {sli.source}{_limit(sli, found)}: {found.description})"
    if isinstance(sli, HistogramSli):
        return f"the observations of {sli.selector} within {promql.number(sli.threshold)}"
    return "the events that the SLO file counts"


def _limit(sli: CatalogSli, found: catalog.Sli) -> str:
    if sli.threshold is None:
        return ""
    is_time = any(each.metric.name.endswith("_seconds") for each in (*found.good, *found.bad))
    return f", within {durations.show(sli.threshold)}" if is_time else f", at {promql.number(sli.threshold)}"


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
