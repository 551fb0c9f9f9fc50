"""Which format a document of others is in, and the SLOs that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmslo_rulegen import durations, names
from llmslo_rulegen.finding import Finding, Level, has_errors
from llmslo_rulegen.foreign import openslo, pyrra, sloth, windows
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import CHANGED, UNSUPPORTED, Node
from llmslo_rulegen.foreign.windows import Catalog
from llmslo_rulegen.located import Document, Map, Seq
from llmslo_rulegen.slo import Window

_LIST = "List"  # how the kind of a list of objects ends
_GROUPS = (sloth.GROUP, pyrra.GROUP, openslo.V1, openslo.ALPHA)


@dataclass(frozen=True, slots=True)
class Translated:
    """One SLO a document of ours, in the order of the source, and what was said on the way."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]


def translate(documents: Sequence[Document], period: Window | None = None) -> tuple[Translated, ...]:
    """Return what each of `documents` becomes; they may refer to each other."""
    tops = [[Node(one, one.value) for one in _single(document)] for document in documents]
    every = [top for group in tops for top in group]
    objects = {
        (str(top.at("kind").value), str(top.at("metadata", "name").value)): top
        for top in every
        if top.at("apiVersion").value == openslo.V1
    }
    catalogs = tuple(
        found for top in every if _kind(top) == (sloth.GROUP, windows.KIND) and (found := windows.read(top)) is not None
    )
    drafts = [[draft for top in group for draft in _drafts(top, objects, catalogs, period)] for group in tops]
    if any("service" in draft.file for group in drafts for draft in group):
        _unused(every, catalogs, period)
    # Only now: an object may be read while another one is that refers to it.
    is_wrong = any(has_errors(top.findings) for top in every)
    return tuple(_translated(group, of, is_wrong=is_wrong) for group, of in zip(tops, drafts, strict=True))


def _translated(group: Sequence[Node], drafts: Sequence[Draft], *, is_wrong: bool) -> Translated:
    said = tuple(dict.fromkeys(finding for top in group for finding in top.findings))
    is_whole = all("sli" in draft.slo for draft in drafts)
    kept = () if has_errors(said) or (is_wrong and not is_whole) else tuple(draft.document() for draft in drafts)
    return Translated(kept, said)


def _unused(every: Sequence[Node], catalogs: tuple[Catalog, ...], period: Window | None) -> None:
    """Say which catalogs are for another period than the SLOs have."""
    days = sloth.DEFAULT_DAYS if period is None else period.seconds // durations.DAY_S
    for top in every:
        for catalog in catalogs:
            if (catalog.file, catalog.line) == (top.document.file, top.line) and catalog.days != days:
                text = f"the SLOs have windows of {days} days, this is for {catalog.days}: give --sloth-period"
                top.note(CHANGED, Level.WARNING, f"{text} {catalog.days}d")


def _drafts(
    top: Node, objects: openslo.Objects, catalogs: tuple[Catalog, ...], period: Window | None
) -> Iterator[Draft]:
    group, kind = _kind(top)
    if group == "" or (group, kind) == (sloth.GROUP, sloth.KIND):
        yield from sloth.drafts(top, catalogs, period)
    elif (group, kind) == (pyrra.GROUP, pyrra.KIND):
        found = pyrra.draft(top)
        if found is not None:
            yield found
    elif group in {openslo.V1, openslo.ALPHA}:
        yield from openslo.drafts(top, objects)
    elif (group, kind) != (sloth.GROUP, windows.KIND):
        known = {sloth.GROUP: (sloth.KIND, windows.KIND), pyrra.GROUP: (pyrra.KIND,)}.get(group)
        text = f"{group[:60]} is not known: {names.hint(group, _GROUPS)}"
        if kind == "BudgetAdjustment":
            text = "BudgetAdjustment takes times out of a budget; such exclusion windows are not supported"
        if known is not None:
            text = f"{group} has no {kind[:60]}: {names.hint(kind, known)}"
        top.at("kind" if known or kind == "BudgetAdjustment" else "apiVersion").error(text, UNSUPPORTED)


def _kind(top: Node) -> tuple[str, str]:
    value = top.value if isinstance(top.value, Map) else {}
    return ("", "") if "apiVersion" not in value else (str(value["apiVersion"]), str(value.get("kind", "")))


def _single(document: Document) -> Iterator[Document]:
    """Yield the objects of a document, which may be a list of them, or a List as kubectl prints it."""
    items = _items(document.value)
    if items is None:
        yield document
        return
    for number, value in enumerate(items):
        yield Document(document.file, items.lines[number], _typed(value, document.value))


def _items(value: object) -> Seq | None:
    """Return the objects that `value` holds; None: it is one itself."""
    if isinstance(value, Seq):
        return value
    if not isinstance(value, Map) or not str(value.get("kind", "")).endswith(_LIST):
        return None
    found = value.get("items")
    return found if isinstance(found, Seq) and found else None


def _typed(value: object, of: object) -> object:
    """Return an object of a list with the type that the list has where it says none itself, as an API server does."""
    kind = str(of.get("kind")).removesuffix(_LIST) if isinstance(of, Map) else ""
    if not isinstance(of, Map) or not isinstance(value, Map) or not kind or value.keys() & {"apiVersion", "kind"}:
        return value
    found = Map()
    for key, each in (("apiVersion", of["apiVersion"]), ("kind", kind)):
        found[key], found.lines[key] = each, of.lines[key]
    found |= value
    found.lines |= value.lines
    return found
