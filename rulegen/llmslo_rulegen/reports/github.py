"""Findings as workflow commands of GitHub, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmslo_rulegen.finding import Finding, Level, printable

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield one command a finding: `::error file=...,line=...,col=...,title=...::message`."""
    for finding in findings:
        properties = {"file": printable(finding.file)}
        if finding.line:
            properties["line"] = str(finding.line)
        if finding.column:
            properties["col"] = str(finding.column)
            properties["endColumn"] = str(finding.column + max(finding.length, 1))
        properties["title"] = finding.check
        shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        yield f"::{_COMMANDS[finding.level]} {shown}::{_message(printable(finding.message))}"


def _message(text: str) -> str:
    """Return text as actions/toolkit escapes the data of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return text as actions/toolkit escapes a property of a command."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")
