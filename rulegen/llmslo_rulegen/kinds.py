"""Kinds of events: which time series one good, one bad and one event that is none of ours counts up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from llmslo_rulegen import samples
from llmslo_rulegen.slo import Matcher

Labels = tuple[tuple[str, str], ...]
MOST_DECOYS = 24  # per label: a matcher may have lost any of its alternatives
MOST_PARTNERS = 4  # alternatives of the other metric
INFINITE = float("inf")


class Part(Enum):
    """What a term counts: a counter's events, or a histogram's observations all, within or above the threshold."""

    EVENTS = "events"
    COUNT = "count"
    WITHIN = "within"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Term:
    """A summand of bad or total: `weight` x the events of a metric that all `matchers` take.

    `metric` is a histogram's base name unless `part` is EVENTS. `edges` are the threshold, between its neighbours.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()
    weight: float = 1.0
    part: Part = Part.EVENTS
    edges: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Series:
    """One time series; `labels` sorted, none of them empty."""

    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Kind:
    """What one event adds to which series."""

    adds: tuple[tuple[Series, float], ...]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every way of one group in which an event can be good, bad, or not be counted.

    `alone`: counted as bad and not in total; none where bad events are some of the total's own series.
    """

    good: tuple[Kind, ...]
    bad: tuple[Kind, ...]
    ignored: tuple[Kind, ...]
    alone: tuple[Kind, ...] = ()

    @property
    def fewest(self) -> Kinds:
        """One kind of good and one of bad events."""
        return replace(self, good=self.good[:1], bad=self.bad[:1], ignored=())

    def target(self, usual: Mapping[str, str]) -> Labels:
        """Return the labels of the process that counts: `usual`, where no selector asks for others."""
        found = dict(next(series for kind in self.good for series, _ in kind.adds).labels)
        return tuple(sorted((name, found.get(name, value)) for name, value in usual.items()))


@dataclass(frozen=True, slots=True)
class _Candidate:
    metric: str
    labels: Labels
    value: float  # of a histogram's observation
    edges: tuple[float, float, float] | None
    own: bool  # a term takes it as it stands: no label of it was varied


def kinds(bad: Sequence[Term], total: Sequence[Term], known: Mapping[str, Sequence[str]], group: Labels) -> Kinds:
    """Return the kinds of `group`; `known` are closed lists of label values.

    Each alternative of a regex is a kind of its own, and each label varied to what a matcher refuses is a decoy: a rule
    that lost a matcher, or a value of it, counts other events than the test expects.
    """
    found = list(_candidates([*bad, *total], known, dict(group)))
    weights = [(each, _weight(bad, each), _weight(total, each)) for each in found]
    good = [_kind((each,), of) for each, wrong, of in weights if of > 0 and wrong == 0]
    failed = [_kind((each,), of) for each, wrong, of in weights if of > 0 and wrong == of]
    good += _pairs(weights, bad=False)
    failed += _pairs(weights, bad=True)
    decoys = [_kind((each,), 1.0) for each, wrong, of in weights if wrong == 0 == of and not each.own]
    alone = [_kind((each,), wrong) for each, wrong, of in weights if of == 0 < wrong]
    return Kinds(tuple(good), tuple(failed), tuple(decoys), tuple(alone))


def _pairs(weights: Sequence[tuple[_Candidate, float, float]], *, bad: bool) -> list[Kind]:
    """Return the events that two series count: total and bad, or total and good, may be metrics of their own.

    An observation beyond the threshold counts for neither sum and belongs to a bad event all the same.
    """
    found = []
    for one, wrong, of in weights:
        if of != 0 or not one.own or (wrong == 0 and one.edges is None):
            continue
        partners = [each for each in weights if each[0].own and each[0].metric != one.metric and each[2] > 0]
        for other, other_wrong, other_of in partners[:MOST_PARTNERS]:
            if wrong + other_wrong == (other_of if bad else 0):
                found.append(_kind((one, other), other_of))
    return found


def _weight(terms: Sequence[Term], each: _Candidate) -> float:
    return sum(term.weight for term in terms if _takes(term, each))


def _takes(term: Term, each: _Candidate) -> bool:
    if term.metric != each.metric:
        return False
    labels = dict(each.labels)
    if not all(samples.matches(matcher, labels.get(matcher.label, "")) for matcher in term.matchers):
        return False
    within = each.value <= term.edges[1]
    return term.part in {Part.EVENTS, Part.COUNT} or within == (term.part is Part.WITHIN)


def _candidates(
    terms: Sequence[Term], known: Mapping[str, Sequence[str]], group: Mapping[str, str]
) -> Iterator[_Candidate]:
    """Yield one label set per term and, label by label, its variations; each once."""
    seen: set[tuple[object, ...]] = set()
    for labels_of, term, own in _label_sets(terms, known, group):
        labels = tuple(sorted((name, value) for name, value in labels_of.items() if value))
        edges = _edges(terms, term.metric)
        for value in _values(edges):
            if (key := (term.metric, labels, value)) not in seen:
                seen.add(key)
                yield _Candidate(term.metric, labels, value, edges, own)


def _label_sets(
    terms: Sequence[Term], known: Mapping[str, Sequence[str]], group: Mapping[str, str]
) -> Iterator[tuple[dict[str, str], Term, bool]]:
    varied: list[tuple[dict[str, str], Term, bool]] = []
    for term in terms:
        choices = {name: _choices(terms, term, name, known) for name in _names(terms, term.metric)}
        base = {name: takes[0] for name, (takes, _) in choices.items()}
        base.update(group)
        yield base, term, True
        for name, (takes, refuses) in choices.items():
            if name not in group:
                yield from ((base | {name: value}, term, True) for value in takes)
                varied += [(base | {name: value}, term, False) for value in refuses[:MOST_DECOYS]]
    yield from varied


def _choices(
    terms: Sequence[Term], term: Term, name: str, known: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[str]]:
    """Return the values of label `name` that `term` takes, at least one, and those that it does not take."""
    on_all = [_on(each, name) for each in terms if each.metric == term.metric]
    told = [value for on in on_all for value in (*samples.accepted(on), *samples.refused(on))]
    real = dict.fromkeys(known.get(name) or [value for value in told if value not in samples.STRANGERS])
    # A closed list is closed: a rule may as well name the values that it leaves out.
    pool = [*real, *(() if known.get(name) else samples.STRANGERS)]
    mine = _on(term, name)
    takes = [value for value in pool if all(samples.matches(each, value) for each in mine)]
    refuses = [value for value in pool if value not in takes]
    return [value for value in takes if value in real] or takes[:1] or [""], refuses


def _names(terms: Sequence[Term], metric: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.label for term in terms if term.metric == metric for each in term.matchers))


def _on(term: Term, label: str) -> list[Matcher]:
    return [matcher for matcher in term.matchers if matcher.label == label]


def _edges(terms: Sequence[Term], metric: str) -> tuple[float, float, float] | None:
    of_metric = [term for term in terms if term.metric == metric and term.part is not Part.EVENTS]
    if not of_metric:
        return None
    return next((term.edges for term in of_metric if term.part is not Part.COUNT), (0.0, 1.0, 2.0))


def _values(edges: tuple[float, float, float] | None) -> tuple[float, ...]:
    """Return observations in the buckets around the threshold: a neighbouring `le` counts another half of them."""
    if edges is None:
        return (0.0,)
    below, at, above = edges
    return (below if below > 0 else at / 2, at, above, above * 2)


def _kind(candidates: Sequence[_Candidate], scale: float) -> Kind:
    adds: dict[Series, float] = {}
    for each in candidates:
        for series, amount in _adds(each):
            adds[series] = adds.get(series, 0.0) + amount / scale
    return Kind(tuple(adds.items()))


def _adds(each: _Candidate) -> Iterator[tuple[Series, float]]:
    if each.edges is None:
        yield Series(each.metric, each.labels), 1.0
        return
    yield Series(f"{each.metric}_count", each.labels), 1.0
    for edge in (*each.edges, INFINITE):
        if edge > 0:
            le = "+Inf" if edge == INFINITE else repr(edge).removesuffix(".0")
            yield (
                Series(f"{each.metric}_bucket", tuple(sorted((*each.labels, ("le", le))))),
                float(each.value <= edge),
            )
