"""SLO files in, SLOs and findings out: whatever the bytes are, never an exception."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from llmslo_rulegen import complaints, crowds, gates, located, promises
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document, Map, Seq
from llmslo_rulegen.slo import Slo, Window
from llmslo_rulegen.spec import VERSION, FileShape

SLOTH = "prometheus/v1"
OTHERS = "Sloth's, Pyrra's or OpenSLO's"
MOST_FINDINGS = 100  # of one file; whoever has more has one mistake many times


@dataclass(frozen=True, slots=True)
class Read:
    """Every SLO that can be kept, in the order of the files, all that is wrong, and what it was read from."""

    slos: tuple[Slo, ...]
    findings: tuple[Finding, ...]
    documents: tuple[Document, ...] = ()
    raw: Mapping[str, bytes] = field(default_factory=dict)


def read(files: Mapping[str, bytes], *, snap: bool = False, sloth_period: Window | None = None) -> Read:
    """Return what `files` (name to content) promise; `snap` moves thresholds to bucket edges and says so.

    Documents of Sloth, Pyrra and OpenSLO are read as well, and may refer to each other; `sloth_period` is the window
    of Sloth's, which its files do not name (None: 30 days).
    """
    slos: list[Slo] = []
    findings: list[Finding] = []
    known: list[Document] = []
    every: list[Document] = []
    for file, raw in files.items():
        try:
            documents = located.read(raw, file)
        except InputError as error:
            findings += error.findings
            continue
        if not documents:
            findings.append(_error(file, 1, f"the file is empty: begin with `version: {VERSION}`", "spec/shape"))
        known += documents
    counts: Counter[str] = Counter()
    for document, said in _ours(known, sloth_period):
        findings += said
        if document is not None and counts[document.file] <= MOST_FINDINGS:
            every.append(document)
            found, wrong = _document(document, snap=snap)
            counts[document.file] += len(wrong)
            slos += found
            findings += wrong
    findings += _duplicates(slos)
    findings += gates.findings(slos, every)
    # What stands above the SLOs of others is read, and said, for each of them.
    return Read(tuple(slos), tuple(dict.fromkeys(findings)), tuple(every), files)


def _ours(
    documents: Sequence[Document], period: Window | None
) -> Iterator[tuple[Document | None, tuple[Finding, ...]]]:
    """Yield the documents as ours, each with what was said while it became so."""
    others = [document for document in documents if _is_foreign(document)]
    if not others:
        yield from ((document, ()) for document in documents)
        return
    from llmslo_rulegen.foreign import reader  # noqa: PLC0415 -- our own files need not load it

    translated = dict(zip(map(id, others), reader.translate(others, period), strict=True))
    for document in documents:
        found = translated.get(id(document))
        if found is None:
            yield document, ()
            continue
        yield None, found.findings
        yield from ((one, ()) for one in found.documents)


def _is_foreign(document: Document) -> bool:
    """Return whether a document may be of another format: an object, a list of such, or a file of Sloth's."""
    value = document.value[0] if isinstance(document.value, Seq) and document.value else document.value
    return isinstance(value, Map) and ("apiVersion" in value or value.get("version") == SLOTH)


def _document(document: Document, *, snap: bool) -> tuple[tuple[Slo, ...], tuple[Finding, ...]]:
    if isinstance(document.value, Map):
        version = document.value.get("version")
        if version != VERSION:
            found = "is missing" if version is None else f"is {str(version)[:60]!r}"
            text = f"`version` {found}, only {VERSION} is known: write `version: {VERSION}`, or give a file of {OTHERS}"
            return (), (_error(document.file, document.line_of(("version",)), text, "spec/version"),)
    crowded, whole = crowds.judged(document)
    if crowded:
        return (), crowded
    try:
        shape = FileShape.model_validate(whole.value)
    except ValidationError as error:
        return (), complaints.findings(error, document)
    return promises.promises(shape, document, snap=snap)


def _duplicates(slos: Iterable[Slo]) -> Iterator[Finding]:
    """Yield SLOs of one id: `a-b` and `c` is the same id, and the same file, as `a` and `b-c`."""
    seen: dict[str, Slo] = {}
    services: dict[str, Slo] = {}
    for slo in slos:
        known = seen.setdefault(slo.id.casefold(), slo)
        if known is not slo:
            same = (slo.service, slo.name) == (known.service, known.name)
            what = f"SLO {slo.name} of service {slo.service}"
            why = "is already there" if same else f"has the file name of {known.name} of {known.service}"
            yield _error(slo.place.file, slo.place.line, f"{what} {why}, {known.place}: rename one", "slo/duplicate")
        other = services.setdefault(slo.service.casefold(), slo)
        if other.service != slo.service:
            text = (
                f"service {slo.service} has the file name of service {other.service}, {other.place}: write both alike"
            )
            yield _error(slo.place.file, slo.place.line, text, "slo/duplicate")


def _error(file: str, line: int, text: str, check: str) -> Finding:
    return Finding(check, file, line, Level.ERROR, text)
