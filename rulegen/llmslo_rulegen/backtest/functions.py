"""Functions of vectors and of time."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from llmslo_rulegen.backtest.expression import Call, Node, Number, Selector, Text
from llmslo_rulegen.backtest.points import Instants, Values
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import Element, Labels, Vector, labels, mapped, put
from llmslo_rulegen.slo import Op

_GO_GROUP = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


def called(call: Call, vector: Vector, size: int) -> Vector:
    """Return a function of a vector at `size` instants."""
    if call.function == "absent":
        return _absent(call.arguments[0], vector, size)
    if call.function == "label_replace":
        return _relabelled(call, vector)
    if call.function in _MAPPED:
        with np.errstate(all="ignore"):
            return mapped(vector, _MAPPED[call.function])
    return _clamped(call, vector)


def _absent(node: Node, vector: Vector, size: int) -> Vector:
    """Return 1 while a vector is empty, with the labels that its selector is sure of."""
    nothing = np.ones(size, np.bool_)
    for element in vector.values():
        nothing &= ~element.present
    return {_sure(node): Element(np.ones(size), nothing)}


def _sure(node: Node) -> Labels:
    if not isinstance(node, Selector):
        return ()
    names = [each.label for each in node.matchers]
    return labels(
        (each.label, each.value) for each in node.matchers if each.op is Op.EQUAL and names.count(each.label) == 1
    )


def _clamped(call: Call, vector: Vector) -> Vector:
    """Return values cut to a least or a most one; both must be literals."""
    limits = [_literal(each) for each in call.arguments[1:]]
    low = limits[0] if call.function in {"clamp", "clamp_min"} else -np.inf
    high = limits[-1] if call.function in {"clamp", "clamp_max"} else np.inf
    return mapped(vector, lambda values: np.minimum(np.maximum(values, low), high))


def _literal(node: Node) -> float:
    if not isinstance(node, Number):
        msg = "a limit that is no number is not replayed"
        raise UnsupportedError(msg)
    return node.value


def _relabelled(call: Call, vector: Vector) -> Vector:
    """Return a vector whose label is written anew where another one matches (`label_replace`)."""
    target, replacement, source, pattern = (each.value if isinstance(each, Text) else "" for each in call.arguments[1:])
    compiled = re.compile(pattern, re.DOTALL)
    found: Vector = {}
    for key, element in vector.items():
        own = dict(key)
        match = compiled.fullmatch(own.get(source, ""))
        if match is not None:
            own[target] = _expanded(match, replacement)
        put(found, labels(own.items()), element)
    return found


def _expanded(match: re.Match[str], replacement: str) -> str:
    def group(found: re.Match[str]) -> str:
        if found[3]:
            return "$"
        name = found[1] or found[2]
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _GO_GROUP.sub(group, replacement)


def calendar(function: str, seconds: Values) -> Values:
    """Return a part of the date of instants in seconds, UTC."""
    return _CALENDAR[function](np.floor(seconds).astype(np.int64))


def _months(seconds: Instants) -> Instants:
    found: Instants = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    return found


def _month_day(seconds: Instants) -> Instants:
    day = seconds // 86_400
    return day - _months(seconds).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + 1


def _month_length(seconds: Instants) -> Instants:
    month = _months(seconds)
    first, then = (each.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for each in (month, month + 1))
    found: Instants = then - first
    return found


_CALENDAR: dict[str, Callable[[Instants], Values]] = {
    "year": lambda seconds: (_months(seconds) // 12 + 1970).astype(np.float64),
    "month": lambda seconds: (_months(seconds) % 12 + 1).astype(np.float64),
    "day_of_month": lambda seconds: _month_day(seconds).astype(np.float64),
    "days_in_month": lambda seconds: _month_length(seconds).astype(np.float64),
    "day_of_week": lambda seconds: ((seconds // 86_400 + 4) % 7).astype(np.float64),
    "hour": lambda seconds: (seconds // 3600 % 24).astype(np.float64),
    "minute": lambda seconds: (seconds // 60 % 60).astype(np.float64),
}
CALENDAR = frozenset(_CALENDAR)
_MAPPED: dict[str, Callable[[Values], Values]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "sgn": np.sign,
}
