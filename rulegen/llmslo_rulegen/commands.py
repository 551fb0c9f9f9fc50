"""What each command does: results to the given stream, talk to standard error, an exit code back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from llmslo_rulegen import backfill as back_filling
from llmslo_rulegen import checking, explain, linting, promtool, pruning, rendering, slo_files, writing, yaml_text
from llmslo_rulegen.errors import InputError, ToolError
from llmslo_rulegen.evidence import Given, collect
from llmslo_rulegen.exports.loss import Loss
from llmslo_rulegen.file import File
from llmslo_rulegen.finding import Finding, Level, has_errors
from llmslo_rulegen.headers import header
from llmslo_rulegen.names import hint
from llmslo_rulegen.pointing import Pointer
from llmslo_rulegen.promtool import Promtool, Verdict
from llmslo_rulegen.pruning import Leftovers
from llmslo_rulegen.reading import Read
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.reports import every as reports
from llmslo_rulegen.reports.every import Checked, Report
from llmslo_rulegen.slo import CatalogSli, HistogramSli, Slo, Window
from llmslo_rulegen.target import OPENSLO, PLAIN, Target

FINE, WRONG = 0, 1
_SHOWN_LINES = 30  # of one SLO's failed tests
_NATIVE_FROM = (3, 0)  # promtool's tests know native histograms from this version on


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    files: tuple[Path, ...]
    names: tuple[str, ...] = ()  # of SLOs; none: all
    out: Path | None = None
    tests: bool = True
    sloth: bool = True
    snap: bool = False
    prune: bool = False
    strict: bool = False
    json: bool = False
    to: str = ""
    lossy: bool = False
    old: Path | None = None
    sloth_period: Window | None = None
    pyrra: bool = False
    target: Target = field(default_factory=Target)
    format: str = reports.TEXT
    given: Given = field(default_factory=Given)

    @property
    def options(self) -> Options:
        return Options(version("llmslo"), self.tests, self.sloth, self.pyrra)


def render(request: Request, out: TextIO) -> int:
    """Write the rendered files below `request.out`, all or none."""
    found = _read(request)
    wrong = [*checking.expressions(checking.one_of_each_shape(found.slos), sloth=request.sloth)]
    if has_errors([*found.findings, *wrong]):
        raise InputError([*found.findings, *wrong])
    folder = _folder(request)
    left = Leftovers((), ())

    def stale(paths: Collection[str]) -> Sequence[str]:
        nonlocal left
        if request.prune:
            left = pruning.leftovers(folder, _wanted(paths, found, is_whole=request.tests), request.files)
        return left.stale

    done = writing.write(folder, _files(request, found.slos), stale)
    losses = _losses(request, found.slos)
    if request.json:
        _write_json(
            out,
            written=done.written,
            unchanged=done.unchanged,
            removed=done.removed,
            losses=[loss.as_record() for loss in losses],
            findings=[finding.as_record() for finding in found.findings],
        )
        return FINE
    _say(found.findings, sys.stderr)
    sys.stderr.writelines(f"{loss}\n" for loss in losses)
    for path in left.kept:
        sys.stderr.write(f"{folder / path} stays: its source is a file that was not given\n")
    counts = f"{len(done.written)} files written, {len(done.unchanged)} unchanged, {len(done.removed)} removed"
    out.write(f"{folder}: {len(found.slos)} SLOs, {counts}\n")
    return FINE


def convert(request: Request, out: TextIO) -> int:
    """Write the SLOs in another format."""
    from llmslo_rulegen import migration  # noqa: PLC0415 -- rendering need not load it

    talk = migration.Talk(request.lossy, request.json)
    migration.convert(_read(request), request.to, request.out, out, talk)
    return FINE


def compare(request: Request, out: TextIO) -> int:
    """Say what changes for those who had Sloth's rules."""
    from llmslo_rulegen import migration  # noqa: PLC0415 -- as above

    migration.compare(_read(request), request.old or Path(), out, as_json=request.json)
    return FINE


