"""A report for people: a line an SLO, a line a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmslo_rulegen import durations
from llmslo_rulegen.finding import printable
from llmslo_rulegen.slo import CatalogSli, Slo
from llmslo_rulegen.verify.report import Held, Report, Tested
from llmslo_rulegen.verify.subject import OUT_OF_BOUNDS
from llmslo_rulegen.verify.verdict import Judged, Verdict

_PERCENT = 100
_MOST_REASONS = 3


def text(report: Report) -> str:
    """Return the whole report."""
    return "\n".join(printable(line) for line in _lines(report)) + "\n"


def percent(share: float) -> str:
    """Return a share in percent, without digits that say nothing."""
    return f"{share * _PERCENT:.4g}"


def _lines(report: Report) -> Iterator[str]:
    width = max((len(one.slo.id) for one in report.held), default=0)
    for one in report.held:
        yield from _held(one, width)
    if report.tested:
        yield ""
        names = max(len(str(one.fault)) for one in report.tested)
        for tested in report.tested:
            yield f"{tested.fault!s:{names}}  {_tested(tested)}"
        if report.untested:
            yield f"At risk with none of these faults: {_ids(report.untested)}"
    yield ""
    unnamed = [one.slo for one in report.held if one.remark and one.worst is not None]
    if unnamed and len(report.services) > 1:
        yield f"Select no service, so that of these traces only their own service's calls count: {_ids(unnamed)}"
    yield _summary(report)


def _held(one: Held, width: int) -> Iterator[str]:
    worst = one.worst
    what = one.why if worst is None else _numbers(worst, one.slo) + _reasons(one)
    yield f"{one.slo.id:{width}}  {one.verdict.value}: {what}"
    if len(one.groups) > 1:
        for group, judged in one.groups.items():
            named = ", ".join(f"{label}={value}" for label, value in zip(one.slo.group_by, group, strict=True))
            yield f"{'':{width}}    {named}  {judged.verdict.value}: {_numbers(judged, one.slo)}"


def _numbers(judged: Judged, slo: Slo) -> str:
    good = percent(1 - judged.bad / judged.events)
    span = " to ".join(map(percent, judged.good_interval))
    objective = f"{slo.objective.normalize():f}"
    within = f" within {bound(slo)}" if bound(slo) else ""
    return (
        f"{good} % of {judged.events} good{within} ({span}), {objective} promised, "
        f"{percent(judged.budget_used)} % of their budget used"
    )


def bound(slo: Slo) -> str:
    """Return the threshold of an SLO in words; where nothing is compared, nothing."""
    sli = slo.sli
    if not isinstance(sli, CatalogSli) or sli.threshold is None:
        return ""
    return f"{sli.threshold:g} tokens/s" if sli.name == "throughput" else durations.show(sli.threshold)


def _reasons(one: Held) -> str:
    found = [(reason, count) for reason, count in one.reasons.items() if reason != OUT_OF_BOUNDS]
    if one.verdict is Verdict.MET or not found:
        return ""
    shown = sorted(found, key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]
    return "; " + ", ".join(f"{count} {reason}" for reason, count in shown)


def _tested(one: Tested) -> str:
    if not one.hit:
        return "hit no call"
    parts = [f"hit {one.hit} calls"]
    proper = [slo for slo in one.failed if slo not in one.strays]
    if proper:
        parts.append(f"fails {_ids(proper)}, as it should")
    if one.missed:
        parts.append(f"MISSED by {_ids(one.missed)}")
    if one.strays:
        parts.append(f"STRAY: fails {_ids(one.strays)}, which it should not")
    if len(parts) == 1:
        parts.append("fails nothing that was met")
    return "; ".join(parts)


def _ids(slos: Sequence[Slo]) -> str:
    return ", ".join(slo.id for slo in slos)


def _summary(report: Report) -> str:
    counts = {verdict: sum(one.verdict is verdict for one in report.held) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    services = f"{len(report.services)} service" + ("" if len(report.services) == 1 else "s")
    line = f"{len(report.held)} SLOs over {report.calls} calls of {services}: {told}"
    if report.tested:
        hit = sum(one.hit > 0 for one in report.tested)
        unproven = len(report.unproven)
        line += f"; {hit} faults, {'all told of as they should' if not unproven else f'{unproven} not as they should'}"
    return line
