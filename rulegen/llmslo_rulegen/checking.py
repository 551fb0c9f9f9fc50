"""What is wrong with rendered rules, as findings: expressions that do not parse, promtool's word, drift."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

from llmslo_rulegen import events, promql, writing
from llmslo_rulegen.file import File
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.groups import groups
from llmslo_rulegen.promtool import MISSING, Promtool
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Slo


def expressions(slos: Iterable[Slo], *, sloth: bool) -> Iterator[Finding]:
    """Yield a finding for each expression that promql-parser refuses; what differs in names only is parsed once."""
    seen: set[str] = set()
    for slo in slos:
        names = events.identity(slo)[1:-1]
        for group in groups(slo, sloth=sloth):
            for rule in group.rules:
                shape = rule.expr.replace(names, "")
                if shape in seen:
                    continue
                seen.add(shape)
                try:
                    promql.parses(rule.expr)
                except ValueError as error:
                    name = rule.record if isinstance(rule, RecordingRule) else rule.alert
                    text = f"{name} of {slo.id} does not parse, {error}: simplify the SLO's own expressions, or tell us"
                    yield Finding("rule/promql", slo.place.file, slo.place.line, Level.ERROR, text)


def one_of_each_shape(slos: Iterable[Slo]) -> list[Slo]:
    """Return SLOs whose rules differ in more than names and numbers: those of the others parse if these do."""
    return list({_shape(slo): slo for slo in slos}.values())


def _shape(slo: Slo) -> tuple[object, ...]:
    sli = slo.sli
    kind: tuple[object, ...] = (type(sli),)
    if isinstance(sli, CatalogSli):
        kind = (sli.source, sli.name, sli.native, tuple((one.label, one.op) for one in sli.select))
    elif isinstance(sli, EventsSli):
        kind = (sli.function, sli.bad is None)
    elif isinstance(sli, HistogramSli):
        kind = (type(sli), sli.native)
    window = slo.window.calendar or slo.window.seconds
    return (*kind, window, len(slo.group_by), slo.low_traffic.wilson is None, slo.alerting.disabled)


def by_promtool(folder: Path, paths: Iterable[str], tool: Promtool | None) -> Iterator[Finding]:
    """Yield what promtool says of the rule files among `paths` below `folder`."""
    if tool is None:
        yield Finding("rule/promtool", "rules", 0, Level.NOTE, f"not checked by promtool: {MISSING}")
        return
    files = [folder / path for path in paths if is_rules(path)]
    count = min(os.cpu_count() or 1, len(files))
    with ThreadPoolExecutor(max(count, 1)) as pool:
        verdicts = list(pool.map(tool.check_rules, (files[number::count] for number in range(count))))
    for verdict in verdicts:
        if not verdict.is_good:
            text = verdict.text.replace(f"{folder}/", "")
            lines = [
                line.strip() for line in text.splitlines() if "SUCCESS" not in line and not line.startswith("Checking")
            ]
            yield Finding("rule/promtool", "rules", 0, Level.ERROR, f"promtool refuses: {' '.join(lines)[:1000]}")


def rules_among(files: Iterable[File]) -> Iterator[File]:
    """Yield the files that promtool reads: the others need not be made for it."""
    return (file for file in files if is_rules(file.path))


def is_rules(path: str) -> bool:
    """Return whether `path` is a rule file of Prometheus."""
    return path.startswith("rules/") or "/rules/" in path


def drift(folder: Path, file: File) -> Iterator[Finding]:
    """Yield a finding if what stands below `folder` is not `file`."""
    target, raw = folder / file.path, "".join(file.chunks).encode()
    if not target.is_file():
        yield _drifted(target, 0, "is missing: render again, or check with the options it was rendered with")
    elif (there := target.read_bytes()) != raw:
        what = "is not ours and stands where ours would be: move it away"
        if writing.sources_of(target) is not None:
            what = "is not what rendering gives: render again, edit the SLO file only"
        yield _drifted(target, _first_difference(there, raw), what)


def stale(folder: Path, paths: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each of `paths` below `folder`, of which no SLO is left."""
    for path in paths:
        text = "is of an SLO that is gone: render with --prune"
        yield Finding("file/stale", str(folder / path), 0, Level.WARNING, text)


def _drifted(target: Path, line: int, text: str) -> Finding:
    return Finding("file/drift", str(target), line, Level.ERROR, text)


def _first_difference(one: bytes, other: bytes) -> int:
    """Return the first line that differs, from 1."""
    pairs = zip_longest(one.split(b"\n"), other.split(b"\n"))
    return next(number for number, (a, b) in enumerate(pairs, 1) if a != b)
