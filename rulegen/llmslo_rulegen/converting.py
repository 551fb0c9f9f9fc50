"""SLOs from one format to another, with a list of all that does not come back as it was.

The list is not a promise of whoever wrote the exporter: what is written is read again and compared, key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from llmslo_rulegen import reading
from llmslo_rulegen.exports.loss import Exported, Loss
from llmslo_rulegen.finding import has_errors
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Notice, SlicedSli, Slo
from llmslo_rulegen.tier import Severity

_MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Converted:
    """A file in another format; `lost` is what it cannot hold, `changed` what comes back in another form."""

    text: str
    lost: tuple[Loss, ...]
    changed: tuple[Loss, ...]
    flags: tuple[str, ...]


def convert(slos: Sequence[Slo], target: str) -> Converted:
    """Return `slos` in the format `target`, one of CONVERSIONS."""
    write: Callable[[Sequence[Slo]], Exported] = import_module(f"llmslo_rulegen.exports.{target}").write
    found = write(slos)
    lost = [loss for loss in found.losses if loss.is_lost]
    known = {(loss.slo, loss.key) for loss in found.losses}
    changed = [loss for loss in found.losses if not loss.is_lost]
    changed += [loss for loss in _reread(found, target) if (loss.slo, loss.key) not in known]
    return Converted(found.text, tuple(lost), tuple(changed), found.flags)


def _reread(found: Exported, target: str) -> Iterator[Loss]:
    if not found.slos:
        return
    windows = {slo.window for slo in found.slos if slo.window.calendar is None}
    period = next(iter(windows)) if target == "sloth" and len(windows) == 1 else None
    back = reading.read({f"{target}.yaml": found.text.encode()}, sloth_period=period)
    if has_errors(back.findings) or len(back.slos) != len(found.slos):
        why = next((finding.text for finding in back.findings), "it is not what was written")
        yield Loss(found.slos[0].service, "all", f"this program does not read it again: {why}", is_lost=False)
        return
    for slo, other in zip(found.slos, back.slos, strict=True):
        was, now = _keys(slo), _keys(other)
        for key, value in was.items():
            if now[key] != value:
                yield Loss(slo.id, key, f"{_shown(value)} reads back as {_shown(now[key])}", is_lost=False)


def _keys(slo: Slo) -> dict[str, object]:
    """Return what an SLO says, by the keys of an `llmslo/v1` file."""
    alerting = slo.alerting
    notices = {severity: (alerting.notice(severity), severity in alerting.disabled) for severity in Severity}
    return {
        "name": slo.name,
        "service": slo.service,
        "sli": slo.sli,
        "objective": slo.objective,
        "window": slo.window,
        "description": slo.description,
        "labels": slo.labels,
        "group_by": slo.group_by,
        "scrape_interval": slo.scrape_interval_s,
        "low_traffic": slo.low_traffic,
        "runbook_url": slo.runbook_url,
        "dashboard_url": slo.dashboard_url,
        "alerting.name": alerting.name,
        "alerting.labels": alerting.labels,
        "alerting.annotations": alerting.annotations,
        "alerting.tiers": alerting.tiers,
        **{f"alerting.{severity.value}": notice for severity, (notice, _) in notices.items()},
        **{f"alerting.{severity.value}.disable": is_off for severity, (_, is_off) in notices.items()},
    }


def _shown(value: object) -> str:
    if isinstance(value, CatalogSli):
        return f"{value.name} of {value.source}"
    if isinstance(value, EventsSli):
        return f"{'bad' if value.good is None else 'good'} and total in PromQL"
    if isinstance(value, (HistogramSli, SlicedSli)):
        return value.selector if isinstance(value, HistogramSli) else value.expression[:_MOST_SHOWN]
    if isinstance(value, Notice):
        value = {"labels": dict(value.labels), "annotations": dict(value.annotations)}
    text = " ".join(str(value).split())
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
