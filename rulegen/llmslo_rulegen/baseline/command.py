"""The command `baseline`: make one and save it, add saved ones up, show one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO

from llmslo_rulegen.baseline import inputs, saved_file, shown
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.survey import Survey


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.set_defaults(json=False)
    below = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    save = below.add_parser("save", help="sum up traces and save the baseline", allow_abbrev=False)
    inputs.add_inputs(save)
    _out(save)
    merge = below.add_parser("merge", help="add saved baselines up, of other days or services", allow_abbrev=False)
    merge.add_argument("baselines", nargs="+", type=Path, metavar="FILE", help="a saved baseline")
    _out(merge)
    show = below.add_parser("show", help="say what is normal, in a table", allow_abbrev=False)
    inputs.add_inputs(show)
    _json(show)


def run(found: argparse.Namespace, out: TextIO) -> int:
    """Run the command; return its exit code."""
    if found.action == "merge":
        return _saved(
            found, Survey(Baseline.merged(map(saved_file.read, found.baselines)), saved_file.NOTHING_SKIPPED), out
        )
    summed = inputs.read(found)
    if found.action == "save":
        return _saved(found, summed, out)
    out.write(json.dumps(shown.as_record(summed), indent=2) + "\n" if found.json else shown.as_text(summed))
    if not found.json:
        sys.stderr.write(shown.skipped_text(summed))
    return 0


def _saved(found: argparse.Namespace, summed: Survey, out: TextIO) -> int:
    saved_file.write(found.out, summed.baseline)
    if found.json:
        out.write(json.dumps({"out": str(found.out), **shown.totals(summed)}, indent=2) + "\n")
    else:
        out.write(f"{found.out}: {shown.summary(summed)}\n")
        sys.stderr.write(shown.skipped_text(summed))
    return 0


def _out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="where the baseline is saved")
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")
