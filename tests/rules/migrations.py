"""What becomes of the documents of others, as the table of docs/formats.md: `python -m tests.rules.migrations`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from llmslo_rulegen import reading
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.foreign.node import CHANGED, LOST
from llmslo_rulegen.slo import Window
from tests.rules import documents

KEPT, OTHERWISE, LOSSY, REFUSED = "kept", "kept, written otherwise", "kept without", "refused"


def outcome(name: str, text: str) -> tuple[str, tuple[str, ...]]:
    """Return what becomes of a file, and why it is not all kept as it is."""
    period = Window(7 * 86_400) if name.endswith("7d") else None
    found = reading.read({"file.yaml": text.encode()}, sloth_period=period)
    errors = [one for one in found.findings if one.level is Level.ERROR]
    if errors:
        return REFUSED, _reasons(errors)
    lost = [one for one in found.findings if one.check == LOST]
    if lost:
        return LOSSY, _reasons(lost)
    changed = [one for one in found.findings if one.check == CHANGED]
    return (OTHERWISE, _reasons(changed)) if changed else (KEPT, ())


def _reasons(findings: list[Finding]) -> tuple[str, ...]:
    texts = (re.sub(r"^`([^`]*)`", lambda match: f"`{_short(match[1])}`", one.text) for one in findings)
    return tuple(dict.fromkeys(texts))


def _short(path: str) -> str:
    return ".".join(re.sub(r"\[\d+\]", "", path).split(".")[-2:])


def table(family: str) -> Iterator[str]:
    """Yield the lines of a family's table."""
    yield f"| like {family}'s | becomes | because |"
    yield "|---|---|---|"
    for name, text in documents.FAMILIES[family].items():
        what, why = outcome(name, text)
        yield f"| {name} | {what} | {'; '.join(why).replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    for one in documents.FAMILIES:
        sys.stdout.write("\n".join(table(one)) + "\n\n")
