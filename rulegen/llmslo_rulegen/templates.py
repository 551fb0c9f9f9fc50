"""PromQL that a team wrote: told apart by its syntax tree, refused where rules would count wrongly.

A template of events is of degree 1: it grows with the count of events. A sum of such does too, a quotient does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import NoReturn

import promql_parser as promql

from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.slo import EventFunction

WINDOW = "{{window}}"
MAX_LENGTH = 10_000  # no person wrote a longer one
MAX_OPERATORS = 400  # each node of the parser's tree holds a copy of all below it: 5 000 in a chain take gigabytes
ANY_WINDOW = re.compile(r"\{\{\s*\.?\s*window\s*\}\}")
_MARK_S = 1_234_567  # stands for the window while a template is parsed; nobody writes it
MARK = timedelta(seconds=_MARK_S)
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', re.DOTALL)
_OPERATORS = re.compile(r"[-+*/%^(<>=!]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_INERT = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL
)  # escapes and classes: no operator of a regex is in them
_NOT_IN_RE2 = re.compile(r"[*+?}][*+]|\(\?<")
_MAX_REPEAT = 1000  # of RE2; the parser's own regexes allow more
_LINEAR = {"abs", "ceil", "floor", "round", "clamp", "clamp_max", "clamp_min", "label_join", "label_replace", "scalar"}
_LINEAR |= {"sort", "sort_desc", "histogram_count", "vector"}
_KEEPING = {"sum", "avg", "min", "max", "topk", "bottomk"}
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_SERIES_OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")
_FUNCTIONS = {function.value: function for function in EventFunction}


@lru_cache(maxsize=1024)
def template(text: str) -> tuple[str, EventFunction]:
    """Return a template of events with its window written as `{{window}}`, and the function that makes the events."""
    found = ANY_WINDOW.sub(WINDOW, text.strip())
    tree = parse(found.replace(WINDOW, f"{_MARK_S}s"))
    functions: set[EventFunction] = set()
    ranges = 0
    for node in _nodes(tree):
        if isinstance(node, promql.Call):
            functions |= _function(node)
        elif isinstance(node, (promql.MatrixSelector, promql.SubqueryExpr)):
            ranges += 1
            _check_range(node)
    if found.count(WINDOW) != ranges or not ranges:
        msg = f"{WINDOW} has to be the range of each rate, increase, count_over_time, sum_over_time, and nowhere else"
        _refuse(f"{msg}: found it {found.count(WINDOW)} times for {ranges} ranges")
    if len(functions) > 1 and not all(function.is_sampled for function in functions):
        _refuse(f"{_listed(functions)} are mixed: events are scaled by one of them, use the same throughout")
    if not _is_vector(tree):
        _refuse("this is no instant vector but a number: sum the events, leave `scalar` out")
    if _degree(tree) != 1:
        _refuse("this is no count of events but a quotient or a product of such: write bad and total apart")
    return found, min(functions, key=lambda function: function.value)


def instant(text: str) -> str:
    """Return an expression that is judged slice by slice: an instant vector, without `{{window}}`."""
    found = text.strip()
    if "{{" in found:
        _refuse(f"{WINDOW} has no place where time is sliced: write a fixed range such as [5m]")
    tree = parse(found)
    if not _is_vector(tree):
        _refuse("this is no instant vector: write an expression that has a value per series, not a range or a number")
    return found


def condition(text: str) -> str:
    """Return what is not 0 in a good moment: a comparison as one that says 0 or 1 instead of leaving series out.

    `max(queue) < 100` would be the queue's length, 0 for an empty one, and nothing at all for a group beyond it.
    """
    found = instant(text)
    tree = parse(found)
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    if not isinstance(tree, promql.BinaryExpr) or str(tree.op) not in _COMPARISONS or tree.modifier is not None:
        return found
    return f"{_side(tree.lhs)} {tree.op} bool {_side(tree.rhs)}"


def histogram(text: str) -> str:
    """Return the selector of a histogram's base name."""
    found = text.strip()
    tree = parse(found)
    if (
        not isinstance(tree, promql.VectorSelector)
        or tree.name is None
        or tree.offset is not None
        or tree.at is not None
    ):
        _refuse('this is no selector: write the name of a histogram and its labels, such as latency_seconds{job="a"}')
    for ending in _SERIES_OF_A_HISTOGRAM:
        if tree.name.endswith(ending):
            base = tree.name.removesuffix(ending)
            _refuse(f"{tree.name} is a series of the histogram, its own name is needed: write {base}")
    if any(matcher.name == "le" for matcher in tree.matchers.matchers):
        _refuse("`le` is set by the threshold: leave it out of the selector")
    return found


