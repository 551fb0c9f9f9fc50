"""Rule files that a team loads beside the rendered ones: groups of Prometheus, plain or as an operator's object."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.headers import sources_in
from llmslo_rulegen.lints.case import PlacedRule
from llmslo_rulegen.located import Document, Map, Seq, read
from llmslo_rulegen.rule import AlertRule, Group, Labels, RecordingRule, Rule
from llmslo_rulegen.slo import Place

CHECK = "file/rules"
MAX_RENDERED_BYTES = 64 << 20  # of one service; 1 000 SLOs are 40 MB


def rules(raw: bytes, file: str) -> tuple[tuple[PlacedRule, ...], tuple[Document, ...]]:
    """Return every rule of a file and its documents; none of a file of ours. InputError where it holds no groups."""
    if sources_in(raw.split(b"\n", 1)[0].decode(errors="replace")) is not None:
        return (), ()
    documents = read(raw, file)
    return tuple(rule for document in documents for rule in _of_document(document)), documents


def rendered(raw: bytes, file: str) -> Iterator[Group]:
    """Yield the groups of a file that was rendered."""
    for document in read(raw, file, MAX_RENDERED_BYTES):
        for _, group in _groups(document):
            found = group.get("rules")
            rules = (_rule(one) for one in (found if isinstance(found, Seq) else ()) if isinstance(one, Map))
            yield Group(str(group.get("name", "")), tuple(rule for rule in rules if rule is not None))


def _of_document(document: Document) -> Iterator[PlacedRule]:
    for way, group in _groups(document):
        yield from _of_group(document, group, way)


def _groups(document: Document) -> Iterator[tuple[tuple[str | int, ...], Map]]:
    """Yield each group and where it stands."""
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
            yield (*way, number), group


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
    expr = str(one.get("expr", ""))
    if isinstance(one.get("record"), str):
        return RecordingRule(str(one["record"]), expr, _pairs(one, "labels"))
    if isinstance(one.get("alert"), str):
        return AlertRule(str(one["alert"]), expr, _pairs(one, "labels"), _pairs(one, "annotations"))
    return None


def _pairs(one: Map, key: str) -> Labels:
    found = one.get(key)
    return tuple(sorted((name, str(value)) for name, value in found.items())) if isinstance(found, Map) else ()
