"""What a baseline says of the SLOs that there are: kept, broken, looser than it need be, or without events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from llmslo_exporter import catalog
from llmslo_rulegen import samples
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind
from llmslo_rulegen.derive import history, promise, proposal, reasons
from llmslo_rulegen.derive.history import Span
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.observed import labels, slis
from llmslo_rulegen.slo import CatalogSli, Matcher, Slo

LOOSE = 4.0  # times the share of bad events: a budget beyond is no promise


class Verdict(Enum):
    """What is to be done about an SLO."""

    KEEP = "keep"
    LOOSEN = "loosen"
    TIGHTEN = "tighten"
    CHANGED = "changed"  # the law did, and what it is now is not known yet
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Review:
    """What a baseline says of one SLO; `wanted` is the objective to have, `kinds` whose calls it is about."""

    slo: Slo
    verdict: Verdict
    says: str
    kinds: tuple[Kind, ...] = ()
    wanted: Decimal | None = None


def reviews(slos: Sequence[Slo], baseline: Baseline) -> Iterator[Review]:
    """Yield what the baseline says of each SLO, in their order."""
    kinds = dict(baseline.kinds())
    for slo in slos:
        yield _review(slo, kinds)


def _review(slo: Slo, kinds: Mapping[Kind, Mapping[int, Cell]]) -> Review:
    sli = slo.sli
    if not isinstance(sli, CatalogSli):
        return Review(slo, Verdict.UNKNOWN, "its SLI is written out, calls are not read by PromQL")
    reading = slis.reading(sli.source, sli.name)
    if reading is None:
        return Review(slo, Verdict.UNKNOWN, slis.untold(sli.source, sli.name))
    strange = _strange(sli, kinds)
    if strange is not None:
        return Review(slo, Verdict.UNKNOWN, f"calls do not tell its label {strange}")
    at = history.thresholds(sli.name, sli.source)
    if at and sli.threshold not in at:
        return Review(slo, Verdict.UNKNOWN, "its threshold is no bucket edge of the source")
    chosen = {kind: cells for kind, cells in kinds.items() if _is_of(slo, sli, kind)}
    hours = [hour for cells in chosen.values() for hour in cells]
    if not hours:
        return Review(slo, Verdict.UNKNOWN, "the baseline has no call that it selects")
    span = Span(min(hours), max(hours) + 1 - min(hours))
    found = history.merged(history.of(kind, cells, span, reading, at) for kind, cells in chosen.items())
    column = at.index(sli.threshold) if at and sli.threshold is not None else 0
    return _judged(slo, promise.promise(found, promise.fixed(column)), tuple(chosen))


def _judged(slo: Slo, made: Promise | Refusal, kinds: tuple[Kind, ...]) -> Review:
    if isinstance(made, Refusal):
        return Review(slo, Verdict.CHANGED if made.changes else Verdict.UNKNOWN, made.why, kinds)
    found, has = made.estimate, float(slo.budget)
    shares = f"{reasons.percent(found.share)} of {found.events:,} events bad, the next 30 days may reach"
    said = f"{shares} {reasons.percent(found.future)}, the budget is {reasons.percent(has)}"
    for change in made.changes:
        said += f"; {reasons.change(change, made.history.span)}"
    if has < found.future and made.objective < slo.objective:
        return Review(slo, Verdict.LOOSEN, said, kinds, made.objective)
    if has > LOOSE * found.high and made.objective > slo.objective and not made.provisional:
        return Review(slo, Verdict.TIGHTEN, said, kinds, made.objective)
    return Review(slo, Verdict.KEEP, said, kinds)


def _strange(sli: CatalogSli, kinds: Mapping[Kind, object]) -> str | None:
    """Return a label that the SLO selects by and that calls do not tell."""
    of_source = next((kind for kind in kinds if kind.source == sli.source), None)
    for matcher in sli.select:
        is_role = sli.source in catalog.ONE_OF and matcher.label == catalog.ONE_OF[sli.source][0].name
        if of_source is None or is_role:
            continue
        if labels.value(sli.source, sli.name, matcher.label, of_source) is None:
            return matcher.label
    return None


def _is_of(slo: Slo, sli: CatalogSli, kind: Kind) -> bool:
    """Return whether an SLO is about calls of a kind: by its labels, and by its service where no label names one."""
    if kind.source != sli.source:
        return False
    service = labels.label(sli.source, sli.name, labels.SERVICE)
    if all(matcher.label != service for matcher in sli.select) and proposal.service_name(kind.service) != slo.service:
        return False
    return all(_takes(matcher, sli, kind) for matcher in sli.select)


def _takes(matcher: Matcher, sli: CatalogSli, kind: Kind) -> bool:
    value = labels.value(sli.source, sli.name, matcher.label, kind)
    return value is None or samples.matches(matcher, value)
