"""The report on proposals: as Markdown, and as one page of HTML that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from llmslo_rulegen.derive import charts, document, reasons
from llmslo_rulegen.derive.promise import Refusal
from llmslo_rulegen.derive.proposal import Proposal

_SPECIAL = str.maketrans(
    {char: f"\\{char}" for char in "\\`*_{}[]()#+-!|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
HTML, MARKDOWN = ".html", ".md"


def markdown(found: Sequence[Proposal]) -> str:
    """Return the report as Markdown; names cannot become markup."""
    return "".join(f"{line}\n" for line in _lines(found))


def html(found: Sequence[Proposal]) -> str:
    """Return the report as a page: no script, nothing from elsewhere, names escaped."""
    services = [
        {"name": document.shown(service), "proposals": [_of_page(one) for one in members]}
        for service, members in groupby(found, key=lambda one: one.service)
    ]
    return _environment().get_template("page.html.j2").render(services=services, how=HOW) + "\n"


HOW = (
    "Bad events come in clumps, so not requests but blocks of time are drawn anew: the blocks are worth so many"
    " independent requests, and the interval is Wilson's of these, with Student's t. A threshold is the strictest"
    " bucket end of the source that surely leaves the SLI's usual share of events good. An objective is the next step"
    " of a fixed ladder below what the next 30 days surely reach. Pages are those of the tiers that render makes, over"
    " the baseline's own hours."
)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("llmslo_rulegen.derive", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A proposal in a line; empty where it is refused."""

    service: str
    name: str
    threshold: str
    objective: str
    bad: str
    interval: str
    events: str
    pages: str


def _row(one: Proposal) -> _Row:
    made = one.outcome
    if isinstance(made, Refusal):
        return _Row(one.service, one.name, "", "refused", "", "", f"{made.events:,}", "")
    found = made.estimate
    return _Row(
        one.service,
        one.name,
        reasons.edge(one, made.threshold) if made.threshold is not None else "",
        f"{made.objective} %" + (" provisional" if made.provisional else ""),
        reasons.percent(found.share),
        f"{reasons.percent(found.low)} to {reasons.percent(found.high)}",
        f"{found.events:,}",
        f"{one.alarms.pages_a_month:.2g}" if one.alarms is not None else "",
    )


def _of_page(one: Proposal) -> dict[str, object]:
    made = one.outcome
    row = _row(one)
    labels = [f"{label}={document.shown(', '.join(values)) or '(none)'}" for label, values in one.select]
    shared = {
        "name": document.shown(one.name),
        "sli": one.sli,
        "source": one.source,
        "select": labels,
        "events": row.events,
    }
    if isinstance(made, Refusal):
        changes = [reasons.change(change, one.traffic.history.span) for change in made.changes[:1]]
        return {**shared, "why": made.why, "says": changes}
    return {
        **shared,
        "why": "",
        "objective": f"{made.objective} %",
        "threshold": row.threshold,
        "bad": row.bad,
        "interval": row.interval,
        "pages": row.pages,
        "provisional": made.provisional,
        "says": list(reasons.all_of(one, made)),
        "aspiration": reasons.aspiration(made),
        "charts": charts.charts(one, made),
    }


def _lines(found: Sequence[Proposal]) -> Iterator[str]:
    yield "# Proposed SLOs"
    yield ""
    yield "| service | SLO | threshold | objective | bad | 95 % interval | events | pages a month |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in found:
        yield f"| {' | '.join(map(_plain, astuple(_row(one))))} |"
    for service, members in groupby(found, key=lambda one: one.service):
        yield from ("", f"## {_plain(service)}")
        for one in members:
            yield from ("", f"### {_plain(one.name)}", "", *_section(one))
    yield from ("", "## How", "", HOW)


def _section(one: Proposal) -> Iterator[str]:
    made = one.outcome
    yield f"- SLI {one.sli} of {one.source}" + "".join(
        f", {label} {_plain(', '.join(values)) or '(none)'}" for label, values in one.select
    )
    if isinstance(made, Refusal):
        yield f"- Refused: {_plain(made.why)}"
        return
    yield from (
        f"- {_plain(sentence)}" for sentence in (*reasons.all_of(one, made), reasons.aspiration(made)) if sentence
    )


def _plain(text: str) -> str:
    return document.shown(text).translate(_SPECIAL)
