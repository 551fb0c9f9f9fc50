"""The test files of an SLO's budget and of its burn tiers, from a past that Prometheus has recorded.

Evaluations are hours or days apart and a case has a few dozen of them: a month or a year in the time of an hour. The
counters and the records of the past are input; what the rules record in the evaluations stands between them and must
agree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import reduce
from math import gcd

from llmslo_exporter import catalog
from llmslo_rulegen import checks, durations, history, inputs, past, recorded
from llmslo_rulegen.checks import Data
from llmslo_rulegen.history import Story
from llmslo_rulegen.inputs import labels_text
from llmslo_rulegen.kinds import Kinds, Labels, Series
from llmslo_rulegen.past import Changes, Looks, Past
from llmslo_rulegen.recorded import FOUND_S, Moment
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.scenarios import DAY_S, HOUR_S
from llmslo_rulegen.slo import CatalogSli, Slo
from llmslo_rulegen.tested import TARGET, Subject

STEP_S = 300
# Total and bad events of an hour, as recorded (None: not at all), and whether that is nonsense.
NONSENSE = ((1000, 1009, False), (1000, 1011, True), (None, 1, True), (None, 0, False), (1000, 1000, False))
SEEN_S = 2 * HOUR_S + 20 * 60  # before an evaluation: the running hour, the last full one, and what borders on it
HELD_S = 2 * HOUR_S  # after an event: what its hour counts is read in the next one
PUNCTUAL_S = DAY_S // 2  # before an evaluation at a full hour
NOON_S = DAY_S // 2  # a day's record is read at noon of the next one
UNTIL_S = 300  # as old as a sample may be
SINCE_S = HOUR_S + UNTIL_S  # so long is known where data begin


def budget(subject: Subject) -> Iterator[Data]:
    """Yield the test of the budget and of every window on the way."""
    step_s = step(subject)
    yield _test(subject, history.budget(subject.promise, _windows_s(subject), step_s, len(subject.kinds)), step_s)


def burns(subject: Subject) -> Iterator[Data]:
    """Yield the tests of the burn tiers, and of what no sound counters say."""
    step_s = step(subject)
    if catalog.NONSENSE in subject.others:
        yield _nonsense(subject, history.burn_tick_s(subject.promise), step_s)
    for story in history.burns(subject.promise, step_s, len(subject.kinds)):
        yield _test(subject, story, step_s)


def step(subject: Subject) -> int:
    """Return how far apart the samples are, so that every window begins at one."""
    return reduce(gcd, _windows_s(subject), STEP_S)


def _windows_s(subject: Subject) -> Collection[int]:
    """Return the windows whose events are recorded, but for the budget's."""
    stem = catalog.TOTAL + catalog.INCREASE
    found = (rule.record for rule in subject.rules if isinstance(rule, RecordingRule))
    lengths = {int(durations.parse(name.removeprefix(stem)) or 0) for name in found if name.startswith(stem)}
    return lengths - {subject.slo.window.seconds}


def _test(subject: Subject, story: Story, step_s: int) -> Data:
    rules = tuple(rule for rule in subject.rules if isinstance(rule, RecordingRule))
    states = tuple(rule for rule in rules if rule.record == catalog.FIRING)
    told: list[Data] = []
    values: list[Data] = []
    for at_s in story.at_s:
        moments = [(_moment(subject, story, at, at_s), labels) for at, (labels, _) in enumerate(subject.kinds)]
        looked = rules if at_s in story.records_s else states
        found = (recorded.values(moment, looked, labels) for moment, labels in moments)
        values += checks.records(subject.slo, found, at_s)
        if story.records_s and catalog.EXHAUSTED in subject.others:
            rule = subject.others[catalog.EXHAUSTED]
            spent = [checks.expected(rule, labels) for moment, labels in moments if moment.is_exhausted]
            told.append(checks.alert(rule.alert, at_s, spent))
        if story.neighbours and catalog.NONSENSE in subject.others:
            told.append(checks.alert(subject.others[catalog.NONSENSE].alert, at_s, []))
    looks = checks.apart(told, subject.alerts, subject.slo)
    looks["promql_expr_test"] += values
    return checks.written(story.name, step_s, dict(_series(subject, story, step_s)), looks)


def _nonsense(subject: Subject, every_s: int, step_s: int) -> Data:
    """Return the test of what no sound counters say, told by the records alone: more bad events than events."""
    rule = subject.others[catalog.NONSENSE]
    turns = list(enumerate(NONSENSE, 1))
    series: dict[str, str] = {}
    fires: dict[int, list[Labels]] = {number * every_s: [] for number, _ in turns}
    for (labels, _), order in zip(subject.kinds, (turns, list(enumerate(NONSENSE[::-1], 1))), strict=False):
        for at, name in enumerate((catalog.TOTAL, catalog.BAD)):
            found = {number * every_s: seen[at] for number, (*seen, _) in order}
            told = {at_s: float(value) for at_s, value in found.items() if value is not None}
            series[f"{name}{catalog.INCREASE}1h{_labels(subject, labels)}"] = _single(told, step_s)
        for number, (_, _, is_nonsense) in order:
            fires[number * every_s] += [labels] * is_nonsense
    told_alerts = [
        checks.alert(rule.alert, at_s, [checks.expected(rule, labels) for labels in groups])
        for at_s, groups in fires.items()
    ]
    looks = checks.apart(told_alerts, subject.alerts, subject.slo)
    return checks.written("more bad events than events are recorded", step_s, series, looks)


