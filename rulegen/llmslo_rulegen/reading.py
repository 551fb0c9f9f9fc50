"""SLO files in, SLOs and findings out: whatever the bytes are, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from llmslo_rulegen import complaints, crowds, gates, located, promises
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document, Map
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.spec import VERSION, FileShape

MOST_FINDINGS = 100  # of one file; whoever has more has one mistake many times


@dataclass(frozen=True, slots=True)
class Read:
    """Every SLO that can be kept, in the order of the files, all that is wrong, and what it was read from."""

    slos: tuple[Slo, ...]
    findings: tuple[Finding, ...]
    documents: tuple[Document, ...] = ()
    raw: Mapping[str, bytes] = field(default_factory=dict)


def read(files: Mapping[str, bytes], *, snap: bool = False) -> Read:
    """Return what `files` (name to content) promise; `snap` moves thresholds to bucket edges and says so."""
    slos: list[Slo] = []
    findings: list[Finding] = []
    every: list[Document] = []
    for file, raw in files.items():
        try:
            documents = located.read(raw, file)
        except InputError as error:
            findings += error.findings
            continue
        if not documents:
            findings.append(_error(file, 0, f"the file is empty: begin with `version: {VERSION}`", "spec/shape"))
        every += documents
        before = len(findings)
        for document in documents:
            found, wrong = _document(document, snap=snap)
            slos += found
            findings += wrong
            if len(findings) - before > MOST_FINDINGS:
                break
    findings += _duplicates(slos)
    findings += gates.findings(slos, every)
    return Read(tuple(slos), tuple(findings), tuple(every), files)


def _document(document: Document, *, snap: bool) -> tuple[tuple[Slo, ...], tuple[Finding, ...]]:
    if isinstance(document.value, Map):
        version = document.value.get("version")
        if version != VERSION:
            found = "is missing" if version is None else f"is {str(version)[:60]!r}"
            text = f"`version` {found}, only {VERSION} is known: write `version: {VERSION}`"
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
