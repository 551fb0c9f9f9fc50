"""Findings as JUnit's XML, which almost every pipeline shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from llmslo_rulegen.finding import Finding, Level, printable

_SUITE = "llmslo-rulegen check"


def text(findings: Sequence[Finding], files: Collection[str], failing: Collection[Level]) -> str:
    """Return one case a finding, failed where its level is `failing`, and a passed one for each file without any."""
    suite = Element("testsuite", name=_SUITE)
    failures = 0
    for finding in findings:
        name = f"{finding.check} line {finding.line}" if finding.line else finding.check
        case = SubElement(suite, "testcase", classname=printable(finding.file), name=name)
        case.set("file", printable(finding.file))
        case.set("line", str(finding.line))
        if finding.level in failing:
            failures += 1
            said = SubElement(case, "failure", type=finding.level.value, message=printable(finding.message))
            said.text = str(finding)
        else:
            SubElement(case, "system-out").text = str(finding)
    for file in sorted(set(files) - {finding.file for finding in findings}):
        SubElement(suite, "testcase", classname=printable(file), name="no findings", file=printable(file))
    counts = {"tests": str(len(suite)), "failures": str(failures), "errors": "0", "skipped": "0", "time": "0"}
    root = Element("testsuites", {"name": _SUITE, **counts})
    suite.attrib |= counts
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
