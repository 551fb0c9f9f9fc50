"""SLOs held against calls, as they are and as they would be under each fault, in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.verify.fault import Fault
from llmslo_rulegen.verify.striking import struck
from llmslo_rulegen.verify.subject import OUT_OF_BOUNDS, Subject
from llmslo_rulegen.verify.tally import Tally

MOST_GROUPS = 1000  # of one SLO: strangers name models
OTHERS = "_other"
MOST_SERVICES = 1000  # that are told of where an SLO finds no call
MOST_NAME = 200  # characters; what is longer is nobody's name
_MOST_KINDS = 10_000  # for which it is remembered who takes them

Group = tuple[str, ...]
T = TypeVar("T")


@dataclass(slots=True)
class Change:
    """What a fault makes of an SLO's group: how many more events there are and are bad; `hit` counts those it met."""

    total: int = 0
    bad: int = 0
    hit: int = 0


@dataclass(slots=True)
class Trial:
    """What was counted, by the id of the SLO; `other_sources` are those of calls taken but for their source."""

    tallies: dict[str, dict[Group, Tally]]
    changes: dict[Fault, dict[str, dict[Group, Change]]]
    other_sources: dict[str, Counter[str]]
    calls: int = 0
    skipped: Counter[Skipped] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    hit: Counter[Fault] = field(default_factory=Counter)


def run(found: Iterable[Call | Skipped], subjects: Sequence[Subject], faults: Sequence[Fault], seed: int) -> Trial:
    """Count the events of every subject in `found`, and what each fault changes of them."""
    ids = [subject.slo.id for subject in subjects]
    trial = Trial(_empty(ids), {fault: _empty(ids) for fault in faults}, {slo: Counter() for slo in ids})
    taking = _Taking(subjects)
    everywhere = [fault for fault in faults if fault.service is None]
    concerned = {one.service: [fault for fault in faults if fault.service in {None, one.service}] for one in faults}
    for call in found:
        if isinstance(call, Skipped):
            trial.skipped[call] += 1
            continue
        trial.calls += 1
        trial.sources[call.source] += 1
        _bounded(trial.services, call.service)
        counted, refused = taking.of(call)
        for subject in refused:
            trial.other_sources[subject.slo.id][call.source] += 1
        for subject in counted:
            _count(trial.tallies[subject.slo.id], subject, call)
        for fault in concerned.get(call.service, everywhere):
            changed = struck(call, fault, seed)
            if changed is not call:
                trial.hit[fault] += 1
                for subject in counted:
                    _change(trial, fault, subject, (call, changed))
    return trial


class _Taking:
    """Which subjects take a call: asked once of calls that are alike in all that selectors see."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        self._known: dict[tuple[str, ...], tuple[list[Subject], list[Subject]]] = {}

    def of(self, call: Call) -> tuple[list[Subject], list[Subject]]:
        """Return those that count the call, and those that would if its source were theirs."""
        named = (call.source, call.service, call.operation, call.provider, call.model, str(call.stream))
        found = self._known.get(named)
        if found is None:
            if len(self._known) >= _MOST_KINDS:
                self._known.clear()
            taking = [subject for subject in self._subjects if subject.takes(call)]
            found = (
                [subject for subject in taking if subject.source in {None, call.source}],
                [subject for subject in taking if subject.source not in {None, call.source}],
            )
            if max(map(len, named)) <= MOST_NAME:
                self._known[named] = found
        return found


def _count(groups: dict[Group, Tally], subject: Subject, call: Call) -> None:
    is_good = subject.is_good(call)
    if is_good is None:
        return
    group = _group(subject, call)
    tally = groups.get(group)
    if tally is None:
        tally = groups.setdefault(group if len(groups) < MOST_GROUPS else _others(group), Tally())
    tally.add(None if is_good else call.error or OUT_OF_BOUNDS)


def _change(trial: Trial, fault: Fault, subject: Subject, calls: tuple[Call, Call]) -> None:
    """Note what became of an event; labels are the same before and after."""
    was, now = map(subject.is_good, calls)
    if was is None and now is None:
        return
    groups = trial.changes[fault][subject.slo.id]
    group = _group(subject, calls[0])
    if group not in trial.tallies[subject.slo.id] and len(groups) >= MOST_GROUPS:
        group = _others(group)
    change = groups.setdefault(group, Change())
    change.hit += 1
    change.total += (now is not None) - (was is not None)
    change.bad += (now is False) - (was is False)


def _empty(ids: Iterable[str]) -> dict[str, dict[Group, T]]:
    return {slo: {} for slo in ids}


def _group(subject: Subject, call: Call) -> Group:
    return tuple(value if len(value) <= MOST_NAME else OTHERS for value in subject.group(call))


def _others(group: Group) -> Group:
    return (OTHERS,) * len(group)


def _bounded(counter: Counter[str], name: str) -> None:
    is_kept = name in counter or (len(counter) < MOST_SERVICES and len(name) <= MOST_NAME)
    counter[name if is_kept else OTHERS] += 1
