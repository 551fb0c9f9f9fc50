"""The promtool test file of one SLO, as data: events go in, the alerts that their arithmetic asks for come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, product
from math import gcd
from typing import cast

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, cases, courses, events, inputs, recorded, scenarios, slices, subjects
from llmslo_rulegen.cases import Case, Gone
from llmslo_rulegen.groups import groups
from llmslo_rulegen.inputs import Copy, labels_text
from llmslo_rulegen.kinds import Kinds, Labels
from llmslo_rulegen.rule import AlertRule, RecordingRule, Rule
from llmslo_rulegen.scenarios import Clock, Flow, Promise
from llmslo_rulegen.slo import Calendar, CatalogSli, SlicedSli, Slo

Data = dict[str, object]
HOUR_S, DAY_S = 3600, 86_400
# The rules are right at any interval up to 5 minutes, and if whole and half hours are all there is.
TICK_S = 1800
# promtool's clock starts in 1970: lengths of the week, month and quarter that hold its first instant.
FIRST_S = {Calendar.WEEK: 7 * DAY_S, Calendar.MONTH: 31 * DAY_S, Calendar.QUARTER: 90 * DAY_S}
# promtool 2.42, measured: ms for a rule of this SLO in an evaluation, for one of another. A case loads the rules anew,
# which takes as long as so many evaluations. All together: what a file may take.
TIME_MS, RULE_MS, RULE_BESIDE_MS, LOADING, FEWEST = 2400, 0.26, 0.18, 2, 8
_BRACES = '{{ "{{" }}'  # two braces that are none of a template
NEIGHBOUR_BAD = 10**15  # more than any case has
TARGET = (("instance", "one:9090"), ("job", "llm"))
ONE = (Copy(TARGET),)
TWO_BY_TWO = tuple(
    Copy((("instance", f"{instance}:9090"), ("job", "llm"), ("replica", replica)), 2, dotted=instance == "two")
    for instance in ("one", "two")
    for replica in ("a", "b")
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test file is about: the SLO, its rules, and the kinds of events of each group."""

    slo: Slo
    promise: Promise
    rules: tuple[Rule, ...]
    kinds: tuple[tuple[Labels, Kinds], ...]

    @property
    def burns(self) -> Mapping[str, AlertRule]:
        """The alert of each tier."""
        return {tier: rule for rule in _alerts_of(self.rules) if (tier := dict(rule.labels).get(catalog.TIER))}

    @property
    def others(self) -> Mapping[str, AlertRule]:
        """The alerts that are no burn, by kind."""
        return {kind: rule for rule in _alerts_of(self.rules) if (kind := dict(rule.labels).get(catalog.KIND))}


def skipped(slo: Slo) -> str | None:
    """Return why there is no test file for `slo`; None where there is one."""
    try:
        subjects.groups(slo)
    except subjects.UntestableError as reason:
        return str(reason)
    return None


def test_file(
    slo: Slo,
    rule_file: str,
    *,
    sloth: bool = True,  # noqa: PT028 -- no test: it makes the file of one
    rules_in_file: int = 0,  # noqa: PT028 -- as above
) -> Data:
    """Return promtool's test file for the rules of `slo` in `rule_file`; raise UntestableError (see `skipped`).

    promtool evaluates every rule of the file for each case: the more SLOs share it (`rules_in_file`, 0: none), the
    fewer cases fit into the time that a test may take. The first of them are in every file.
    """
    found = subject(slo, sloth=sloth)
    return {
        "rule_files": [rule_file],
        "evaluation_interval": _seconds(found.promise.clock.tick_s),
        "tests": [_test(found, case) for case in _affordable(found, rules_in_file - len(found.rules))],
    }


def subject(slo: Slo, *, sloth: bool = True) -> Subject:
    """Return what the test file of `slo` is about."""
    tiers = alerts.tiers_of(slo)
    windows = [window for tier in tiers for window in (tier.long_s, tier.short_s) if window >= HOUR_S]
    tick_s = reduce(gcd, windows, TICK_S)
    clock = Clock(gcd(slo.scrape_interval_s, tick_s), tick_s)
    if isinstance(slo.sli, SlicedSli):
        clock = Clock(events.SLICE_S, events.SLICE_S)
    window_s = FIRST_S[slo.window.calendar] if slo.window.calendar else slo.window.seconds
    promise = Promise(tiers, float(slo.budget), clock, slo.low_traffic.wilson, window_s)
    rules = tuple(rule for group in groups(slo, sloth=sloth) for rule in group.rules)
    return Subject(slo, promise, rules, subjects.groups(slo))


