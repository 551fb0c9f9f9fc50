"""Asks every lint, points at what it means, and leaves out what a comment ignores with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.ignores import Ignored
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.every import LINTS
from llmslo_rulegen.lints.lint import Lint, Need
from llmslo_rulegen.pointing import Pointer

# Warnings of the reader, which a comment may ignore as well.
READERS = ("slo/select", "slo/bucket")


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found, and what was ignored, with the reason."""

    findings: tuple[Finding, ...]
    ignored: tuple[tuple[Finding, str], ...]


def lint(case: Case, read: Iterable[Finding], pointer: Pointer, texts: Mapping[str, str]) -> Linted:
    """Return what the reader found (`read`) and all that lints find, sorted by place, without what is ignored."""
    asked = [one for one in LINTS if _can_be_asked(one, case)]
    ignored = Ignored(texts, {*(one.code for one in LINTS), *READERS})
    kept: dict[Finding, None] = {}
    off: dict[Finding, str] = {}
    for found, around in (*_reader(read), *_found(asked, case, pointer)):
        reason = ignored.reason(found.check, found.file, around) if found.check in {*READERS, *_CODES} else None
        if reason is None:
            kept[found] = None
        else:
            off[found] = reason
    wrong = ignored.findings({*(one.code for one in asked), *READERS})
    order = {file: number for number, file in enumerate(texts)}
    findings = sorted(
        (*kept, *wrong), key=lambda one: (order.get(one.file, len(order)), one.line, one.column, one.check)
    )
    return Linted(tuple(findings), tuple(off.items()))


_CODES = frozenset(one.code for one in LINTS)


def _reader(read: Iterable[Finding]) -> Iterator[tuple[Finding, tuple[int, ...]]]:
    for found in read:
        yield found, (found.line,) if found.level is not Level.ERROR else ()


def _found(asked: Iterable[Lint], case: Case, pointer: Pointer) -> Iterator[tuple[Finding, tuple[int, ...]]]:
    for one in asked:
        for spot in one.ask(case):
            point = pointer.point(spot)
            blank = Finding(one.code, spot.place.file, point.line, one.level, spot.text, spot.fix)
            yield replace(blank, column=point.column, length=point.length), point.around


def _can_be_asked(one: Lint, case: Case) -> bool:
    has_server = case.server is not None
    given = {
        Need.FILES: True,
        Need.RULES: bool(case.rules),
        Need.LOADED: bool(case.rules) or has_server,
        Need.ALERTMANAGER: case.routing is not None,
        Need.RETENTION: case.retention_s is not None or has_server,
        Need.TRAFFIC: case.events_per_hour is not None or has_server,
        Need.PROMETHEUS: has_server,
    }
    return given[one.need]
