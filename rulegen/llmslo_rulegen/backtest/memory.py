"""Rules that read what they themselves recorded a moment ago: the state of a burn tier.

Such a rule's value at an instant depends on one thing that is not known beforehand, the newest value it has: none, 0 or
1. It is evaluated for each of the three at all instants at once; then one walk through time picks which of them was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmslo_rulegen.backtest.expression import Call, Node, Range, Selector, walk
from llmslo_rulegen.backtest.points import Dialect, Instants
from llmslo_rulegen.backtest.store import matches
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import NAME, Element, labels
from llmslo_rulegen.rule import RecordingRule

NONE = -1
STATES = (0.0, 1.0)  # all values that such a rule may have


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The parts of a rule that read its own record, and how far back."""

    parts: tuple[Node, ...]
    range_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A rule's values at all instants, where it finds nothing of itself and where it finds each of `STATES`."""

    nothing: Element
    states: tuple[Element, Element]


def memory(rule: RecordingRule, node: Node) -> Memory | None:
    """Return how a rule remembers; None: it does not. Raises UnsupportedError where it does so in another way."""
    parts = tuple(walk(node).values())
    own = {id(each) for each in parts if isinstance(each, Selector) and reads(each, rule)}
    if not own:
        return None
    reading = [each for each in parts if isinstance(each, Call) and _is_last(each, own)]
    lengths = {each.arguments[0].range_ms for each in reading if isinstance(each.arguments[0], Range)}
    if len(reading) != len(own) or len(lengths) != 1:
        msg = f"{rule.record} reads its own past in a way that is not replayed: only last_over_time of one range is"
        raise UnsupportedError(msg)
    return Memory(tuple(reading), lengths.pop())


def _is_last(call: Call, own: set[int]) -> bool:
    over = call.arguments[0] if call.arguments else None
    return (
        call.function == "last_over_time"
        and isinstance(over, Range)
        and id(over.selector) in own
        and not over.selector.offset_ms
    )


def reads(selector: Selector, rule: RecordingRule) -> bool:
    """Return whether a selector may mean what a rule records; labels that the rule does not set have any value."""
    fixed = dict(rule.labels)
    known = tuple(each for each in selector.matchers if each.label in fixed)
    key = labels({NAME: rule.record, **fixed}.items())
    return matches(Selector(selector.name, known), key)


def remembered(answers: Answers, instants: Instants, range_ms: int, dialect: Dialect) -> Element:
    """Return what was recorded, of a rule's values for each newest value that it may have found."""
    zero, one = (_codes(each) for each in answers.states)
    nothing = _codes(answers.nothing)
    found = nothing.copy()
    # Most of the time the past does not matter; the walk goes over the rest only.
    certain = (zero == nothing) & (one == nothing)
    recorded = np.where(certain & (nothing != NONE), np.arange(len(found)), -1)
    before = np.concatenate([[-1], np.maximum.accumulate(recorded)[:-1]])  # the newest certain record, place by place
    reach = range_ms - dialect.opening_ms
    walked = -1  # the newest record of the walk
    for place in np.flatnonzero(~certain).tolist():
        newest = max(walked, int(before[place]))
        is_seen = newest >= 0 and instants[place] - instants[newest] <= reach
        state = int(found[newest]) if is_seen else NONE
        code = (zero, one, nothing)[state][place]
        found[place] = code
        walked = place if code != NONE else walked
    return Element(found.astype(np.float64), found != NONE)


def _codes(element: Element) -> npt.NDArray[np.int8]:
    values = element.values[element.present]
    if not np.isin(values, STATES).all():
        msg = "a rule that reads its own past has values other than 0 and 1: that is not replayed"
        raise UnsupportedError(msg)
    codes = np.full(len(element.present), NONE, np.int8)
    codes[element.present] = values
    return codes