def _alerts_of(rules: Sequence[Rule]) -> Iterator[AlertRule]:
    return (rule for rule in rules if isinstance(rule, AlertRule))


def _affordable(subject: Subject, beside: int) -> Iterator[Case]:
    """Yield the cases that fit into TIME_MS; at least the first FEWEST."""
    each_ms = len(subject.rules) * RULE_MS + max(0, beside) * RULE_BESIDE_MS
    left = TIME_MS / each_ms
    for number, case in enumerate(_cases(subject)):
        weight = case.at_s[-1] / subject.promise.clock.tick_s + 1 + LOADING
        if number < FEWEST or weight <= left:
            left -= weight
            yield case


def _cases(subject: Subject) -> Iterator[Case]:
    """Yield the cases, those first that nobody should miss."""
    promise = subject.promise
    if isinstance(subject.slo.sli, SlicedSli):
        return courses.slices(promise, shares=not subject.slo.sli.condition)
    may_be_alone = all(kinds.alone for _, kinds in subject.kinds) and catalog.NONSENSE in subject.others
    return chain(
        cases.factors(promise),
        courses.usual(promise),
        courses.without_metrics(promise) if isinstance(subject.slo.sli, CatalogSli) else (),
        cases.windows(promise),
        cases.gates(promise),
        courses.nonsense(promise) if may_be_alone else (),
        courses.budgets(promise),
        cases.days(promise),
    )


def _test(subject: Subject, case: Case) -> Data:
    checks = [*_burns(subject, case), *_others(subject, case)]
    texts = {rule.alert: _is_plain(rule, subject.slo.group_by) for rule in _alerts_of(subject.rules)}
    found: Data = {
        "name": case.name,
        "interval": _seconds(subject.promise.clock.step_s),
        "input_series": [{"series": name, "values": values} for name, values in _series(subject, case).items()],
        "alert_rule_test": [check for check in checks if texts[str(check["alertname"])]],
        "promql_expr_test": [
            *(_without_texts(check) for check in checks if not texts[str(check["alertname"])]),
            *(check for at_s in case.recorded_s for check in _records(subject, case, at_s)),
        ],
    }
    return {name: part for name, part in found.items() if part}


def _flows(subject: Subject, case: Case) -> Iterator[tuple[Labels, Kinds, Flow]]:
    for (labels, kinds), flow in zip(subject.kinds, case.flows, strict=False):
        yield labels, kinds, flow


def _series(subject: Subject, case: Case) -> dict[str, str]:
    """Return the input: counters of the events, `up` of their targets, and what the source always exposes."""
    series: dict[str, str] = {}
    if isinstance(subject.slo.sli, SlicedSli):
        for labels, _, flow in _flows(subject, case):
            shares = [run.bad / run.total for run in flow]
            series |= inputs.gauges(flow, list(slices.states(subject.slo.sli, labels, shares)))
        return series
    for _, kinds, flow in _flows(subject, case):
        told = kinds if case.every else replace(kinds, good=kinds.good[:1], bad=kinds.bad[:1], ignored=())
        series |= inputs.series(told, flow, TWO_BY_TWO if case.twice else ONE, late=case.late)
    if case.every:
        series |= _neighbours(subject, scenarios.length(case.flows[0]))
    flow, job = case.flows[0], subject.kinds[0][1].target(dict(TARGET))
    healthy = tuple(replace(run, gone=False) for run in flow)
    series |= [inputs.absent_only("up", job, healthy if case.gone is Gone.METRICS else flow)]
    if isinstance(subject.slo.sli, CatalogSli):
        liveness = catalog.source(subject.slo.sli.source).liveness
        series |= [inputs.constant(liveness, job, healthy if case.gone is Gone.TARGET else flow)]
    return series


def _neighbours(subject: Subject, steps: int) -> Iterator[tuple[str, str]]:
    """Yield records of SLOs that differ in one label of identity: all bad, all firing, all spent."""
    identity = (catalog.SERVICE_LABEL, catalog.SLO_LABEL)
    for rule in subject.rules:
        labels = dict(rule.labels)
        if not isinstance(rule, RecordingRule) or rule.record == catalog.INFO or not set(identity) <= set(labels):
            continue
        value = NEIGHBOUR_BAD if rule.record.startswith(catalog.BAD) else 1
        for name, (group, _) in product((*identity, *({catalog.TIER} & set(labels))), subject.kinds):
            other = dict(group) | labels | {name: labels[name] + "-too"}
            yield f"{rule.record}{labels_text(other)}", f"{value}+0x{steps}"


