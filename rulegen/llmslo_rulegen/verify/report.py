"""What came of holding SLOs against calls, as values; whoever prints it chooses the words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmslo_rulegen.finding import printable
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.verify import fault_table
from llmslo_rulegen.verify.fault import Fault
from llmslo_rulegen.verify.subject import Subject
from llmslo_rulegen.verify.tally import Tally
from llmslo_rulegen.verify.trial import Change, Group, Trial
from llmslo_rulegen.verify.verdict import Judged, Verdict, judge

_MOST_NAMED, _MOST_NAME = 8, 60  # services, and characters of one, in a line
# The first that any group has is the SLO's: no group's breach hides behind the others.
_ORDER = (Verdict.NOT_MET, Verdict.TOO_FEW, Verdict.MET)


@dataclass(frozen=True, slots=True)
class Held:
    """One SLO against the calls: verdict, numbers by group, why events were bad, why there is no verdict."""

    slo: Slo
    verdict: Verdict
    groups: Mapping[Group, Judged]
    reasons: Mapping[str, int]
    why: str = ""
    remark: str = ""

    @property
    def worst(self) -> Judged | None:
        """Return the numbers of the group that decides; None without an event."""
        of_verdict = [found for found in self.groups.values() if found.verdict is self.verdict]
        return max(of_verdict, key=lambda found: found.budget_used, default=None)


@dataclass(frozen=True, slots=True)
class Tested:
    """One fault: how many calls it hit, and how each SLO stands under it.

    `missed` are at risk and still not failed; `strays` failed and are not at risk: of those that were met without it,
    because whoever is at the edge falls by chance.
    """

    fault: Fault
    hit: int
    held: tuple[Held, ...]
    failed: tuple[Slo, ...]
    missed: tuple[Slo, ...]
    strays: tuple[Slo, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; `held` and every fault's have the SLOs in the order of the files."""

    held: tuple[Held, ...]
    tested: tuple[Tested, ...]
    calls: int
    skipped: Mapping[Skipped, int]
    services: Mapping[str, int]
    sources: Mapping[str, int]

    @property
    def not_met(self) -> tuple[Slo, ...]:
        return tuple(one.slo for one in self.held if one.verdict is Verdict.NOT_MET)

    @property
    def silent(self) -> tuple[Slo, ...]:
        """SLOs of which the calls say nothing at all."""
        nothing = {Verdict.NO_EVENTS, Verdict.UNVERIFIABLE}
        return tuple(one.slo for one in self.held if one.verdict in nothing)

    @property
    def unproven(self) -> tuple[Tested, ...]:
        """Faults that some SLO should have told of and did not, and those that failed what they should not."""
        return tuple(one for one in self.tested if one.missed or one.strays)

    @property
    def untested(self) -> tuple[Slo, ...]:
        """SLOs that are met and that no fault put at risk: what they would tell of is not known."""
        risked = {slo.id for one in self.tested for slo in (*one.failed, *one.missed)}
        return tuple(one.slo for one in self.held if one.verdict is Verdict.MET and one.slo.id not in risked)


def report(asked: Sequence[tuple[Slo, Subject | str]], trial: Trial) -> Report:
    """Return what `trial` says of all SLOs; each comes with what it asks of calls, or why they cannot answer."""
    held = tuple(
        Held(slo, Verdict.UNVERIFIABLE, {}, {}, one) if isinstance(one, str) else _held(one, trial, {})
        for slo, one in asked
    )
    subjects = [one for _, one in asked]
    tested = tuple(_tested(fault, subjects, trial, held) for fault in trial.changes)
    return Report(held, tested, trial.calls, trial.skipped, trial.services, trial.sources)


def _held(subject: Subject, trial: Trial, changes: Mapping[Group, Change]) -> Held:
    tallies = trial.tallies[subject.slo.id]
    groups: dict[Group, Judged] = {}
    for group in sorted({*tallies, *changes}):
        tally, change = tallies.get(group) or Tally(), changes.get(group) or Change()
        bad, total = tally.bad + change.bad, tally.total + change.total
        groups[group] = judge(bad, total, subject.slo.objective)
    found = {judged.verdict for judged in groups.values()}
    verdict = next((one for one in _ORDER if one in found), Verdict.NO_EVENTS)
    reasons = sum((tally.reasons for tally in tallies.values()), Counter[str]())
    why = _silence(subject, trial) if verdict is Verdict.NO_EVENTS else ""
    return Held(subject.slo, verdict, groups, reasons, why, _remark(subject))


def _tested(fault: Fault, subjects: Sequence[Subject | str], trial: Trial, before: Sequence[Held]) -> Tested:
    held: list[Held] = []
    failed: list[Slo] = []
    missed: list[Slo] = []
    strays: list[Slo] = []
    for subject, was in zip(subjects, before, strict=True):
        if isinstance(subject, str):
            held.append(was)
            continue
        changes = trial.changes[fault][subject.slo.id]
        now = _held(subject, trial, changes)
        held.append(now)
        if was.verdict is Verdict.NOT_MET:
            continue
        is_at_risk = fault_table.is_at_risk(fault, subject) and any(change.hit for change in changes.values())
        if now.verdict is Verdict.NOT_MET and (is_at_risk or was.verdict is Verdict.MET):
            failed.append(was.slo)
            strays += [] if is_at_risk else [was.slo]
        elif is_at_risk:
            missed.append(was.slo)
    return Tested(fault, trial.hit[fault], tuple(held), tuple(failed), tuple(missed), tuple(strays))


def _silence(subject: Subject, trial: Trial) -> str:
    """Return why an SLO has no event: what was read instead."""
    others = trial.other_sources[subject.slo.id]
    if others:
        told = " and ".join(sorted(others))
        return (
            f"it counts what {subject.source} measures, these traces are {told}: another point measures other values; "
            "give its traces, or --cross-source to hold them against it all the same"
        )
    wanted = " or ".join(subject.services)
    if wanted and not any(service in trial.services for service in subject.services):
        return f"no call is of service {wanted}; these traces have {named(trial.services) or 'no call'}"
    return "no call is selected by it, or none has what it measures"


def named(services: Mapping[str, int]) -> str:
    """Return the names of those services that are called most, on one line."""
    most = sorted(services, key=lambda name: (-services[name], name))
    more = f" and {len(most) - _MOST_NAMED} more" if len(most) > _MOST_NAMED else ""
    return printable(", ".join(sorted(name[:_MOST_NAME] for name in most[:_MOST_NAMED]))) + more


def _remark(subject: Subject) -> str:
    return "" if subject.service is None else f"its select names no service: only calls of {subject.service} count"
