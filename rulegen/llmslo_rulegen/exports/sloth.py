"""SLOs as a file of Sloth's, `prometheus/v1`. Its window is a flag of its command line, not of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llmslo_rulegen import durations, yaml_text
from llmslo_rulegen.exports import written
from llmslo_rulegen.exports.loss import Exported, Loss, Losses, export
from llmslo_rulegen.rule import Labels
from llmslo_rulegen.slo import Notice, SlicedSli, Slo
from llmslo_rulegen.templates import WINDOW
from llmslo_rulegen.tier import Severity

_THEIRS = "{{.window}}"
_DEFAULT_S, _SHIPPED_S = 30 * durations.DAY_S, (28 * durations.DAY_S, 30 * durations.DAY_S)


def write(slos: Sequence[Slo]) -> Exported:
    """Return a document for each service."""
    period = _period(slos)
    found, losses = export(slos, lambda slo, here: _slo(slo, here, period))
    documents: dict[tuple[str, Labels], list[object]] = {}
    for slo, data in found:
        documents.setdefault((slo.service, slo.labels), []).append(data)
    texts = [
        yaml_text.dump(_filled(version="prometheus/v1", service=service, labels=dict(labels), slos=members))
        for (service, labels), members in documents.items()
    ]
    flags = () if period in {None, _DEFAULT_S} else (f"--default-slo-period={_days(period)}d",)
    order = [slo for key in documents for slo, _ in found if (slo.service, slo.labels) == key]
    return Exported("---\n".join(texts), tuple(order), (*losses, *_period_losses(order, period)), flags)


def _period(slos: Sequence[Slo]) -> int | None:
    """Return the window that most SLOs have: Sloth takes one for all."""
    rolling = Counter(slo.window.seconds for slo in slos if slo.window.calendar is None)
    return rolling.most_common(1)[0][0] if rolling else None


def _period_losses(slos: Sequence[Slo], period: int | None) -> list[Loss]:
    if period is None or period in _SHIPPED_S or not slos:
        return []
    text = f"Sloth has no alert windows for {_days(period)} days: give it a catalog of such (AlertWindows)"
    return [Loss(slos[0].id, "window", text, is_lost=True)]


def _slo(slo: Slo, here: Losses, period: int | None) -> object:
    here.unless_default("Sloth")
    if slo.window.calendar is not None:
        here.lost("window", f"Sloth has no calendar windows: {slo.window.calendar.value}")
    elif slo.window.seconds != period:
        length = _days(slo.window.seconds)
        here.lost(
            "window", f"{length} days here, {_days(period or 0)} elsewhere, Sloth takes one for a run: convert apart"
        )
    if slo.alerting.tiers is not None:
        here.lost("alerting.tiers", "Sloth takes its alert windows from a catalog, for every SLO of a period")
    return _filled(
        name=slo.name,
        description=slo.description,
        objective=slo.objective,
        sli=_sli(slo),
        alerting=_alerting(slo, here),
    )


def _sli(slo: Slo) -> object:
    if isinstance(slo.sli, SlicedSli):
        bad = written.sliced(slo, slo.sli)
        return {"raw": {"error_ratio_query": f"avg_over_time(({bad})[{_THEIRS}:1m])"}}
    found = written.written(slo)
    if found is None:
        msg = "events that are no slices have templates"
        raise TypeError(msg)
    return {"events": {"error_query": _windowed(found.bad), "total_query": _windowed(found.total)}}


def _windowed(template: str) -> str:
    return template.replace(WINDOW, _THEIRS)


def _alerting(slo: Slo, here: Losses) -> object:
    alerting = slo.alerting
    return _filled(
        name=alerting.name,
        labels=dict(alerting.labels),
        annotations=here.links(),
        page_alert=_alert(alerting.page, is_off=Severity.PAGE in alerting.disabled),
        ticket_alert=_alert(alerting.ticket, is_off=Severity.TICKET in alerting.disabled),
    )


def _alert(notice: Notice, *, is_off: bool) -> object:
    return _filled(disable=is_off or None, labels=dict(notice.labels), annotations=dict(notice.annotations))


def _filled(**members: object) -> dict[str, object]:
    """Return the members that hold something."""
    return {key: value for key, value in members.items() if value not in (None, "", {}, [])}


def _days(seconds: int) -> int:
    return seconds // durations.DAY_S