def _moment(subject: Subject, story: Story, index: int, at_s: int) -> Moment:
    told = story.pasts[index]
    firing = story.firing(subject.promise, index, at_s)
    return Moment(subject.slo, at_s, told.between, firing, told.begin_s, exact=subject.is_exact)


def _series(subject: Subject, story: Story, step_s: int) -> Iterator[tuple[str, str]]:
    """Yield the input: counters, what was recorded of them between the evaluations, and records of other SLOs."""
    end_s = story.at_s[-1] + step_s
    always = Looks(step_s, ((0, end_s),))
    job = subject.kinds[0][1].target(dict(TARGET))
    names = ["up", *([catalog.source(sli.source).liveness] if isinstance(sli := subject.slo.sli, CatalogSli) else [])]
    yield from ((f"{name}{labels_text(job)}", always.text({0: 1}, recorded=False)) for name in names)
    looks = Looks(step_s, past.merged(_spans(subject.slo, story), step_s), frozenset(_ticks(story)))
    full_s = [at_s for at_s in _ticks(story) if at_s % HOUR_S == 0]

    def late_s(end_s: int) -> int:
        """Servers are late, but not if the rules are evaluated at full hours, and then were at those before."""
        return 0 if any(0 <= at_s - end_s <= PUNCTUAL_S for at_s in full_s) else step_s

    for index, (labels, kinds) in enumerate(subject.kinds):
        told = story.pasts[index]
        for series, changes in _counters(told, kinds.fewest):
            yield inputs.text(series, TARGET), looks.text(changes, recorded=False)
        for name, changes in _records(subject, told, late_s):
            yield name + _labels(subject, labels), looks.text(changes, recorded=True)
        yield from _states(subject, story, index, step_s)
        if story.budget:
            found = {at: value for at_s in story.at_s for at, value in _beginnings(subject.slo, told, at_s)}
            yield catalog.COVERED_SINCE + _labels(subject, labels), _single(found, step_s)
    if story.neighbours:
        yield from ((name, always.text({0: value}, recorded=False)) for name, value in subject.neighbours())


def _labels(subject: Subject, group: Labels) -> str:
    own = {catalog.SERVICE_LABEL: subject.slo.service, catalog.SLO_LABEL: subject.slo.name}
    return labels_text(dict(group) | own)


def _counters(told: Past, kinds: Kinds) -> Iterator[tuple[Series, Changes]]:
    """Yield the counters of one kind of good and one of bad events."""
    found: dict[Series, dict[int, float]] = {}
    for kind in (*kinds.good, *kinds.bad):
        for series, _ in kind.adds:
            found.setdefault(series, {told.begin_s: 0.0})
    last = dict.fromkeys(found, 0.0)
    for at_s, events in told.counted():
        for kind, count in ((kinds.good[0], events.total - events.bad), (kinds.bad[0], events.bad)):
            for series, amount in kind.adds:
                last[series] += amount * count
                found[series][at_s] = last[series]
    yield from found.items()


def _records(subject: Subject, told: Past, late_s: Callable[[int], int]) -> Iterator[tuple[str, Changes]]:
    """Yield what the rules of this SLO would have recorded by the hour and by the day."""
    known = {rule.record for rule in subject.rules if isinstance(rule, RecordingRule)}
    for pick in (catalog.TOTAL, catalog.BAD):
        for ending, changes in past.records(told, pick, late_s):
            if pick + ending in known:
                yield pick + ending, changes


def _states(subject: Subject, story: Story, index: int, step_s: int) -> Iterator[tuple[str, str]]:
    """Yield whether tiers fired, a while before evaluations."""
    states = story.states[index] if story.states else {}
    for tier in dict.fromkeys(tier for tier, _ in states):
        found = {at_s: float(on) for (name, at_s), on in states.items() if name == tier}
        labels = (*subject.kinds[index][0], (catalog.TIER, tier))
        yield catalog.FIRING + _labels(subject, labels), _single(found, step_s)


def _beginnings(slo: Slo, told: Past, at_s: int) -> Iterator[tuple[int, float]]:
    """Yield where the data of the window were found to begin, before an evaluation."""
    for then_s in range((at_s - SINCE_S) // FOUND_S * FOUND_S + FOUND_S, at_s, FOUND_S):
        since = Moment(slo, then_s, told.between, None, told.begin_s).found_since
        if since is not None:
            yield then_s, since


def _single(found: Changes, step_s: int) -> str:
    """Return samples that stand alone."""
    return Looks(step_s, tuple((at_s, at_s) for at_s in sorted(found))).text(found, recorded=False)


def _ticks(story: Story) -> Sequence[int]:
    """Return all evaluations, looked at or not: in each the rules write their records."""
    return range(story.every_s, story.at_s[-1] + 1, story.every_s)


def _spans(slo: Slo, story: Story) -> Iterator[tuple[int, int]]:
    """Yield the stretches in which a rule may look at a sample: the rest of the past is left out."""
    for at_s in _ticks(story):
        yield at_s - SEEN_S, at_s
        begins_s = at_s - slo.window.seconds
        yield begins_s - SEEN_S, begins_s + HOUR_S
    for told in story.pasts:
        yield told.begin_s, told.begin_s + HELD_S
        for event_s in told.instants:
            yield (event_s - HOUR_S, event_s + HELD_S)
            noon_s = -(-event_s // DAY_S) * DAY_S + NOON_S
            yield noon_s - UNTIL_S, noon_s
