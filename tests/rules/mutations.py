"""Ways to spoil a rule, each a slip of the hand: an operator takes a rule and yields it with one thing wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from llmslo_rulegen.rule import AlertRule, Group, RecordingRule, Rule
from tests.rules import tokens
from tests.rules.tokens import Word

Spoilt = Iterator[tuple[str, Rule]]  # what was done, the rule after it
Operator = Callable[[Rule], Spoilt]

SEVERITIES = {"page": "ticket", "ticket": "page"}
FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "!=", "!=": "=="}
SWAPPED_SETS = {"and": ("or",), "or": ("and",), "unless": ("and",)}
SWAPPED_FUNCTIONS = {
    "increase": "rate",
    "rate": "increase",
    "sum_over_time": "avg_over_time",
    "last_over_time": "count_over_time",
    "max_over_time": "min_over_time",
    "count_over_time": "sum_over_time",
    "absent": "count",
    "resets": "changes",
}
DURATION = re.compile(r"([0-9]+)(ms|[smhdwy])")
MATCH_OPS = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """The groups of an SLO with one thing wrong. `rule` is the name of the spoilt rule, before and after."""

    operator: str
    rule: str
    done: str
    groups: tuple[Group, ...]


def _expressions(change: Callable[[tuple[Word, ...], int, Word], Iterator[tuple[str, str]]]) -> Operator:
    """Return the operator that tries `change` on each word of an expression."""

    def operator(rule: Rule) -> Spoilt:
        parts = tokens.words(rule.expr)
        for index, word in enumerate(parts):
            for done, text in change(parts, index, word):
                yield done, replace(rule, expr=text)

    return operator


def _swap_set(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.inside != "{":
        for other in SWAPPED_SETS.get(word.text, ()):
            yield f"{word.text} -> {other}", tokens.replaced(parts, index, other)


def _flip_comparison(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.inside != "{" and word.text in FLIPPED:
        yield f"{word.text} -> {FLIPPED[word.text]}", tokens.replaced(parts, index, FLIPPED[word.text])


def _drop_right(names: set[str]) -> Callable[[tuple[Word, ...], int, Word], Iterator[tuple[str, str]]]:
    def change(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
        if word.text in names and word.is_operator:
            end = tokens.right_end(parts, index)
            dropped = tokens.joined(parts[index:end]).strip()
            yield f"dropped `{dropped[:90]}`", tokens.joined(parts[:index]) + tokens.joined(parts[end:])

    return change


def _drop_left(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.text in {"and", "or", "unless"} and word.is_operator:
        start = tokens.left_start(parts, index)
        dropped = tokens.joined(parts[start : index + 1]).strip()
        yield (
            f"dropped `{dropped[:90]}`",
            tokens.joined(parts[:start]) + " " + tokens.joined(parts[index + 1 :]).lstrip(),
        )


def _scale_number(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.inside == "{" or not re.fullmatch(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?", word.text):
        return
    value = float(word.text)
    for other in {value * 1.25, value * 0.8} if value else {1.0}:
        yield f"{word.text} -> {other:.12g}", tokens.replaced(parts, index, f"{other:.12g}")


def _is_range(word: Word) -> bool:
    return word.text.startswith("[")


def _change_range(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if not _is_range(word):
        return
    window, colon, step = word.text[1:-1].partition(":")
    for factor in (2, 0.5):
        other = _scaled(window, factor)
        yield f"[{window}] -> [{other}]", tokens.replaced(parts, index, f"[{other}{colon}{step}]")


def _change_step(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if not _is_range(word) or ":" not in word.text:
        return
    window, _, step = word.text[1:-1].partition(":")
    for factor in (2, 0.5):
        other = _scaled(step or "1m", factor)
        yield f":{step} -> :{other}", tokens.replaced(parts, index, f"[{window}:{other}]")


def _change_offset(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.text == "offset" and word.inside != "{":
        at = next(at for at in range(index + 1, len(parts)) if not parts[at].text.isspace())
        yield "offset dropped", tokens.joined(parts[:index]) + tokens.joined(parts[at + 1 :])
        other = _scaled(parts[at].text, 2)
        yield f"offset {parts[at].text} -> {other}", tokens.replaced(parts, at, other)


def _scaled(duration: str, factor: float) -> str:
    """Return a duration in whole seconds, scaled."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    seconds = sum(int(count) * units[unit] for count, unit in DURATION.findall(duration))
    return f"{max(1, round(seconds * factor))}s"


