"""A replay in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from llmslo_rulegen import durations, promql
from llmslo_rulegen.backtest.trial import Cell, Result
from llmslo_rulegen.backtest.vector import Labels
from llmslo_rulegen.backtest.verdict import Alert, Answer, Budget, Verdict
from llmslo_rulegen.finding import printable
from llmslo_rulegen.tier import Severity

_MINUTE_S = 60
_MOST_LINES = 40  # of alerts, episodes and budgets each
Record = Mapping[str, object]


def instant(at_ms: int) -> str:
    """Return an instant, UTC, to the second where it is no full minute."""
    found = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{found:%Y-%m-%d %H:%M}" if at_ms % 60_000 == 0 else f"{found:%Y-%m-%d %H:%M:%S}"


def length(seconds: float | None) -> str:
    """Return a length of time; one of minutes is rounded to them."""
    if seconds is None:
        return "never"
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    return sign + durations.show(round(left) if left < _MINUTE_S else round(left / _MINUTE_S) * _MINUTE_S)


def group(found: Labels) -> str:
    """Return a group's labels, empty for none."""
    return " ".join(f"{name}={value}" for name, value in found)


def share(found: float) -> str:
    """Return a share in percent, with two digits that mean something."""
    return f"{found * 100:.2g} %" if found < 1 else f"{found * 100:.0f} %"


def text(results: Sequence[Result]) -> str:
    """Return all results for a reader."""
    return "\n".join(printable(line) if line else "" for result in results for line in (*_lines(result), ""))


def _lines(result: Result) -> Iterator[str]:
    slo = result.slo
    yield f"{slo.service}/{slo.name}: {promql.number(slo.objective)} % over {window(result)}"
    told = result.verdict
    if told is None:
        yield f"  not replayed: {result.refused}"
        return
    begin, end = told.curves.begin_ms, told.curves.end_ms
    yield f"  {instant(begin)} to {instant(end)} UTC, {told.evaluations} evaluations"
    yield f"  {summary(told)}"
    answers = tuple(f"episode {number}: {_answered(answer)}" for number, answer in enumerate(told.answers, 1))
    yield from _first(answers, "episodes")
    yield from _first(tuple(map(_alert, told.alerts)), "alerts")
    yield from _first(tuple(map(_budget, told.budgets)), "budgets")
    if result.cells:
        yield from grid(result.cells)


def _first(lines: Sequence[str], what: str) -> Iterator[str]:
    """Yield the first lines; somebody who reads has enough of them."""
    yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more {what}: --json and --report have all"


def window(result: Result) -> str:
    """Return what a budget is for."""
    found = result.slo.window
    return f"the {found.calendar.value}" if found.calendar else promql.duration(found.seconds)


def summary(told: Verdict) -> str:
    """Return the numbers of a replay in one line."""
    counted = []
    for severity in Severity:
        number, false = len(told.burns(severity)), told.false(severity)
        counted.append(f"{number} {severity.value}{'' if number == 1 else 's'} ({false} false)")
    known = len(told.answers)
    return f"{', '.join(counted)}; {known} episode{'' if known == 1 else 's'}, {told.missed} missed"


def _answered(answer: Answer) -> str:
    episode = answer.episode
    parts = [f"{instant(episode.begin_ms)} to {instant(episode.end_ms)}"]
    if episode.group:
        parts.append(group(episode.group))
    if episode.spent is not None:
        parts.append(f"{share(episode.spent)} of the budget")
    if answer.page_s is not None:
        parts.append(f"paged after {length(answer.page_s)}")
    elif answer.ticket_s is not None:
        parts.append(f"no page, a ticket after {length(answer.ticket_s)}")
    else:
        parts.append("nobody was told")
    if answer.reset_s is not None:
        parts.append(f"over {length(answer.reset_s)} after its end")
    return ", ".join(parts)


