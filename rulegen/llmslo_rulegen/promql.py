"""PromQL put together from parts: escaping, durations, numbers, and the few idioms that the rules share.

Text is built, never printed from a syntax tree: `str()` of promql-parser's tree does not escape (slo-rules 6.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from llmslo_rulegen.slo import Matcher, Op

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_PART = "slo_part"  # tells the terms of a sum apart; gone in its result
_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def string(text: str) -> str:
    """Return `text` as a PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def matcher(found: Matcher) -> str:
    """Return one label matcher."""
    label = found.label if is_plain(found.label) else string(found.label)
    return f"{label}{found.op.value}{string(found.value)}"


def selector(name: str, matchers: Iterable[Matcher]) -> str:
    """Return a selector of `name`, without braces where nothing is matched; a name that needs quotes stands in them."""
    inside = ",".join(map(matcher, matchers))
    if not is_plain(name):
        return f"{{{string(name)}{',' if inside else ''}{inside}}}"
    return f"{name}{{{inside}}}" if inside else name


def is_plain(name: str) -> bool:
    """Return whether a metric or label needs no quotes; names that do are known to Prometheus 3 only."""
    return _NAME.fullmatch(name) is not None


@lru_cache(maxsize=512)
def any_of(label: str, values: tuple[str, ...], known: tuple[str, ...] = ()) -> Matcher:
    """Return the matcher that takes any of `values`, written the shorter way: as they are, or as what they are not.

    `known` is the closed list of the label's values, if it has one.
    """
    others = tuple(value for value in known if value not in values)
    if others and len("|".join(others)) < len("|".join(values)):
        return _one_of(label, others, Op.NOT_EQUAL, Op.NO_MATCH)
    return _one_of(label, values, Op.EQUAL, Op.MATCH)


def _one_of(label: str, values: tuple[str, ...], one: Op, many: Op) -> Matcher:
    if len(values) == 1:
        return Matcher(label, one, values[0])
    return Matcher(label, many, "|".join(map(_escaped, values)))


def upper_edge(edge: float) -> Matcher:
    """Return the matcher of a classic bucket; Prometheus 3 writes `le="2"` as `le="2.0"`."""
    text = repr(float(edge))
    if text.endswith(".0"):
        return Matcher("le", Op.MATCH, f"{text[:-2]}(\\.0)?")
    return Matcher("le", Op.EQUAL, text)


@lru_cache(maxsize=512)
def duration(seconds: float) -> str:
    """Return the shortest PromQL duration, to the millisecond: `1h30m`, `29d23h59m59s999ms`."""
    left = round(seconds * 1000)
    parts = []
    for unit, length in _UNITS_MS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def number(value: Decimal | float) -> str:
    """Return a number with the fewest digits and no exponent."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def total_of(terms: Iterable[str]) -> str:
    """Return the sum of those `terms` that exist; a plain `+` would have no result if one of them has none."""
    found = tuple(terms)
    if len(found) == 1:
        return found[0]
    marked = (f'label_replace({term}, "{_PART}", "{index}", "", "")' for index, term in enumerate(found))
    return f"sum without ({_PART}) ({' or '.join(marked)})"


def summed(expression: str, labels: tuple[str, ...]) -> str:
    """Return the sum per value of `labels`."""
    return f"sum by ({', '.join(labels)}) ({expression})" if labels else f"sum({expression})"


def points(expression: str, count: int, step_s: int) -> str:
    """Return a subquery of exactly the last `count` multiples of a step.

    A millisecond short of the full length, since Prometheus 2 includes both ends of a range and 3 only its end.
    """
    return f"{expression}[{duration(count * step_s - 0.001)}:{duration(step_s)}]"


def parses(expression: str) -> None:
    """Raise ValueError if `expression` is not PromQL."""
    import promql_parser  # noqa: PLC0415 -- 10 ms that a render does not need

    promql_parser.parse(expression)


def _escaped(value: str) -> str:
    return "".join(f"\\{char}" if char in "\\.+*?()|[]{}^$" else char for char in value)
