"""What lints look at beside SLO files: rule files, an Alertmanager's configuration, a server, what a team says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen import routing_file, rule_files
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.lints.case import Case, PlacedRule
from llmslo_rulegen.located import MAX_BYTES, Document
from llmslo_rulegen.slo import Slo


@dataclass(frozen=True, slots=True)
class Given:
    """The options of `check` that are about the world; `prometheus` is a URL."""

    rules: tuple[Path, ...] = ()
    alertmanager: Path | None = None
    prometheus: str | None = None
    retention_s: float | None = None
    events_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The case, with documents and texts of the files that it was made of."""

    case: Case
    documents: tuple[Document, ...]
    texts: dict[str, str]


def collect(given: Given, slos: Sequence[Slo], *, sloth: bool) -> Evidence:
    """Read all that was given; raise InputError for what cannot be read, ServerError for a URL that is none."""
    rules: list[PlacedRule] = []
    documents: list[Document] = []
    texts: dict[str, str] = {}
    for path in given.rules:
        raw = _bytes(path)
        found, read = rule_files.rules(raw, str(path))
        rules += found
        documents += read
        if read:
            texts[str(path)] = raw.decode("utf-8-sig")
    routing = None
    if given.alertmanager is not None:
        routing = routing_file.routing(_bytes(given.alertmanager), str(given.alertmanager))
    server = None
    if given.prometheus is not None:
        from llmslo_rulegen.prometheus import Prometheus  # noqa: PLC0415 -- 50 ms that most runs do not need

        server = Prometheus(given.prometheus)
    case = Case(tuple(slos), tuple(rules), routing, given.retention_s, given.events_per_hour, server, sloth)
    return Evidence(case, tuple(documents), texts)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        text = f"cannot be read: {reason}; give the path of a file"
        raise InputError([Finding("file/read", str(path), 0, Level.ERROR, text)]) from error