def _alert(alert: Alert) -> str:
    firing = alert.firing
    what = alert.tier.name if alert.tier else alert.kind or alert.name
    until = "goes on" if firing.end_ms is None else f"{length((firing.end_ms - firing.begin_ms) / 1000)}"
    about = "false" if alert.is_false else ", ".join(f"episode {place + 1}" for place in alert.episodes)
    ending = f", {about}" if about else ""
    named = f" {group(alert.group)}" if alert.group else ""
    return f"{alert.severity.value:<6} {what:<11}{named} {instant(firing.begin_ms)}, {until}{ending}"


def _budget(budget: Budget) -> str:
    named = f" {group(budget.group)}" if budget.group else ""
    part = "" if budget.covered >= 1 else f", data for {share(budget.covered)} of it"
    return f"budget{named} {instant(budget.begin_ms)} to {instant(budget.end_ms)}: {share(budget.spent)} spent{part}"


def grid(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a table: a row an objective, a column a factor."""
    factors = tuple(dict.fromkeys(cell.factor for cell in cells))
    yield "  pages/tickets/missed/false pages/false tickets, at factors times"
    yield f"  {'objective':>10}" + "".join(f"{promql.number(factor):>18}" for factor in factors)
    for objective in dict.fromkeys(cell.objective for cell in cells):
        row = [cell for cell in cells if cell.objective == objective]
        shown = (f"{one.pages}/{one.tickets}/{one.missed}/{one.false_pages}/{one.false_tickets}" for one in row)
        yield f"  {promql.number(objective):>8} %" + "".join(f"{each:>18}" for each in shown)


def record(result: Result) -> Record:
    """Return a result as JSON has it: instants in seconds since the epoch, shares from 0 to 1."""
    found: dict[str, object] = {
        "service": result.slo.service,
        "slo": result.slo.name,
        "objective": float(result.slo.objective),
        "window": window(result),
    }
    told = result.verdict
    if told is None:
        return found | {"refused": result.refused}
    found |= {
        "begin": told.curves.begin_ms / 1000,
        "end": told.curves.end_ms / 1000,
        "evaluations": told.evaluations,
        "pages": len(told.burns(Severity.PAGE)),
        "false_pages": told.false(Severity.PAGE),
        "tickets": len(told.burns(Severity.TICKET)),
        "false_tickets": told.false(Severity.TICKET),
        "missed": told.missed,
        "alerts": [_alert_record(alert) for alert in told.alerts],
        "episodes": [_answer_record(answer) for answer in told.answers],
        "budgets": [_budget_record(budget) for budget in told.budgets],
    }
    if result.cells:
        found["grid"] = [_cell_record(cell) for cell in result.cells]
    return found


def _alert_record(alert: Alert) -> Record:
    end_ms = alert.firing.end_ms
    return {
        "alert": alert.name,
        "severity": alert.severity.value,
        "tier": alert.tier.name if alert.tier else None,
        "kind": alert.kind or None,
        "group": dict(alert.group),
        "begin": alert.firing.begin_ms / 1000,
        "end": None if end_ms is None else end_ms / 1000,
        "episodes": list(alert.episodes),
        "false": alert.is_false,
    }


def _answer_record(answer: Answer) -> Record:
    episode = answer.episode
    return {
        "begin": episode.begin_ms / 1000,
        "end": episode.end_ms / 1000,
        "group": None if episode.group is None else dict(episode.group),
        "budget_spent": episode.spent,
        "bad_events": episode.bad,
        "page_after_s": answer.page_s,
        "ticket_after_s": answer.ticket_s,
        "reset_after_s": answer.reset_s,
    }


def _budget_record(budget: Budget) -> Record:
    return {
        "group": dict(budget.group),
        "begin": budget.begin_ms / 1000,
        "end": budget.end_ms / 1000,
        "spent": budget.spent,
        "covered": budget.covered,
    }


def _cell_record(cell: Cell) -> Record:
    return {
        "objective": float(cell.objective),
        "factor": cell.factor,
        "pages": cell.pages,
        "tickets": cell.tickets,
        "missed": cell.missed,
        "false_pages": cell.false_pages,
        "false_tickets": cell.false_tickets,
        "budget_spent": cell.spent,
    }
