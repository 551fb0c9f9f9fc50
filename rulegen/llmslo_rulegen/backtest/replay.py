"""Groups of rules over history: what they would have recorded, and when their alerts would have fired.

Rules are evaluated in their order, each at all instants at once, and a rule sees what those above it recorded at the
same instant: as a server does it, one instant after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from llmslo_rulegen.backtest import alarms
from llmslo_rulegen.backtest.alarms import Firing, States
from llmslo_rulegen.backtest.evaluation import Evaluation, named
from llmslo_rulegen.backtest.expression import Node, Selector, parse, walk
from llmslo_rulegen.backtest.memory import STATES, Answers, Memory, memory, reads, remembered
from llmslo_rulegen.backtest.points import Dialect, Instants, recorded
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Element, Labels, Vector, labels
from llmslo_rulegen.rule import AlertRule, Group, RecordingRule, Rule

ALERT_NAME = "alertname"
CHUNK = 16_384  # instants at once: what an expression holds in between stays in the cache of a core, and small
MOST_RECORDED = 60_000_000  # values of one group: half a gigabyte


class Known:
    """What replays of one history recorded: a rule that reads the same as one before gives the same."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._found: dict[int, Vector] = {}
        self._held = 0

    def number(self, rule: RecordingRule, read: Iterable[int]) -> int:
        """Return the number of a rule that reads what the rules of these numbers recorded."""
        return self._numbers.setdefault((rule.record, rule.expr, rule.labels, *read), len(self._numbers))

    def vector(self, number: int) -> Vector | None:
        """Return what a rule recorded."""
        return self._found.get(number)

    def hold(self, number: int, found: Vector) -> None:
        """Keep what a rule recorded, as long as there is room."""
        size = sum(len(element.values) for element in found.values())
        if number not in self._found and self._held + size <= MOST_RECORDED:
            self._held += size
            self._found[number] = found


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one group did at `instants`: its records by their labels, the state of each alert, and its firings."""

    instants: Instants
    records: Mapping[Labels, Element]
    alerts: Mapping[Labels, States] = field(default_factory=dict)
    firings: tuple[Firing, ...] = ()


def replay(
    group: Group, store: Store, instants: Instants, dialect: Dialect = Dialect.V2, known: Known | None = None
) -> Replayed:
    """Return what a group does with the series of `store`; raises UnsupportedError, which names the rule.

    `known` holds what earlier replays of the same store and instants recorded, and takes what this one does.
    """
    return _Replay(store, instants, dialect, Known() if known is None else known).run(group)


class _Replay:
    """A group under way; what it records stands beside what was scraped."""

    def __init__(self, store: Store, instants: Instants, dialect: Dialect, known: Known) -> None:
        self._store, self._instants, self._dialect, self._known = store.copy(), instants, dialect, known
        self._made_by: dict[str, tuple[int, ...]] = {}  # the rules of each record so far

    def run(self, group: Group) -> Replayed:
        records: dict[Labels, Element] = {}
        alerts: dict[Labels, States] = {}
        firings: list[Firing] = []
        for place, rule in enumerate(group.rules):
            try:
                node = parse(rule.expr)
                _expect_order(node, group.rules[place + 1 :])
                if isinstance(rule, RecordingRule):
                    records |= self._record(rule, node)
                    if len(records) * len(self._instants) > MOST_RECORDED:
                        _refuse(len(records), len(self._instants))
                else:
                    for key, element in self._alert(rule, node).items():
                        found = alarms.states(
                            element.present, self._instants, rule.for_s * 1000, rule.keep_firing_s * 1000
                        )
                        alerts[key] = found
                        firings += alarms.firings(key, found, self._instants)
            except UnsupportedError as error:
                msg = f"{group.name}: {_called(rule)}: {error}"
                raise UnsupportedError(msg) from error
        return Replayed(self._instants, records, alerts, tuple(firings))

    def _record(self, rule: RecordingRule, node: Node) -> Vector:
        read = {each.name for each in walk(node).values() if isinstance(each, Selector)}
        before = (number for name in sorted(read) for number in self._made_by.get(name, ()))
        number = self._known.number(rule, before)
        self._made_by[rule.record] = (*self._made_by.get(rule.record, ()), number)
        found = self._known.vector(number)
        if found is None:
            found = self._recorded(rule, node)
            self._known.hold(number, found)
        for key, element in found.items():
            self._store.add(key, recorded(self._instants, element.values, element.present))
        return found

    def _recorded(self, rule: RecordingRule, node: Node) -> Vector:
        own = memory(rule, node)
        return self._remembering(rule, node, own) if own else named(self._evaluated(node), rule.record, rule.labels)

    def _alert(self, rule: AlertRule, node: Node) -> Vector:
        found: Vector = {}
        for key, element in self._evaluated(node).items():
            own = {**{name: value for name, value in key if name != NAME}, **dict(rule.labels), ALERT_NAME: rule.alert}
            found[labels(own.items())] = element
        return found

    def _remembering(self, rule: RecordingRule, node: Node, own: Memory) -> Vector:
        def under(given: Vector) -> Vector:
            return named(self._evaluated(node, {id(part): given for part in own.parts}), rule.record, rule.labels)

        size = len(self._instants)
        nothing = under({})
        everywhere = np.ones(size, np.bool_)
        zero, one = (under({key: Element(np.full(size, state), everywhere) for key in nothing}) for state in STATES)
        none = Element(np.zeros(size), np.zeros(size, np.bool_))
        return {
            key: remembered(
                Answers(nothing[key], (zero.get(key, none), one.get(key, none))),
                self._instants,
                own.range_ms,
                self._dialect,
            )
            for key in nothing
        }

    def _evaluated(self, node: Node, given: Mapping[int, Vector] | None = None) -> Vector:
        parts = []
        for place in self._chunks():
            here = {key: _cut(vector, place) for key, vector in (given or {}).items()}
            parts.append((place, Evaluation(self._store, self._instants[place], self._dialect, here).vector(node)))
        found: Vector = {}
        for place, vector in parts:
            for key, element in vector.items():
                if key not in found:
                    found[key] = Element(np.zeros(len(self._instants)), np.zeros(len(self._instants), np.bool_))
                found[key].values[place] = element.values
                found[key].present[place] = element.present
        return found

    def _chunks(self) -> Iterator[slice]:
        for begin in range(0, len(self._instants), CHUNK):
            yield slice(begin, begin + CHUNK)


def _expect_order(node: Node, later: Sequence[Rule]) -> None:
    """Refuse a rule that reads what stands below it: a server has that of the evaluation before."""
    selectors = [each for each in walk(node).values() if isinstance(each, Selector)]
    for rule in later:
        if isinstance(rule, RecordingRule) and any(reads(each, rule) for each in selectors):
            msg = f"it reads {rule.record}, which is recorded below it: that is not replayed"
            raise UnsupportedError(msg)


def _refuse(series: int, evaluations: int) -> NoReturn:
    msg = (
        f"{series} series recorded at {evaluations} evaluations are too much to hold: evaluate less often (--every 5m),"
        " or narrow the time with --from and --to"
    )
    raise UnsupportedError(msg)


def _cut(vector: Vector, place: slice) -> Vector:
    return {key: Element(element.values[place], element.present[place]) for key, element in vector.items()}


def _called(rule: Rule) -> str:
    return rule.record if isinstance(rule, RecordingRule) else f"the alert {rule.alert}"