def _swap_function(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    other = SWAPPED_FUNCTIONS.get(word.text)
    if other and index + 1 < len(parts) and parts[index + 1].text == "(":
        yield f"{word.text} -> {other}", tokens.replaced(parts, index, other)


def _swap_arithmetic(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    swapped = {"+": "-", "-": "+", "*": "/", "/": "*"}
    if word.text in swapped and word.inside != "{":
        yield f"{word.text} -> {swapped[word.text]}", tokens.replaced(parts, index, swapped[word.text])


def _swap_events(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    """Read total where bad belongs, or the other way round."""
    if word.inside == "{" or ":" not in word.text:
        return
    for one, other in (("bad", "total"), ("total", "bad")):
        if one in word.text:
            text = word.text.replace(one, other)
            yield f"{word.text} -> {text}", tokens.replaced(parts, index, text)


def _swap_window(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    """Read the record of another window of the same expression."""
    if word.inside == "{" or ":" not in word.text:
        return
    stem = re.sub(r"[0-9]+[smhdw]$", "", word.text)
    others = {each.text for each in parts if each.text.startswith(stem) and each.text != word.text}
    for other in sorted(others):
        if re.sub(r"[0-9]+[smhdw]$", "", other) == stem != other:
            yield f"{word.text} -> {other}", tokens.replaced(parts, index, other)


def _matcher(parts: tuple[Word, ...], index: int) -> tuple[int, int] | None:
    """Return the indexes of operator and value of the matcher whose label is at `index`."""
    word = parts[index]
    if word.inside != "{" or not re.fullmatch(r"[a-zA-Z_]\w*", word.text):
        return None
    rest = [at for at in range(index + 1, min(index + 5, len(parts))) if not parts[at].text.isspace()]
    if len(rest) > 1 and parts[rest[0]].text in MATCH_OPS and parts[rest[1]].text[:1] in {'"', "'"}:
        return rest[0], rest[1]
    return None


def _drop_matcher(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    found = _matcher(parts, index)
    if found:
        end = found[1] + 1
        while end < len(parts) and (parts[end].text == "," or parts[end].text.isspace()):
            end += 1
        yield f"matcher {word.text} dropped", tokens.joined(parts[:index]) + tokens.joined(parts[end:])


def _wrong_matcher(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    found = _matcher(parts, index)
    if not found:
        return
    operator, value = found
    text = parts[operator].text
    yield f"{word.text}{text} -> {MATCH_OPS[text]}", tokens.replaced(parts, operator, MATCH_OPS[text])
    inner = parts[value].text[1:-1]
    if "|" in inner and "(" not in inner:
        first, _, rest = inner.partition("|")
        yield f"{word.text}: {first} dropped", tokens.replaced(parts, value, f'"{rest}"')
        last = inner.rpartition("|")[0]
        yield f"{word.text}: {inner.rpartition('|')[2]} dropped", tokens.replaced(parts, value, f'"{last}"')
    elif word.text != "le":
        yield f"{word.text}: another value", tokens.replaced(parts, value, f'"{inner}x"')


def _wrong_edge(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    found = _matcher(parts, index)
    if word.text != "le" or not found:
        return
    number = re.search(r"[0-9]+(?:\\*\.[0-9]+)?", parts[found[1]].text)
    if number:
        at = float(number.group().replace("\\", ""))
        for other in (at / 2, at * 2):
            yield f"le {at:g} -> {other:g}", tokens.replaced(parts, found[1], f'"{other:g}"')


def _wrong_aggregation(parts: tuple[Word, ...], index: int, word: Word) -> Iterator[tuple[str, str]]:
    if word.inside != "{" and word.text in {"sum", "max", "min", "avg", "count"}:
        other = "max" if word.text == "sum" else "sum"
        yield f"{word.text} -> {other}", tokens.replaced(parts, index, other)
    if word.inside != "{" and word.text in {"by", "without"}:
        end = next(at for at in range(index, len(parts)) if parts[at].text == ")")
        dropped = tokens.joined(parts[index : end + 1])
        yield f"dropped `{dropped}`", tokens.joined(parts[:index]) + tokens.joined(parts[end + 1 :])


def _labels(rule: Rule) -> Spoilt:
    if isinstance(rule, AlertRule):
        for name, value in rule.labels:
            rest = tuple(pair for pair in rule.labels if pair[0] != name)
            yield f"label {name} missing", replace(rule, labels=rest)
            if value not in SEVERITIES:
                yield f"label {name} wrong", replace(rule, labels=tuple(sorted((*rest, (name, value + "x")))))


def _severity(rule: Rule) -> Spoilt:
    if isinstance(rule, AlertRule):
        swapped = tuple((name, SEVERITIES.get(value, value)) for name, value in rule.labels)
        if swapped != rule.labels:
            yield "severity swapped", replace(rule, labels=swapped)


def _annotations(rule: Rule) -> Spoilt:
    if isinstance(rule, AlertRule):
        for name, value in rule.annotations:
            rest = tuple(pair for pair in rule.annotations if pair[0] != name)
            yield f"annotation {name} missing", replace(rule, annotations=rest)
            yield f"annotation {name} wrong", replace(rule, annotations=(*rest, (name, value + " x")))


def _times(rule: Rule) -> Spoilt:
    if isinstance(rule, AlertRule):
        if rule.for_s:
            yield "for dropped", replace(rule, for_s=0)
        else:
            yield "for 2h", replace(rule, for_s=7200)
        if rule.keep_firing_s:
            yield "keep_firing_for dropped", replace(rule, keep_firing_s=0)
        else:
            yield "keep_firing_for 12h", replace(rule, keep_firing_s=12 * 3600)


def _record_labels(rule: Rule) -> Spoilt:
    if isinstance(rule, RecordingRule):
        for name, _ in rule.labels:
            rest = tuple(pair for pair in rule.labels if pair[0] != name)
            yield f"label {name} of the record missing", replace(rule, labels=rest)


def _record_name(rule: Rule) -> Spoilt:
    if isinstance(rule, RecordingRule):
        yield "record renamed", replace(rule, record=rule.record + "x")


OPERATORS: dict[str, Operator] = {
    "set operator swapped": _expressions(_swap_set),
    "comparison flipped": _expressions(_flip_comparison),
    "number changed": _expressions(_scale_number),
    "range changed": _expressions(_change_range),
    "step of a subquery changed": _expressions(_change_step),
    "offset changed": _expressions(_change_offset),
    "window swapped": _expressions(_swap_window),
    "bad and total swapped": _expressions(_swap_events),
    "condition dropped (and)": _expressions(_drop_right({"and", "unless"})),
    "fallback dropped (or)": _expressions(_drop_right({"or"})),
    "first side dropped": _expressions(_drop_left),
    "comparison dropped": _expressions(_drop_right(set(tokens.COMPARISONS))),
    "summand or factor dropped": _expressions(_drop_right(set(tokens.ARITHMETIC))),
    "arithmetic swapped": _expressions(_swap_arithmetic),
    "function swapped": _expressions(_swap_function),
    "matcher dropped": _expressions(_drop_matcher),
    "matcher wrong": _expressions(_wrong_matcher),
    "bucket edge wrong": _expressions(_wrong_edge),
    "aggregation wrong": _expressions(_wrong_aggregation),
    "severity swapped": _severity,
    "alert label missing or wrong": _labels,
    "annotation missing or wrong": _annotations,
    "for or keep_firing_for changed": _times,
    "record label missing": _record_labels,
    "record renamed": _record_name,
}


def mutants(groups: tuple[Group, ...]) -> Iterator[Mutant]:
    """Yield every mutant of every operator."""
    for at, group in enumerate(groups):
        for index, rule in enumerate(group.rules):
            for name, operator in OPERATORS.items():
                for done, spoilt in operator(rule):
                    yield Mutant(
                        name,
                        _name(rule),
                        done,
                        _with(groups, at, (*group.rules[:index], spoilt, *group.rules[index + 1 :])),
                    )
            yield Mutant(
                "rule missing", _name(rule), "", _with(groups, at, (*group.rules[:index], *group.rules[index + 1 :]))
            )


def _name(rule: Rule) -> str:
    return (
        rule.record if isinstance(rule, RecordingRule) else f"{rule.alert} {dict(rule.labels).get('tier', '')}".strip()
    )


def _with(groups: tuple[Group, ...], at: int, rules: tuple[Rule, ...]) -> tuple[Group, ...]:
    return (*groups[:at], replace(groups[at], rules=rules), *groups[at + 1 :])
