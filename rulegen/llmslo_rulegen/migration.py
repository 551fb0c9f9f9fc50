"""The commands for those who come from somewhere, or go on to it: what each does with SLOs that were read."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from llmslo_rulegen import against_sloth, compared, converting, placing, sloth_rules
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, Level, has_errors
from llmslo_rulegen.reading import Read

LOST = "convert/lost"  # a finding about what a document of others sets and ours cannot hold


@dataclass(frozen=True, slots=True)
class Talk:
    """How a conversion answers: `lossy` lists what is lost instead of refusing it."""

    lossy: bool = False
    as_json: bool = False


def convert(found: Read, to: str, path: Path | None, out: TextIO, talk: Talk) -> None:
    """Write the SLOs in another format, to `path` or to `out`; raise InputError for what it cannot hold."""
    _refuse(found, lossy=talk.lossy)
    done = converting.convert(found.slos, to)
    if done.lost and not (talk.lossy and done.text):
        rest = "--lossy writes the rest" if done.text else "nothing is left to write"
        places = {slo.id: slo.place for slo in found.slos}
        raise InputError(
            Finding(LOST, places[loss.slo].file, places[loss.slo].line, Level.ERROR, f"{loss}; {rest}")
            for loss in done.lost
        )
    losses = (*done.lost, *done.changed)
    if path is not None:
        placing.write_one(path, done.text)
    if talk.as_json:
        findings = [finding.as_record() for finding in found.findings]
        members = {"document": done.text, "losses": [one.as_record() for one in losses], "flags": done.flags}
        out.write(json.dumps({**members, "findings": findings}, indent=2) + "\n")
        return
    sys.stderr.writelines(f"{one}\n" for one in (*found.findings, *losses))
    sys.stderr.writelines(f"give {to} the flag {flag}\n" for flag in done.flags)
    if path is None:
        out.write(done.text)


def compare(found: Read, old: Path, out: TextIO, *, as_json: bool) -> None:
    """Say what changes for those who load the rules of `found` instead of Sloth's, which stand in `old`."""
    _refuse(found, lossy=True)
    done = against_sloth.compare(sloth_rules.read(old), found.slos)
    if as_json:
        out.write(json.dumps(done.as_record(), indent=2) + "\n")
    else:
        sys.stderr.writelines(f"{one}\n" for one in found.findings)
        out.write(compared.text(done, found.raw))


def _refuse(found: Read, *, lossy: bool) -> None:
    """Raise InputError where the files are wrong, or hold what would go without a word."""
    left = [] if lossy else [replace(one, level=Level.ERROR) for one in found.findings if one.check == LOST]
    if left or has_errors(found.findings):
        raise InputError([*(one for one in found.findings if one.level is Level.ERROR), *left])
