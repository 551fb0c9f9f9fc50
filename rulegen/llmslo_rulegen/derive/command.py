"""The command `derive`: an SLO file from a baseline, a report, or what to change in a file that there is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from llmslo_rulegen import measures, names, placing
from llmslo_rulegen.baseline import inputs, shown
from llmslo_rulegen.derive import document, promise, proposal, records, report
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.derive.proposal import Proposal, Wish
from llmslo_rulegen.errors import RulegenError

_MOST_HELD = 0.5


class NothingToPromiseError(RulegenError):
    """No SLI of the baseline can be promised."""


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    inputs.add_inputs(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the SLO file goes (default: standard output)")
    parser.add_argument(
        "--report", type=_report, metavar="FILE", help="why, with plots: a page (.html), or Markdown (.md)"
    )
    parser.add_argument(
        "--hold-out",
        type=_share,
        default=0.0,
        metavar="20%",
        help="derive from the earlier part of the time and check on the last so much of it",
    )
    parser.add_argument(
        "--cross-source",
        choices=measures.SOURCES,
        metavar="NAME",
        help="promise of another source's metrics (`llmslo-rulegen slis`) than measured; with a warning",
    )
    parser.add_argument("--json", action="store_true", help="say as JSON what is proposed")


def run(found: argparse.Namespace, out: TextIO) -> int:
    """Run the command; return its exit code."""
    summed = inputs.read(found)
    sys.stderr.write(shown.skipped_text(summed))
    proposed = proposal.proposals(summed.baseline, Wish(found.hold_out, found.cross_source))
    text = document.text(proposed)
    if found.report is not None:
        made = report.html if found.report.suffix == report.HTML else report.markdown
        placing.write_one(found.report, made(proposed))
    for one in proposed:
        sys.stderr.write(f"{_told(one)}\n")
    if not text:
        raise NothingToPromiseError(_nothing(proposed))
    if found.out is not None:
        placing.write_one(found.out, text)
    if found.json:
        out.write(json.dumps({"slos": records.records(proposed)}, indent=2, ensure_ascii=True) + "\n")
    elif found.out is None:
        out.write(text)
    return 0


def _told(one: Proposal) -> str:
    about = document.shown(f"{one.service}/{one.name}")
    made = one.outcome
    if isinstance(made, Refusal):
        return f"{about}: refused: {made.why}"
    marks = [word for word, is_so in (("provisional", made.provisional), ("the law changed", made.changes)) if is_so]
    if one.checked is not None and not one.checked.holds:
        marks.append("broken in the time held out")
    if one.source != one.seen:
        marks.append(f"measured by {one.seen}, promised of {one.source}")
    return f"{about}: {made.objective} %" + (f" ({'; '.join(marks)})" if marks else "")


def _nothing(proposed: Sequence[Proposal]) -> str:
    if not proposed:
        return "no source of these calls has an SLI that they tell: `llmslo-rulegen slis` lists them"
    most = max((one.outcome for one in proposed if not isinstance(one.outcome, Promise)), key=lambda one: one.events)
    return f"nothing can be promised from this baseline: {most.why} (at least {promise.FEWEST_EVENTS} events of an SLI)"


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix not in {report.HTML, report.MARKDOWN}:
        msg = f"{text[:80]!r} has no ending that tells a format: name it .html or .md"
        raise argparse.ArgumentTypeError(msg)
    return path


def _share(text: str) -> float:
    """Return a share from `20%` or `0.2`."""
    number = text.removesuffix("%").strip()
    try:
        found = float(number) / (100 if text.endswith("%") else 1) if names.WORD.fullmatch(number) else -1.0
    except ValueError:
        found = -1.0
    if not 0 < found <= _MOST_HELD:
        msg = f"{text[:20]!r} is no share to hold out: write one up to {_MOST_HELD:.0%}, such as 20%"
        raise argparse.ArgumentTypeError(msg)
    return found