def _burns(subject: Subject, case: Case) -> Iterator[Data]:
    names = dict.fromkeys(rule.alert for rule in subject.burns.values())
    told = [(labels, scenarios.firing(subject.promise, flow, case.at_s)) for labels, _, flow in _flows(subject, case)]
    for index, at_s in enumerate(case.at_s):
        for name in names:
            expected = [
                _expected(rule, labels)
                for labels, states in told
                for tier, rule in subject.burns.items()
                if tier in (states[index] or ()) and rule.alert == name
            ]
            yield {"eval_time": _seconds(at_s), "alertname": name, "exp_alerts": expected}


def _others(subject: Subject, case: Case) -> Iterator[Data]:
    """Yield the checks of the alerts that are no burn, at the last instants."""
    for at_s, (kind, rule) in product(case.at_s[-2:], subject.others.items()):
        told = [(labels, _is_on(subject.promise, kind, flow, at_s)) for labels, _, flow in _flows(subject, case)]
        if kind == catalog.ABSENT:
            told = [((), told[0][1])]  # of all groups at once: what is gone has none
        if all(state is not None for _, state in told):
            expected = [_expected(rule, labels) for labels, state in told if state]
            yield {"eval_time": _seconds(at_s), "alertname": rule.alert, "exp_alerts": expected}


def _is_on(promise: Promise, kind: str, flow: Flow, at_s: int) -> bool | None:
    if kind == catalog.ABSENT:
        return scenarios.is_gone(promise, flow, at_s)
    if kind == catalog.EXHAUSTED:
        return scenarios.is_exhausted(promise, flow, at_s)
    return scenarios.is_nonsense(promise, flow, at_s)


def _expected(rule: AlertRule, labels: Labels) -> Data:
    return {
        "exp_labels": dict(labels) | dict(rule.labels),
        "exp_annotations": {name: _rendered(text, labels) for name, text in rule.annotations},
    }


def _is_plain(rule: AlertRule, group_by: Sequence[str]) -> bool:
    """Say whether its texts hold no templates but the group's labels; others, a team's own, are not computed here."""
    return not any(
        "{{" in _rendered(text.replace(_BRACES, ""), [(label, "") for label in group_by])
        for _, text in (*rule.annotations, *rule.labels)
    )


def _without_texts(check: Data) -> Data:
    """Return the same check of an alert's labels alone, by the series that says that it fires."""
    name = str(check["alertname"])
    alerts_of = cast("list[dict[str, dict[str, str]]]", check["exp_alerts"])
    state = {"alertname": name, "alertstate": "firing"}
    if any("{{" in text for alert in alerts_of for text in alert["exp_labels"].values()):  # how many is all there is
        expected = [{"labels": "{}", "value": len(alerts_of)}]
        return {"expr": f"count(ALERTS{labels_text(state)})", "eval_time": check["eval_time"], "exp_samples": expected}
    return {
        "expr": f"ALERTS{labels_text(state)}",
        "eval_time": check["eval_time"],
        "exp_samples": [
            {"labels": f"ALERTS{labels_text(alert['exp_labels'] | state)}", "value": 1} for alert in alerts_of
        ],
    }


def _rendered(text: str, labels: Sequence[tuple[str, str]]) -> str:
    """Return an annotation as Prometheus would: only `{{ $labels.name }}` is known."""
    for name, value in labels:
        text = text.replace("{{ $labels." + name + " }}", value)
    return text.replace(_BRACES, "{{")


def _records(subject: Subject, case: Case, at_s: int) -> Iterator[Data]:
    """Yield a check per record and group: within half a percent, because promtool 2.42 compares every digit."""
    rules = tuple(rule for rule in subject.rules if isinstance(rule, RecordingRule))
    told: dict[recorded.Value, None] = {}
    for labels, _, flow in _flows(subject, case):
        moment = recorded.Moment(subject.slo, subject.promise, flow, at_s)
        told.update(dict.fromkeys(recorded.values(moment, rules, labels)))
    for each in told:
        labels_of = labels_text(each.labels)
        if each.value == 0:
            expression, expected = f"round({each.record}{labels_of}, 0.001)", 0
        else:
            expression, expected = f"round({each.record}{labels_of} / {each.value:.12g}, 0.01)", 1
        yield {
            "expr": expression,
            "eval_time": _seconds(at_s),
            "exp_samples": [{"labels": labels_of, "value": expected}],
        }


def _seconds(seconds: int) -> str:
    return f"{seconds}s"
