"""An SLO file brought up to what a baseline says: by line, so that comments and everything else stay as they are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmslo_rulegen import reading
from llmslo_rulegen.derive import document, proposal
from llmslo_rulegen.derive.promise import Promise
from llmslo_rulegen.derive.proposal import Proposal
from llmslo_rulegen.derive.review import Review
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.finding import has_errors
from llmslo_rulegen.located import Document, Map
from llmslo_rulegen.reading import Read
from llmslo_rulegen.slo import CatalogSli, Slo

_OBJECTIVE = re.compile(r"(\bobjective:[ \t]*)([0-9][0-9.]*)")
_ITEM = re.compile(r"( *)-(?: |$)")


class LayoutError(RulegenError):
    """The file's layout does not let a line be changed without touching others."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The file as it should be, and what was added to it by name."""

    text: str
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines to put in place of those from `first` up to, without, `last`; counted from 0."""

    first: int
    last: int
    lines: tuple[str, ...]


def updated(text: str, file: str, reviews: Sequence[Review], proposed: Sequence[Proposal]) -> Updated:
    """Return the file with other objectives where they are wanted, and with promises that it lacks.

    Raises LayoutError where the file, read again, would not say exactly that.
    """
    before = reading.read({file: text.encode()})
    lines = text.splitlines()
    added = _lacking(before, reviews, proposed)
    edits = [_objective(lines, before, review) for review in reviews if review.wanted is not None]
    within: dict[int, list[Proposal]] = {}
    rest: list[Proposal] = []
    for one in added:
        at = _document_of(before, one)
        if at is None:
            rest.append(one)
        else:
            within.setdefault(at, []).append(one)
    edits += [_appended(lines, before.documents[at], members) for at, members in within.items()]
    for edit in sorted(edits, key=lambda edit: edit.first, reverse=True):
        lines[edit.first : edit.last] = edit.lines
    if rest:
        lines += ["---", *document.text(rest).splitlines()]
    new = "".join(f"{line}\n" for line in lines) if edits or rest else text
    _expect(new, file, before, reviews, added)
    return Updated(new, tuple(f"{one.service}/{one.name}" for one in added))


def diff(old: str, new: str, file: str) -> str:
    """Return a unified diff of the file, as `git apply` takes it."""
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    return "".join(difflib.unified_diff(before, after, f"a/{file}", f"b/{file}"))


def _lacking(before: Read, reviews: Sequence[Review], proposed: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Return the promises whose calls no SLO of the file is about, under names that are free."""
    taken: dict[str, set[str]] = {}
    for slo in before.slos:
        taken.setdefault(slo.service, set()).add(slo.name.casefold())
    found = []
    for one in proposed:
        if isinstance(one.outcome, Promise) and not any(_is_about(review, one) for review in reviews):
            names = taken.setdefault(proposal.service_name(one.service), set())
            found.append(replace(one, name=proposal.free(one.name, names)))
    return tuple(found)


def _is_about(review: Review, one: Proposal) -> bool:
    sli = review.slo.sli
    same = isinstance(sli, CatalogSli) and (sli.name, sli.source) == (one.sli, one.source)
    return same and not set(review.kinds).isdisjoint(one.traffic.kinds)


def _document_of(before: Read, one: Proposal) -> int | None:
    name = proposal.service_name(one.service)
    values = ((at, found.value) for at, found in enumerate(before.documents))
    return next((at for at, value in values if isinstance(value, Map) and value.get("service") == name), None)


def _line(before: Read, slo: Slo, *path: str) -> int:
    """Return the line, from 0, of what stands below an SLO."""
    where = next(one for one in before.documents if one.line_of(slo.place.path) == slo.place.line)
    return where.line_of((*slo.place.path, *path)) - 1


def _objective(lines: Sequence[str], before: Read, review: Review) -> _Edit:
    """Return another objective with its reason; what was derived above it before makes room."""
    at = _line(before, review.slo, "objective")
    if len(_OBJECTIVE.findall(lines[at])) != 1:
        raise LayoutError(_stuck(review))
    first = at
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" "))]
    is_own_line = lines[at].lstrip(" ").startswith("objective:")
    while is_own_line and first and lines[first - 1].lstrip(" ").startswith(document.MARK):
        first -= 1
    says = f"{review.says}; it was {review.slo.objective} %"
    new = _OBJECTIVE.sub(rf"\g<1>{review.wanted}", lines[at])
    return _Edit(first, at + 1, (*document.comment(says, indent), new))


def _appended(lines: Sequence[str], where: Document, members: Sequence[Proposal]) -> _Edit:
    """Return new entries after the last one of a document."""
    value = where.value
    slos = value.get("slos") if isinstance(value, Map) else None
    at = where.line_of(("slos", len(slos) - 1)) - 1 if isinstance(slos, list) else 0
    found = _ITEM.match(lines[at])
    if found is None:
        named = ", ".join(one.name for one in members)
        msg = f"line {at + 1} does not begin an SLO by a dash, so {named} cannot be put after it: write one SLO a block"
        raise LayoutError(msg)
    indent = found[1]
    last = at
    for number in range(at + 1, len(lines)):
        line = lines[number]
        if line.strip() and not line.startswith(f"{indent} "):
            break
        last = number if line.strip() else last
    entries = (line for one in members for line in _entry(one))
    return _Edit(last + 1, last + 1, tuple(indent + line.removeprefix("  ") for line in entries))


def _entry(one: Proposal) -> Iterator[str]:
    if isinstance(one.outcome, Promise):
        yield from document.entry(one, one.outcome)


def _expect(new: str, file: str, before: Read, reviews: Sequence[Review], added: Sequence[Proposal]) -> None:
    """Raise LayoutError where the new file does not say what the old one did, but for what is wanted."""
    after = reading.read({file: new.encode()})
    wanted = {id(review.slo): review.wanted for review in reviews if review.wanted is not None}
    bare = [_bare(replace(slo, objective=wanted.get(id(slo), slo.objective))) for slo in _slos(before, reviews)]
    names = {(proposal.service_name(one.service), one.name) for one in added}
    kept = [_bare(slo) for slo in after.slos if (slo.service, slo.name) not in names]
    if has_errors(after.findings) or kept != bare or len(after.slos) != len(bare) + len(added):
        msg = f"{file} cannot be changed line by line (anchors, merges or flow style): derive a new one and compare"
        raise LayoutError(msg)


def _slos(before: Read, reviews: Sequence[Review]) -> Iterator[Slo]:
    """Yield the SLOs of the file, those that were reviewed as the reviews have them."""
    reviewed = {(review.slo.service, review.slo.name): review.slo for review in reviews}
    for slo in before.slos:
        yield reviewed.get((slo.service, slo.name), slo)


def _bare(slo: Slo) -> Slo:
    return replace(slo, place=replace(slo.place, line=0, path=()))


def _stuck(review: Review) -> str:
    return (
        f"{review.slo.place}: the objective of {review.slo.name} has no line of its own to change to {review.wanted}:"
        " write `objective: NUMBER` there"
    )
