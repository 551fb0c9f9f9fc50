"""The promtool test file of one SLO, as data: events go in, the alerts that their arithmetic asks for come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, product

from llmslo_exporter import catalog
from llmslo_rulegen import cases, checks, courses, history, history_tests, inputs, lives, scenarios, slices, subjects
from llmslo_rulegen.cases import Case, Gone, Late
from llmslo_rulegen.checks import Data
from llmslo_rulegen.inputs import Copy
from llmslo_rulegen.kinds import Kinds, Labels
from llmslo_rulegen.recorded import Moment
from llmslo_rulegen.scenarios import HOUR_S, Flow
from llmslo_rulegen.slo import CatalogSli, SlicedSli, Slo
from llmslo_rulegen.tested import TARGET, Subject, subject

Look = tuple[str, int, list[Data]]  # name of an alert, instant, what fires
# promtool 2.42, measured: ms for a rule of this SLO in an evaluation, for one of another. A case loads the rules anew,
# which takes as long as so many evaluations. All together: what a file may take.
TIME_MS, RULE_MS, RULE_BESIDE_MS, LOADING, FEWEST = 2400, 0.26, 0.18, 2, 8
ONE = (Copy(TARGET),)
COUNTED = (catalog.TOTAL, catalog.BAD)
TWO_BY_TWO = tuple(
    Copy((("instance", f"{instance}:9090"), ("job", "llm"), ("replica", replica)), 2, dotted=instance == "two")
    for instance in ("one", "two")
    for replica in ("a", "b")
)


def skipped(slo: Slo) -> str | None:
    """Return why there is no test file for `slo`; None where there is one."""
    try:
        subjects.groups(slo)
    except subjects.UntestableError as reason:
        return str(reason)
    return None


def test_files(
    slo: Slo,
    rule_file: str,
    *,
    sloth: bool = True,  # noqa: PT028 -- no test: it makes the files of one
    rules_in_file: int = 0,  # noqa: PT028 -- as above
) -> Iterator[Data]:
    """Yield promtool's test files for the rules of `slo` in `rule_file`; raise UntestableError (see `skipped`).

    The first one is about minutes and hours, the second one about long windows, the third one about burn tiers (see
    `history_tests`; slices of time have the first one only). promtool evaluates every rule of the file for each case:
    the more SLOs share it (`rules_in_file`, 0: none), the fewer cases fit into the time that a test may take. The first
    of them are in every file.
    """
    found = subject(slo, sloth=sloth)
    beside = max(0, rules_in_file - len(found.rules))
    each_ms = len(found.rules) * RULE_MS + beside * RULE_BESIDE_MS
    clock = found.promise.clock
    yield _file(rule_file, clock.tick_s, _tests(found), each_ms)
    if not isinstance(slo.sli, SlicedSli):
        yield _file(rule_file, history.budget_tick_s(found.promise), history_tests.budget(found), each_ms)
        yield _file(rule_file, history.burn_tick_s(found.promise), history_tests.burns(found), each_ms)


def _file(rule_file: str, tick_s: int, tests: Iterable[Data], each_ms: float) -> Data:
    """Return a test file: of its tests those that fit into TIME_MS, at least the first FEWEST."""
    left, taken = TIME_MS / each_ms, []
    for number, test in enumerate(tests):
        weight = checks.last_s(test) / tick_s + 1 + LOADING
        if number < FEWEST or weight <= left:
            left -= weight
            taken.append(test)
    return {"rule_files": [rule_file], "evaluation_interval": checks.seconds(tick_s), "tests": taken}


def _tests(subject: Subject) -> Iterator[Data]:
    yield from (_test(subject, case) for case in _cases(subject))
    if not isinstance(subject.slo.sli, SlicedSli) and lives.M % subject.promise.clock.step_s == 0:
        yield _counted(subject, "processes that start late, scraped by two servers, with gaps", lives.SCRAPED)
        yield _counted(subject, "a process that is restarted again and again", lives.RESTARTED)


def _counted(subject: Subject, name: str, processes: tuple[lives.Life, ...]) -> Data:
    """Return the test of what is recorded of some processes, at full hours and half past."""
    told = lives.Lives(processes, subject.promise.clock.step_s)
    exact = subject.is_exact and not any(life.restarts_s for life in processes)
    group, kinds = subject.kinds[0]
    found: list[Data] = []
    for at_s in range(HOUR_S, lives.LASTS_S + 1, HOUR_S // 2):
        moment = Moment(subject.slo, at_s, told.between, None, exact=exact)
        values = (value for value in subject.values(moment, group) if value.record.startswith(COUNTED))
        found += checks.records(subject.slo, [values], at_s)
    series = dict(told.series(kinds, TARGET))
    return checks.written(name, told.step_s, series, {"promql_expr_test": found})


def _cases(subject: Subject) -> Iterator[Case]:
    """Yield the cases, those first that nobody should miss."""
    promise = subject.promise
    if isinstance(subject.slo.sli, SlicedSli):
        return courses.slices(promise, shares=not subject.slo.sli.condition)
    may_be_alone = all(kinds.alone for _, kinds in subject.kinds) and catalog.NONSENSE in subject.others
    return chain(
        cases.factors(promise),
        courses.usual(promise),
        courses.without_metrics(promise)
        if isinstance(subject.slo.sli, CatalogSli)
        else courses.without_target(promise),
        cases.gates(promise),
        courses.nonsense(promise) if may_be_alone else (),
        courses.recorded(promise),
    )


def _test(subject: Subject, case: Case) -> Data:
    told = [checks.alert(*each) for each in (*_burns(subject, case), *_others(subject, case))]
    found = checks.apart(told, subject.alerts, subject.slo)
    for at_s in case.recorded_s:
        values = (subject.values(moment, labels) for moment, labels in _moments(subject, case, at_s))
        found["promql_expr_test"] += checks.records(subject.slo, values, at_s)
    return checks.written(case.name, subject.promise.clock.step_s, _series(subject, case), found)


def _flows(subject: Subject, case: Case) -> Iterator[tuple[Labels, Kinds, Flow]]:
    for (labels, kinds), flow in zip(subject.kinds, case.flows, strict=False):
        yield labels, kinds, flow


def _moments(subject: Subject, case: Case, at_s: int) -> Iterator[tuple[Moment, Labels]]:
    clock = subject.promise.clock
    for labels, _, flow in _flows(subject, case):
        between = partial(scenarios.between, clock, flow)
        firing = scenarios.firing(subject.promise, flow, [at_s])[0]
        exact = subject.is_exact and not any(run.reset or run.gone for run in flow)
        yield Moment(subject.slo, at_s, between, firing, exact=exact), labels


def _series(subject: Subject, case: Case) -> dict[str, str]:
    """Return the input: counters of the events, `up` of their targets, and what the source always exposes."""
    series: dict[str, str] = {}
    if isinstance(subject.slo.sli, SlicedSli):
        for labels, _, flow in _flows(subject, case):
            shares = [run.bad / run.total for run in flow]
            series |= inputs.gauges(flow, list(slices.states(subject.slo.sli, labels, shares)))
        return series
    for _, kinds, flow in _flows(subject, case):
        told = kinds if case.every else kinds.fewest
        late = {Late.BAD: told.bad, Late.GOOD: told.good, Late.NONE: ()}[case.late]
        series |= inputs.series(told, flow, TWO_BY_TWO if case.twice else ONE, late=late)
    if case.every:
        series |= _neighbours(subject, scenarios.length(case.flows[0]))
    flow, job = case.flows[0], subject.kinds[0][1].target(dict(TARGET))
    healthy = tuple(replace(run, gone=False) for run in flow)
    if case.gone is not Gone.JOB:
        series |= [inputs.absent_only("up", job, healthy if case.gone is Gone.METRICS else flow)]
    if isinstance(subject.slo.sli, CatalogSli):
        liveness = catalog.source(subject.slo.sli.source).liveness
        series |= [inputs.constant(liveness, job, healthy if case.gone is Gone.TARGET else flow)]
    return series


def _neighbours(subject: Subject, steps: int) -> Iterator[tuple[str, str]]:
    """Yield records of other SLOs, there all the time."""
    return ((name, f"{value}+0x{steps}") for name, value in subject.neighbours())


def _burns(subject: Subject, case: Case) -> Iterator[Look]:
    names = dict.fromkeys(rule.alert for rule in subject.burns.values())
    told = [(labels, scenarios.firing(subject.promise, flow, case.at_s)) for labels, _, flow in _flows(subject, case)]
    for index, at_s in enumerate(case.at_s):
        for name in names:
            expected = [
                checks.expected(rule, labels)
                for labels, states in told
                for tier, rule in subject.burns.items()
                if tier in (states[index] or ()) and rule.alert == name
            ]
            yield name, at_s, expected


def _others(subject: Subject, case: Case) -> Iterator[Look]:
    """Yield the looks at the alerts that are no burn, at the last instants."""
    for at_s, (kind, rule) in product(case.at_s[-2:], subject.others.items()):
        told = [(labels, _is_on(subject, kind, flow, at_s)) for labels, _, flow in _flows(subject, case)]
        if kind == catalog.ABSENT:
            told = [((), told[0][1])]  # of all groups at once: what is gone has none
        if all(state is not None for _, state in told):
            yield rule.alert, at_s, [checks.expected(rule, labels) for labels, state in told if state]


def _is_on(subject: Subject, kind: str, flow: Flow, at_s: int) -> bool | None:
    promise = subject.promise
    if kind == catalog.ABSENT:
        return scenarios.is_gone(promise, flow, at_s)
    if kind == catalog.EXHAUSTED:
        return Moment(subject.slo, at_s, partial(scenarios.between, promise.clock, flow), None).is_exhausted
    return scenarios.is_nonsense(promise, flow, at_s)