def check(request: Request, out: TextIO) -> int:
    """Print all that is wrong: the files, every expression, lints, promtool's word, drift below `request.out`."""
    found = _read(request)
    checked = _checked(request, found)
    failing = {Level.ERROR, Level.WARNING} if request.strict else {Level.ERROR}
    if request.json:
        _write_json(out, findings=[finding.as_record() for finding in checked.findings])
    else:
        report = Report(tuple(map(str, request.files)), failing, version("llmslo"), Path.cwd())
        out.writelines(reports.write(request.format, checked, report))
    if request.format == reports.TEXT and not request.json:
        counts = {level: sum(finding.level is level for finding in checked.findings) for level in Level}
        sys.stderr.write(f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings\n")
    return WRONG if any(finding.level in failing for finding in checked.findings) else FINE


def _checked(request: Request, found: Read) -> Checked:
    texts = {file: raw.decode("utf-8-sig", errors="replace") for file, raw in found.raw.items()}
    pointer = Pointer(found.documents, texts)
    if has_errors(found.findings):
        return Checked(found.findings, (), pointer.line)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- a render needs none

    with TemporaryDirectory(prefix="llmslo-") as name, ThreadPoolExecutor(1) as pool:
        # promtool is other processes: all else is looked at while they run.
        fresh = Path(name)
        files = rendering.files(found.slos, replace(request.options, tests=False))
        paths = writing.write(fresh, checking.rules_among(files)).written
        said = pool.submit(lambda: list(checking.by_promtool(fresh, paths, promtool.find())))
        evidence = collect(request.given, found.slos, sloth=request.sloth)
        texts |= evidence.texts
        pointer = Pointer((*found.documents, *evidence.documents), texts)
        linted = linting.lint(evidence.case, found.findings, pointer, texts)
        parsed = list(checking.expressions(found.slos, sloth=request.sloth))
        drifted = list(_drifted(request, found))
        findings = (*linted.findings, *parsed, *_untested(request, found.slos), *said.result(), *drifted)
    return Checked(findings, linted.ignored, pointer.line)


def _untested(request: Request, slos: Sequence[Slo]) -> Iterator[Finding]:
    for slo, why in rendering.untested(slos) if request.tests else ():
        yield Finding("slo/tests", slo.place.file, slo.place.line, Level.NOTE, f"no tests are made for {slo.id}: {why}")


def _drifted(request: Request, found: Read) -> Iterator[Finding]:
    """Yield what differs between the files that the SLOs give and those below `request.out`."""
    if request.out is None:
        return
    paths: list[str] = []
    for file in _files(request, found.slos):
        paths.append(file.path)
        yield from checking.drift(request.out, file)
    left = pruning.leftovers(request.out, _wanted(paths, found, is_whole=request.tests), request.files)
    yield from checking.stale(request.out, left.stale)


def test(request: Request, out: TextIO) -> int:
    """Run every SLO's tests with promtool, as rendered now or as they stand below `request.out`."""
    found = _read(request)
    if has_errors(found.findings):
        raise InputError(found.findings)
    _say(found.findings, sys.stderr)
    tool = promtool.find()
    if tool is None:
        raise ToolError(promtool.MISSING)
    skipped = {slo.id: why for slo, why in _skipped(found.slos, tool)}
    chosen = [slo for slo in found.slos if slo.id not in skipped]
    failed: dict[str, str] = {}
    with _tested(request, found) as folder:
        for slo, verdict in _verdicts(tool, folder, chosen):
            if not verdict.is_good:
                failed[slo.id] = verdict.text.replace(f"{folder}/", "")
            if not request.json:
                out.write(f"FAILED {slo.id}\n{_shortened(failed[slo.id])}\n" if slo.id in failed else f"ok {slo.id}\n")
                out.flush()
    passed = [slo.id for slo in chosen if slo.id not in failed]
    if request.json:
        _write_json(out, passed=passed, failed=failed, skipped=skipped)
        return WRONG if failed else FINE
    out.writelines(f"skipped {name}: {why}\n" for name, why in skipped.items())
    out.write(f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped\n")
    return WRONG if failed else FINE


def tell(request: Request, out: TextIO) -> int:
    """Say the numbers of the SLOs that `request.names` names, by name or id; of all without names."""
    found = _read(request)
    if has_errors(found.findings):
        raise InputError(found.findings)
    _say(found.findings, sys.stderr)
    unknown = [name for name in request.names if not any(name in {slo.name, slo.id} for slo in found.slos)]
    if unknown:
        known = {slo.name for slo in found.slos}
        shown = ", ".join(map(str, request.files))
        findings = [_file_error(shown, f"no SLO is called {name[:60]}: {hint(name, known)}") for name in unknown]
        raise InputError(findings)
    chosen = [slo for slo in found.slos if not request.names or {slo.name, slo.id} & set(request.names)]
    if request.json:
        _write_json(out, slos=[explain.record(slo) for slo in chosen])
    else:
        out.write("\n".join(explain.text(slo) for slo in chosen))
    return FINE


def backfill(request: Request, out: TextIO) -> int:
    """Print the rules that `promtool tsdb create-blocks-from rules` needs to count the past."""
    found = _read(request)
    if has_errors(found.findings):
        raise InputError(found.findings)
    _say(found.findings, sys.stderr)
    out.write(header("backfill.yaml", request.options.version, tuple(map(str, request.files))))
    out.write(yaml_text.rules(back_filling.groups(found.slos)))
    again = {slo.id: runs for slo in found.slos if (runs := back_filling.runs(slo)) > 1}
    for name, runs in again.items():
        sys.stderr.write(
            f"{name}: give them to promtool {runs} times, each time with the blocks of the last one loaded\n"
        )
    return FINE


@contextmanager
def _tested(request: Request, found: Read) -> Iterator[Path]:
    """Give the folder whose tests are run."""
    if request.out is not None:
        without = {slo.id for slo, _ in rendering.untested(found.slos)}
        paths = [path for slo in found.slos if slo.id not in without for path in rendering.test_paths(slo)]
        missing = [path for path in paths if not (request.out / path).is_file()]
        if missing:
            msg = "has not been rendered: render with tests first, or leave --out out"
            raise InputError([_file_error(str(request.out / missing[0]), msg)])
        yield request.out
        return
    with TemporaryDirectory(prefix="llmslo-") as name:
        writing.write(Path(name), rendering.files(found.slos, request.options))
        yield Path(name)


def _files(request: Request, slos: Sequence[Slo]) -> Iterator[File]:
    """Return what is rendered for the servers that the rules are going to."""
    if request.target.name == PLAIN:
        return rendering.files(slos, request.options)
    from llmslo_rulegen.formats import rendered  # noqa: PLC0415 -- plain rules need not load it

    return rendered.files(slos, request.options, request.target)


def _losses(request: Request, slos: Sequence[Slo]) -> tuple[Loss, ...]:
    """Return what the chosen format cannot say."""
    if request.target.name != OPENSLO:
        return ()
    from llmslo_rulegen import converting  # noqa: PLC0415 -- as above

    done = converting.convert(slos, OPENSLO)
    return (*done.lost, *done.changed)


def _verdicts(tool: Promtool, folder: Path, slos: Sequence[Slo]) -> Iterator[tuple[Slo, Verdict]]:
    """Yield each SLO with promtool's verdict, in the SLOs' order, as many at once as there are processors."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- a render needs none

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = pool.map(lambda slo: tool.test_rules([folder / path for path in rendering.test_paths(slo)]), slos)
        yield from zip(slos, verdicts, strict=True)


def _shortened(text: str) -> str:
    """Return the beginning of what promtool says: a rule that never fires fails a hundred times."""
    lines = [line for line in text.splitlines() if line.strip()]
    more = (
        [f"  ... and {len(lines) - _SHOWN_LINES} lines more: --json has them all"] if len(lines) > _SHOWN_LINES else []
    )
    return "\n".join([*lines[:_SHOWN_LINES], *more])


def _skipped(slos: Sequence[Slo], tool: Promtool) -> Iterator[tuple[Slo, str]]:
    """Yield the SLOs whose tests cannot run here, and why."""
    yield from rendering.untested(slos)
    have = ".".join(map(str, tool.version))
    for slo in slos:
        if isinstance(slo.sli, (CatalogSli, HistogramSli)) and slo.sli.native and tool.version < _NATIVE_FROM:
            yield slo, f"native histograms need promtool 3, this is {have}"


def _read(request: Request) -> Read:
    return slo_files.read(request.files, snap=request.snap, sloth_period=request.sloth_period)


def _wanted(paths: Collection[str], found: Read, *, is_whole: bool) -> set[str]:
    """Return every path that the SLOs may have, rendered now or not: --no-tests makes no test stale."""
    return {*paths} if is_whole else {*paths, *(path for slo in found.slos for path in rendering.test_paths(slo))}


def _folder(request: Request) -> Path:
    return request.out if request.out is not None else Path()


def _file_error(file: str, text: str) -> Finding:
    return Finding("file/read", file, 0, Level.ERROR, text)


def _say(findings: Sequence[Finding], out: TextIO) -> None:
    out.writelines(f"{finding}\n" for finding in findings)


def _write_json(out: TextIO, **members: object) -> None:
    out.write(json.dumps(members, indent=2) + "\n")
