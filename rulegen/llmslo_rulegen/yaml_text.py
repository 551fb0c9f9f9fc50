"""Data written as YAML: always the same text, one member a line, nothing that a reader could take for another type.

PyYAML's own dumper takes 20 s for 1 000 SLOs; rules need few of its forms, and these are proven to read back equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from llmslo_rulegen import durations
from llmslo_rulegen.rule import AlertRule, Group, Labels, RecordingRule, Rule
from llmslo_rulegen.shape import HOLE

# What every YAML reads as text without quotes: no number, date or `no` begins so and goes on so.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[-./:][A-Za-z0-9_]+)*")
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"))
# Printable on its line, in any YAML: no control character, no line separator, no byte order mark, no lone surrogate.
_UNSAFE = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# Where a long line is folded: before an operator, whatever it is part of, so that a change moves no other line.
_FOLDS = (" or ", " and ", " unless ", " - (", " / (")
_LONG = 100
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
_ESCAPED = re.compile(r'[\\"\n]|' + _UNSAFE.pattern)
GROUPS = "groups:\n"  # what a rule file begins with
# A hole in an expression, or the whole line of a text with holes: what fills them may need other quotes, or none.
HOLED = re.compile(rf"^ *(?:- )?\w+: '(?:[^'\n]|'')*{HOLE.pattern}(?:[^'\n]|'')*'$|{HOLE.pattern}", re.MULTILINE)


def rules(groups: Iterable[Group]) -> str:
    """Return a rule file of Prometheus."""
    return GROUPS + "".join(map(group, groups))


def filled(found: str, fill: Callable[[str], str]) -> str:
    """Return what `HOLED` found in a group's text with its holes filled; a name is quoted where it must be."""
    if len(found) == 1:
        return fill(found)
    key, indent, parts = _taken_apart(found)
    return key + block("".join([fill(part) if HOLE.match(part) else part for part in parts]), indent)


@lru_cache(maxsize=4096)
def _taken_apart(line: str) -> tuple[str, str, tuple[str, ...]]:
    key, between, quoted = line.partition(": ")
    indent = (len(line) - len(line.lstrip(" ")) + 2) * " "
    parts = re.split(f"({HOLE.pattern})", quoted[1:-1].replace("''", "'"))
    return key + between, indent, tuple(filter(None, parts))


def dump(data: Mapping[str, object] | Sequence[object]) -> str:
    """Return mappings, lists, text, numbers, booleans and None as YAML, in the order given."""
    return "".join(line + "\n" for line in _lines(data, ""))


@lru_cache(maxsize=4096)  # names and values of labels come again in every rule
def scalar(text: str) -> str:
    """Return `text` as a scalar on one line."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if "\n" in text or not _is_safe(text):
        return '"' + _ESCAPED.sub(_escape, text) + '"'
    return "'" + text.replace("'", "''") + "'"


def block(text: str, indent: str) -> str:
    """Return `text` as a scalar, of several lines where it has them; `indent` is that of its lines."""
    if "\n" not in text:
        return scalar(text)
    lines = text.split("\n")
    if lines[0][:1] in {"", " "} or lines[-1].strip(" ") == "" or not _is_safe(text):
        return scalar(text)
    return "|-\n" + "\n".join(indent + line if line else "" for line in lines)


def expression(text: str, indent: str) -> str:
    """Return PromQL as a scalar, folded before its operators where it is long."""
    # A line end within a folded scalar reads as one blank; more than one would not.
    if len(text) <= _LONG or "\n" in text or "  " in text or " " in {text[0], text[-1]} or not _is_safe(text):
        return block(text, indent)
    for fold in _FOLDS:
        text = text.replace(fold, f"\n{indent}{fold[1:]}")
    return f">-\n{indent}{text}"


def _is_safe(text: str) -> bool:
    # The first two are for speed: rules are ASCII, and a thousand SLOs have 30 MB of them.
    return (text.isascii() and text.isprintable()) or _UNSAFE.search(text) is None


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def group(group: Group) -> str:
    """Return one group of a rule file."""
    interval = f"    interval: {durations.show(group.interval_s)}\n" if group.interval_s is not None else ""
    head = f"  - name: {scalar(group.name)}\n{interval}    rules:\n"
    return head + "".join(_rule(rule) for rule in group.rules)


def _rule(rule: Rule) -> str:
    expr = expression(rule.expr, "          ")
    comment = f"      # {rule.comment}\n" if rule.comment else ""
    if isinstance(rule, RecordingRule):
        return f"{comment}      - record: {scalar(rule.record)}\n        expr: {expr}\n{_labels('labels', rule.labels)}"
    return (
        f"{comment}      - alert: {scalar(rule.alert)}\n        expr: {expr}\n{_waits(rule)}"
        f"{_labels('labels', rule.labels)}{_labels('annotations', rule.annotations)}"
    )


def _waits(rule: AlertRule) -> str:
    waits = (("for", rule.for_s), ("keep_firing_for", rule.keep_firing_s))
    return "".join(f"        {key}: {durations.show(seconds)}\n" for key, seconds in waits if seconds)


@lru_cache(maxsize=256)  # the records of an SLO all carry the same
def _labels(key: str, labels: Labels) -> str:
    if not labels:
        return ""
    return f"        {key}:\n" + "".join(
        f"          {scalar(name)}: {block(value, '            ')}\n" for name, value in labels
    )


def _lines(data: object, indent: str) -> list[str]:
    lines: list[str] = []
    _put(lines, data, indent)
    return lines


def _put(lines: list[str], data: object, indent: str) -> None:
    inner = indent + "  "
    if isinstance(data, (dict, Mapping)):
        for key, value in data.items():
            name = f"{indent}{scalar(str(key))}:"
            if _is_branch(value):
                lines.append(name)
                _put(lines, value, inner)
            else:
                lines.append(f"{name} {_leaf(value, inner)}")
    elif _is_branch(data) and isinstance(data, (list, tuple, Sequence)):
        for value in data:
            if _is_branch(value):
                # An item begins on the line of its dash.
                at = len(lines)
                _put(lines, value, inner)
                lines[at] = f"{indent}- {lines[at][len(inner) :]}"
            else:
                lines.append(f"{indent}- {_leaf(value, inner)}")


def _is_branch(value: object) -> bool:
    # Plain types first: asking the abstract ones takes ten times as long, a million times over.
    if value is None or isinstance(value, (str, int, float)):
        return False
    return isinstance(value, (dict, list, tuple, Mapping, Sequence)) and len(value) > 0


def _leaf(value: object, indent: str) -> str:
    if isinstance(value, str):
        return block(value, indent)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (Mapping, Sequence)):
        return "{}" if isinstance(value, Mapping) else "[]"
    msg = f"{type(value).__name__} has no form in YAML here: give text, a number, a mapping or a list"
    raise TypeError(msg)


def _number(value: float) -> str:
    """Return a number as both YAML 1.1 and 1.2 read it: a float with a point."""
    text = repr(value)
    if isinstance(value, int) or text in {"nan", "inf", "-inf"}:
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(text, text)
    mantissa, e, exponent = text.partition("e")
    mantissa = mantissa if "." in mantissa else mantissa + ".0"
    return mantissa + (f"e{exponent if exponent[0] == '-' else '+' + exponent.lstrip('+')}" if e else "")
