"""The command `verify`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from llmslo_rulegen import slo_files, writing
from llmslo_rulegen.baseline import inputs
from llmslo_rulegen.errors import InputError, RulegenError
from llmslo_rulegen.finding import has_errors
from llmslo_rulegen.formats import rendered
from llmslo_rulegen.reading import Read
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.target import OPENSLO, Target
from llmslo_rulegen.verify import fault, fault_table, gate, record, report, shown, trial
from llmslo_rulegen.verify.fault import Fault, FaultError, FaultKind
from llmslo_rulegen.verify.gate import On
from llmslo_rulegen.verify.subject import Subject, UnverifiableError, subject
from llmslo_rulegen.verify.trial import Trial


class UnusedFaultError(RulegenError):
    """A fault that somebody asked for hit no call."""


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    inputs.add_inputs(parser)
    slo_files.add_arguments(parser)
    parser.add_argument(
        "--cross-source",
        action="store_true",
        help="hold traces against SLOs of another measuring point too, whose values are others",
    )
    parser.add_argument(
        "--fault",
        dest="asked_faults",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND[:...]",
        help="put a fault into the calls: " + ", ".join(kind.value for kind in FaultKind) + "; may be given again",
    )
    parser.add_argument("--faults", action="store_true", help="try every kind of fault on every service")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which calls the faults hit (default: 1)")
    parser.add_argument(
        "--fail-on",
        type=_on,
        action="append",
        metavar="WHAT",
        help="any (default), baseline (exit 4), tests (exit 5), no-data (exit 6) or never; may be given again",
    )
    parser.add_argument("--openslo", type=Path, metavar="DIR", help="write the SLOs as OpenSLO documents below it")
    parser.add_argument("--json", action="store_true", help="the report as JSON, with the SLO copilot's fields")


def run(found: argparse.Namespace, out: TextIO) -> int:
    """Run the command; return its exit code."""
    read = slo_files.read(found.slo, snap=found.snap)
    if has_errors(read.findings):
        raise InputError(read.findings)
    asked = [(slo, _asked(slo, cross_source=found.cross_source)) for slo in read.slos]
    subjects = [one for _, one in asked if isinstance(one, Subject)]
    faults = dict.fromkeys([*found.asked_faults, *(fault_table.every_fault(subjects) if found.faults else ())])
    counted = trial.run(inputs.calls(found), subjects, tuple(faults), found.seed)
    _expect_hits(found.asked_faults, counted)
    told = report.report(asked, counted)
    code = gate.code(told, found.fail_on or [On.ANY])
    written = _openslo(read.slos, found.openslo)
    if found.json:
        findings = [finding.as_record() for finding in read.findings]
        out.write(json.dumps({**record.record(told, code, written), "findings": findings}, indent=2) + "\n")
        return code
    _talk(read, counted, cross_source=found.cross_source)
    out.write(shown.text(told))
    return code


def _fault(text: str) -> Fault:
    try:
        return fault.parse(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _on(text: str) -> On:
    try:
        return On(text)
    except ValueError as error:
        known = ", ".join(on.value for on in On)
        msg = f"{text[:60]!r} is nothing to fail on: write one of {known}"
        raise argparse.ArgumentTypeError(msg) from error


def _asked(slo: Slo, *, cross_source: bool) -> Subject | str:
    try:
        return subject(slo, cross_source=cross_source)
    except UnverifiableError as error:
        return str(error)


def _expect_hits(asked: Sequence[Fault], counted: Trial) -> None:
    for one in asked:
        if not counted.hit[one]:
            named = report.named(counted.services) or "none"
            msg = f"--fault {one} hit none of {counted.calls} calls: their services are {named}"
            raise UnusedFaultError(msg)


def _openslo(slos: Sequence[Slo], folder: Path | None) -> tuple[str, ...]:
    if folder is None:
        return ()
    options = Options(version("llmslo"), tests=False)
    done = writing.write(folder, rendered.files(slos, options, Target(OPENSLO)))
    return tuple(str(folder / path) for path in sorted((*done.written, *done.unchanged)))


def _talk(read: Read, counted: Trial, *, cross_source: bool) -> None:
    sys.stderr.writelines(f"{finding}\n" for finding in read.findings)
    sys.stderr.writelines(f"skipped {count} spans: {reason.value}\n" for reason, count in counted.skipped.most_common())
    if cross_source:
        sys.stderr.write(
            "--cross-source: a span's values are not those of another measuring point; a verdict is a hint\n"
        )
