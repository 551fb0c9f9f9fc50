"""Recording rules over months of the past by a real Prometheus, a rule's sources before the rule itself.

`promtool tsdb create-blocks-from rules` does this for rules that read no others, far slower. A server evaluates a group
each interval, at an offset that comes from a hash. So do we: a record that another rule reads back in time is evaluated
at each such instant of the whole span, one that is read at its own instant only from the first to the last asked one.
Unlike in a live server nothing marks a record as gone: one that ends is seen for almost five minutes more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import promql_parser as promql

from llmslo_rulegen.rule import Group, RecordingRule
from tests.rules.backend import BackendError, Prometheus, Series, Storage, braced
from tests.rules.counters import EPOCH_S


@dataclass(frozen=True, slots=True)
class Grid:
    """When a group is evaluated: each `step_s`, at an offset in it."""

    step_s: int
    offset_s: int

    def before(self, at_s: int) -> int:
        """Return the last evaluation at or before an instant."""
        return at_s - (at_s - self.offset_s) % self.step_s

    def __str__(self) -> str:
        return f"{self.step_s}s+{self.offset_s}"


@dataclass(frozen=True, slots=True)
class Job:
    """Rules, when they are evaluated, and the instants at which they are asked for."""

    rules: tuple[RecordingRule, ...]
    grid: Grid
    asked_s: tuple[int, ...]
    is_read: frozenset[str] = frozenset()  # records that are read back in time from outside
    away: tuple[tuple[int, int], ...] = ()  # stretches in which nothing is evaluated
    from_s: int = 0  # when the rules were loaded


@dataclass(frozen=True, slots=True)
class _Use:
    name: str
    is_past: bool  # through a range, a subquery or an offset


def needed(groups: Iterable[Group], records: Iterable[str]) -> tuple[RecordingRule, ...]:
    """Return the rules that these records are made of, themselves included, in the order of the groups."""
    rules = [rule for group in groups for rule in group.rules if isinstance(rule, RecordingRule)]
    wanted, known = set(records), {rule.record for rule in rules}
    if missing := wanted - known:
        msg = f"no rule records {', '.join(sorted(missing))}; there are {', '.join(sorted(known))}"
        raise BackendError(msg)
    found: set[str] = set()
    while wanted:
        found |= wanted
        used = {use.name for rule in rules if rule.record in wanted for use in _uses(rule.expr)}
        wanted = (used & known) - found
    return tuple(rule for rule in rules if rule.record in found)


def record(storage: Storage, jobs: Sequence[Job]) -> None:
    """Evaluate all jobs and store their records."""
    planned = [(job, _stages(job.rules), _past(job.rules) | job.is_read) for job in jobs]
    for stage in range(max(len(stages) for _, stages, _ in planned)):
        rules = [
            (rule, job, rule.record in past)
            for job, stages, past in planned
            for rule in (stages[stage] if stage < len(stages) else ())
        ]
        _fill(storage, rules)
        # What reads its own past is evaluated again until all of it is there.
        while own := [each for each in rules if each[0].record in _names(each[0])]:
            if not _fill(storage, own):
                break


def _fill(storage: Storage, rules: Sequence[tuple[RecordingRule, Job, bool]]) -> bool:
    """Store what is not there yet; return whether there was any."""
    made: list[Series] = []
    with storage.served() as server:
        for rule, job, is_past in rules:
            for series in _evaluated(server, rule, job, is_past=is_past):
                made += _new(series, server) if rule.record in _names(rule) else [series]
    if made:
        storage.fill(made)
    return bool(made)


def _new(series: Series, server: Prometheus) -> Iterator[Series]:
    """Yield what a record that reads itself has not got yet; what it has must have stayed as it is."""
    first_s, last_s = series.samples[0][0], series.samples[-1][0]
    selector = series.name + braced(series.labels)
    there = dict(server.raw(selector, first_s, last_s))
    if changed := [at_s for at_s, value in series.samples if there.get(at_s, value) != value]:
        msg = f"{selector} changes at {changed[0]} when it is known what it was before"
        raise BackendError(msg)
    added = [(at_s, value) for at_s, value in series.samples if at_s not in there]
    if added:
        yield replace(series, samples=added)


def _evaluated(server: Prometheus, rule: RecordingRule, job: Job, *, is_past: bool) -> Iterator[Series]:
    grid = job.grid
    loaded_s = grid.before(job.from_s + grid.step_s - 1)
    first_s, last_s = loaded_s if is_past else grid.before(min(job.asked_s)), grid.before(max(job.asked_s))
    for labels, samples in server.evaluate(rule.expr, EPOCH_S + first_s, EPOCH_S + last_s, grid.step_s):
        kept = {name: value for name, value in labels.items() if name != "__name__"}
        there = [(at_s, value) for at_s, value in samples if not _is_away(job, at_s - EPOCH_S)]
        if there:
            yield Series(rule.record, _without_empty({**kept, **dict(rule.labels)}), there)


def _is_away(job: Job, at_s: float) -> bool:
    return any(from_s <= at_s < to_s for from_s, to_s in job.away)


def _without_empty(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _stages(rules: Sequence[RecordingRule]) -> list[list[RecordingRule]]:
    """Return the rules so that each stands in a later stage than all it reads."""
    known = {rule.record for rule in rules}
    left, done, stages = list(rules), set[str](), list[list[RecordingRule]]()
    while left:
        waiting = {rule.record for rule in left if _names(rule) & known - done - {rule.record}}
        stage = [rule for rule in left if rule.record not in waiting]
        if not stage:
            msg = f"cannot be staged, they read each other: {', '.join(sorted(waiting))}"
            raise BackendError(msg)
        left = [rule for rule in left if rule.record in waiting]
        done |= {rule.record for rule in stage}
        stages.append(stage)
    return stages


def _past(rules: Sequence[RecordingRule]) -> set[str]:
    """Return the records that are read back in time, be it through another record."""
    found = {use.name for rule in rules for use in _uses(rule.expr) if use.is_past}
    while more := {use.name for rule in rules if rule.record in found for use in _uses(rule.expr)} - found:
        found |= more
    return found


def _names(rule: RecordingRule) -> set[str]:
    return {use.name for use in _uses(rule.expr)}


def _uses(expression: str) -> list[_Use]:
    return list(_walked(promql.parse(expression), is_past=False))


def _walked(node: object, *, is_past: bool) -> Iterator[_Use]:
    match node:
        case promql.VectorSelector():
            yield _Use(node.name or "", is_past or node.offset is not None)
        case promql.MatrixSelector():
            yield from _walked(node.vector_selector, is_past=True)
        case promql.SubqueryExpr():
            yield from _walked(node.expr, is_past=True)
        case promql.BinaryExpr():
            yield from _walked(node.lhs, is_past=is_past)
            yield from _walked(node.rhs, is_past=is_past)
        case promql.Call():
            for each in node.args:
                yield from _walked(each, is_past=is_past)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from _walked(node.expr, is_past=is_past)
