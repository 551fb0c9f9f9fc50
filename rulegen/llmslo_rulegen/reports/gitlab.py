"""Findings as GitLab's code quality report, which shows them in a merge request."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable

from llmslo_rulegen.finding import Finding, Level, printable

_SEVERITIES = {Level.ERROR: "major", Level.WARNING: "minor", Level.NOTE: "info"}


def text(findings: Iterable[Finding], relative: Callable[[str], str]) -> str:
    """Return JSON; `relative` gives a path from the root of the repository, as GitLab needs it."""
    seen: Counter[str] = Counter()
    issues = []
    for finding in findings:
        path = relative(finding.file)
        # Without the line: an edit above must not make a finding a new one.
        about = f"{finding.check}\0{path}\0{finding.text}"
        seen[about] += 1
        issues.append(
            {
                "type": "issue",
                "description": printable(finding.message),
                "check_name": finding.check,
                "fingerprint": hashlib.sha256(f"{about}\0{seen[about]}".encode(errors="replace")).hexdigest(),
                "severity": _SEVERITIES[finding.level],
                "location": {"path": path, "lines": {"begin": max(finding.line, 1)}},
            }
        )
    return json.dumps(issues, indent=2) + "\n"
