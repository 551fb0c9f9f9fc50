"""Which format a document of others is in, and the SLOs that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmslo_rulegen import names
from llmslo_rulegen.finding import Finding, has_errors
from llmslo_rulegen.foreign import openslo, pyrra, sloth, windows
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import UNSUPPORTED, Node
from llmslo_rulegen.foreign.windows import Catalog
from llmslo_rulegen.located import Document, Map, Seq
from llmslo_rulegen.slo import Window

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
    return tuple(_translated(group, objects, catalogs, period) for group in tops)


def _translated(
    group: Sequence[Node], objects: openslo.Objects, catalogs: tuple[Catalog, ...], period: Window | None
) -> Translated:
    found: list[Document] = []
    for top in group:
        found += [draft.document() for draft in list(_drafts(top, objects, catalogs, period))]
    said = [finding for top in group for finding in top.findings]
    return Translated(() if has_errors(said) else tuple(found), tuple(dict.fromkeys(said)))


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
        if known is not None:
            text = f"{group} has no {kind[:60]}: {names.hint(kind, known)}"
        top.at("kind" if known else "apiVersion").error(text, UNSUPPORTED)


def _kind(top: Node) -> tuple[str, str]:
    value = top.value if isinstance(top.value, Map) else {}
    return ("", "") if "apiVersion" not in value else (str(value["apiVersion"]), str(value.get("kind", "")))


def _single(document: Document) -> Iterator[Document]:
    """Yield the objects of a document, which may be a list of them."""
    if not isinstance(document.value, Seq):
        yield document
        return
    for number, value in enumerate(document.value):
        yield Document(document.file, document.value.lines[number], value)