@lru_cache(maxsize=1024)  # a thousand SLOs share a few
def regex(text: str) -> str:
    """Return a regular expression that RE2 takes."""
    if not text:
        _refuse("an empty regular expression matches nothing but an absent label: write one after ~")
    for least, most in _REPEAT.findall(text):
        if max(int(least[:9]), int(most[:9] or 0)) > _MAX_REPEAT:
            _refuse(f"a count of more than {_MAX_REPEAT} is none to Prometheus: use * or +")
    if found := _NOT_IN_RE2.search(_INERT.sub("x", text)):
        _refuse(f"`{found[0]}` is none of RE2's regular expressions: write it without")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    try:
        promql.parse(f'a{{b=~"{quoted}"}}')
    except ValueError as error:
        reason = "it has no lookaround and no back-references"
        msg = f"~{text[:60]} is no regular expression of RE2 ({reason}): {str(error)[:80]}"
        raise ExpressionError(msg) from error
    return text


@lru_cache(maxsize=4096)
def tree_of(text: str) -> promql.Expr:
    """Return the syntax tree of what was read already; its window is `MARK`."""
    return parse(ANY_WINDOW.sub(f"{_MARK_S}s", text))


def grouping(text: str) -> frozenset[str] | None:
    """Return the labels that the outermost aggregation of a template keeps; None where all may be kept."""
    tree = tree_of(text)
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    if not isinstance(tree, promql.AggregateExpr):
        return None
    if tree.modifier is None:
        return frozenset()
    return frozenset(tree.modifier.labels) if tree.modifier.type is promql.AggModifierType.By else None


def fills_with_zero(text: str) -> bool:
    """Return whether a template ends in `or vector(0)`, which drops labels and hides a missing target."""
    return re.search(r"\bor\s+(?:on\s*\(\s*\)\s*)?vector\(\s*0", text, re.IGNORECASE) is not None


def without_strings(text: str) -> str:
    """Return an expression with its strings emptied."""
    return _STRINGS.sub('""', text)


def outside_strings(text: str, change: Callable[[str], str]) -> str:
    """Return an expression whose parts beside its strings are changed."""
    found, end = [], 0
    for match in _STRINGS.finditer(text):
        found += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*found, change(text[end:])])


def parse(text: str) -> promql.Expr:
    """Return the syntax tree of `text`; a ExpressionError says what is wrong with it."""
    if not text:
        _refuse("the expression is empty: write PromQL")
    if len(text) > MAX_LENGTH:
        _refuse(f"the expression has {len(text)} characters, at most {MAX_LENGTH} are read: record a part of it")
    bare = without_strings(text)
    if "#" in bare:
        _refuse("a comment would swallow what follows in a rule: take it out")
    if sum(1 for _ in _OPERATORS.finditer(bare)) > MAX_OPERATORS:
        _refuse(f"the expression has more than {MAX_OPERATORS} operators and parentheses: record a part of it")
    try:
        tree: promql.Expr = promql.parse(text)
    except ValueError as error:
        msg = f"this is not PromQL: {str(error).splitlines()[0][:200]}"
        raise ExpressionError(msg) from error
    for node in _nodes(tree):
        if isinstance(node, promql.VectorSelector):
            _check_selector(node)
    return tree


