"""Findings as SARIF 2.1.0 (OASIS), which code scanning of several hosts and editors read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from llmslo_rulegen.finding import Finding, Level, printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}


def text(
    findings: Sequence[Finding],
    ignored: Sequence[tuple[Finding, str]],
    titles: Mapping[str, str],
    relative: Callable[[str], str],
    version: str,
) -> str:
    """Return JSON. `ignored` findings are suppressed in the source, with their reason; `titles` explain codes."""
    every = [*((finding, None) for finding in findings), *ignored]
    codes = sorted({finding.check for finding, _ in every})
    seen: Counter[str] = Counter()
    driver = {
        "name": "llmslo-rulegen",
        "version": version,
        "rules": [{"id": code, "shortDescription": {"text": titles.get(code, code)}} for code in codes],
    }
    results = [_result(finding, reason, codes.index(finding.check), relative, seen) for finding, reason in every]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(
    finding: Finding, reason: str | None, index: int, relative: Callable[[str], str], seen: Counter[str]
) -> dict[str, object]:
    path = relative(finding.file)
    about = f"{finding.check}\0{path}\0{finding.text}"
    seen[about] += 1
    place: dict[str, object] = {"artifactLocation": {"uri": quote(path, errors="replace")}}
    if finding.line:
        place["region"] = _region(finding)
    found: dict[str, object] = {
        "ruleId": finding.check,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {"text": printable(finding.message)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {
            "findingHash/v1": hashlib.sha256(f"{about}\0{seen[about]}".encode(errors="replace")).hexdigest()
        },
    }
    if reason is not None:
        found["suppressions"] = [{"kind": "inSource", "justification": printable(reason)}]
    return found


def _region(finding: Finding) -> dict[str, int]:
    region = {"startLine": finding.line}
    if finding.column:
        region |= {"startColumn": finding.column, "endColumn": finding.column + max(finding.length, 1)}
    return region
