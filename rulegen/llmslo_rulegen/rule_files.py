"""Rule files that a team loads beside the rendered ones: groups of Prometheus, plain or as an operator's object."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.headers import sources_in
from llmslo_rulegen.lints.case import PlacedRule
from llmslo_rulegen.located import Document, Map, Seq, read
from llmslo_rulegen.rule import AlertRule, Labels, RecordingRule, Rule
from llmslo_rulegen.slo import Place

CHECK = "file/rules"


def rules(raw: bytes, file: str) -> tuple[tuple[PlacedRule, ...], tuple[Document, ...]]:
    """Return every rule of a file and its documents; none of a file of ours. InputError where it holds no groups."""
    if sources_in(raw.split(b"\n", 1)[0].decode(errors="replace")) is not None:
        return (), ()
    documents = read(raw, file)
    return tuple(rule for document in documents for rule in _of_document(document)), documents


def _of_document(document: Document) -> Iterator[PlacedRule]:
    value: object = document.value
    way: tuple[str, ...] = ("groups",)
    if isinstance(value, Map) and isinstance(value.get("spec"), Map):
        value, way = value["spec"], ("spec", "groups")
    groups = value.get("groups") if isinstance(value, Map) else None
    if not isinstance(groups, Seq):
        text = "no rule file: it needs `groups`, a list, as Prometheus reads them"
        raise InputError([Finding(CHECK, document.file, document.line, Level.ERROR, text)])
    for number, group in enumerate(groups):
        if isinstance(group, Map):
            yield from _of_group(document, group, (*way, number))


def _of_group(document: Document, group: Map, way: tuple[str | int, ...]) -> Iterator[PlacedRule]:
    interval = durations.parse(text) if isinstance(text := group.get("interval"), str) else None
    interval_s = None if interval is None else float(interval)
    found = group.get("rules")
    for number, one in enumerate(found if isinstance(found, Seq) else ()):
        rule = _rule(one) if isinstance(one, Map) else None
        if rule is not None:
            path = (*way, "rules", number)
            place = Place(document.file, document.line_of(path), path)
            yield PlacedRule(place, str(group.get("name", "")), rule, interval_s)


def _rule(one: Map) -> Rule | None:
    labels = one.get("labels")
    pairs: Labels = tuple(sorted((key, str(value)) for key, value in labels.items())) if isinstance(labels, Map) else ()
    expr = str(one.get("expr", ""))
    if isinstance(one.get("record"), str):
        return RecordingRule(str(one["record"]), expr, pairs)
    return AlertRule(str(one["alert"]), expr, pairs) if isinstance(one.get("alert"), str) else None
