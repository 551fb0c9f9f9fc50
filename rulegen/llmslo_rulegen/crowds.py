"""Documents of more than people write: cut to what can be judged, since pydantic keeps a kilobyte for each mistake."""

from __future__ import annotations

from pydantic import ValidationError

from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document, Map, Seq
from llmslo_rulegen.spec import SloShape

MANY = 20_000  # values of a document; 1 000 SLOs are 25 000
MOST_OF_ONE = 2_000  # values of anything but the list of SLOs; an SLO has 30
_CHECK = "spec/shape"


def judged(document: Document) -> tuple[tuple[Finding, ...], Document]:
    """Return what of a document is too much for one SLO, and the document, cut after the first wrong one of many."""
    value = document.value
    slos = value.get("slos") if isinstance(value, Map) else None
    if not isinstance(value, Map) or not isinstance(slos, Seq):
        sizes, rest = [], _size(value)
    else:
        sizes = [_size(one) for one in slos]
        rest = sum(_size(one) for key, one in value.items() if key != "slos")
    crowded = next((number for number, size in enumerate(sizes) if size > MOST_OF_ONE), None)
    if crowded is not None or rest > MOST_OF_ONE:
        line = document.line if crowded is None else document.line_of(("slos", crowded))
        text = f"more than {MOST_OF_ONE} values stand here: shorten it, or make several SLOs or files of it"
        return (Finding(_CHECK, document.file, line, Level.ERROR, text),), document
    if isinstance(value, Map) and isinstance(slos, Seq) and sum(sizes) > MANY:
        return (), _cut(document, value, slos)
    return (), document


def _cut(document: Document, value: Map, slos: Seq) -> Document:
    for number, one in enumerate(slos):
        try:
            SloShape.model_validate(one)
        except ValidationError:
            first = Seq()
            first.extend(slos[: number + 1])
            first.lines = slos.lines[: number + 1]
            cut = Map()
            cut.update(value | {"slos": first})
            cut.lines = value.lines
            return Document(document.file, document.line, cut)
    return document


def _size(value: object) -> int:
    """Return how many values there are; no more are counted than matter."""
    found, left = 0, [value]
    while left and found <= MOST_OF_ONE:
        one = left.pop()
        found += 1
        if isinstance(one, (Map, Seq)):
            if len(one) > MOST_OF_ONE:
                return found + len(one)
            left.extend(one.values() if isinstance(one, Map) else one)
    return found