def _nodes(tree: promql.Expr) -> Iterator[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    for node in found:
        yield node
        if isinstance(node, promql.MatrixSelector):
            yield node.vector_selector


def _check_selector(node: promql.VectorSelector) -> None:
    if node.matchers.or_matchers:
        _refuse(
            "`or` between matchers is known to VictoriaMetrics only: write one regular expression, or two selectors"
        )
    if node.at is not None:
        _refuse("@ pins a selector to one moment, so that a rule would say the same for ever: leave it out")


def _check_range(node: promql.MatrixSelector | promql.SubqueryExpr) -> None:
    if node.range != MARK:
        _refuse(f"the range [{_shown(node.range)}] is fixed, each window needs its own: write [{WINDOW}]")
    if isinstance(node, promql.SubqueryExpr) and (node.step is None or node.step == MARK):
        _refuse(f"a subquery needs a fixed step, so that each window counts alike: write [{WINDOW}:1m]")
    offset = node.offset if isinstance(node, promql.SubqueryExpr) else node.vector_selector.offset
    if offset == MARK:
        _refuse(f"an offset of {WINDOW} looks at other times in each window: write a fixed one, or none")


def _function(call: promql.Call) -> set[EventFunction]:
    ranges = [node for node in call.args if isinstance(node, (promql.MatrixSelector, promql.SubqueryExpr))]
    if not ranges:
        return set()
    function = _FUNCTIONS.get(call.func.name)
    if function is None:
        _refuse(f"{call.func.name} does not count events: use rate, increase, count_over_time or sum_over_time")
    if isinstance(ranges[0], promql.SubqueryExpr) and not function.is_sampled:
        _refuse(f"{call.func.name} of a subquery misses resets: give it a selector and its range")
    return {function}


def _degree(node: promql.Expr) -> int | None:
    """Return the power of the event count in `node`; None for a zero, which has any."""
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr)):
        return _degree(node.expr)
    if isinstance(node, promql.NumberLiteral) and not node.val:
        return None
    if isinstance(node, promql.AggregateExpr):
        if str(node.op) not in _KEEPING:
            _refuse(f"{node.op} does not keep a count of events: sum them")
        return _degree(node.expr)
    if isinstance(node, promql.BinaryExpr):
        return _degree_of_two(node)
    return _degree_of_call(node) if isinstance(node, promql.Call) else 0


def _degree_of_call(node: promql.Call) -> int | None:
    name = node.func.name
    if name in _FUNCTIONS:
        return 1
    if name == "histogram_fraction":
        return 0
    if name not in _LINEAR:
        _refuse(f"{name} does not keep a count of events: leave it out")
    return _degree(node.args[0])


def _degree_of_two(node: promql.BinaryExpr) -> int | None:
    op, left, right = str(node.op), _degree(node.lhs), _degree(node.rhs)
    if op in {"*", "/"}:
        return None if left is None or right is None else left + right if op == "*" else left - right
    if op in _COMPARISONS:
        return 0 if node.modifier is not None and node.modifier.return_bool else left
    if op in {"and", "unless"}:
        return left
    if op in {"+", "-", "or"}:
        if left is not None and right is not None and left != right:
            _refuse(f"`{op}` joins a count of events with what is none: its sides must be alike")
        return right if left is None else left
    return _refuse(f"`{op}` does not keep a count of events: leave it out")


def _is_vector(node: promql.Expr) -> bool:
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr)):
        return _is_vector(node.expr)
    if isinstance(node, promql.BinaryExpr):
        return _is_vector(node.lhs) or _is_vector(node.rhs)
    if isinstance(node, promql.Call):
        return bool(node.func.return_type == promql.ValueType.Vector)
    return isinstance(node, (promql.VectorSelector, promql.AggregateExpr))


def _side(node: promql.Expr) -> str:
    """Return a side of a comparison; `prettify` escapes, unlike `str`."""
    text = node.prettify()
    return f"({text})" if isinstance(node, promql.BinaryExpr) else text


def _listed(functions: set[EventFunction]) -> str:
    return " and ".join(sorted(function.value for function in functions))


def _shown(length: timedelta | None) -> str:
    return promql.display_duration(length) if length else "0s"


def _refuse(text: str) -> NoReturn:
    raise ExpressionError(text)
