"""The command `derive`: an SLO file from a baseline, a report, or what to change in a file that there is."""

from __future__ import annotations

import argparse
import codecs
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from llmslo_rulegen import measures, names, placing, reading
from llmslo_rulegen.baseline import inputs, shown
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.derive import document, interval, proposal, reach, records, report, review, update
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.derive.proposal import Proposal, Wish
from llmslo_rulegen.errors import InputError, RulegenError
from llmslo_rulegen.finding import has_errors
from llmslo_rulegen.located import Map
from llmslo_rulegen.reading import Read
from llmslo_rulegen.spec import VERSION

_MOST_HELD = 0.5


class OptionsError(RulegenError):
    """The options do not go together, or name what cannot be used."""


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
    parser.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help="propose changes to this SLO file, as a diff: objectives that break or are too loose, and what it lacks",
    )
    parser.add_argument("--write", action="store_true", help="with --update: change the file")
    parser.add_argument("--json", action="store_true", help="say as JSON what is proposed")


def run(found: argparse.Namespace, out: TextIO) -> int:
    """Run the command; return its exit code."""
    _expect_sense(found)
    summed = inputs.read(found)
    sys.stderr.write(shown.skipped_text(summed))
    baseline, left_out = reach.reached(summed.baseline)
    if left_out:
        days = reach.MOST_HOURS // interval.DAY_H
        sys.stderr.write(f"left out {left_out} calls outside of the {days} days that hold the most\n")
    proposed = proposal.proposals(baseline, Wish(found.hold_out, found.cross_source))
    if found.report is not None:
        made = report.html if found.report.suffix == report.HTML else report.markdown
        placing.write_one(found.report, made(proposed))
    if found.update is not None:
        return _update(found, baseline, proposed, out)
    text = document.text(proposed)
    for one in proposed:
        sys.stderr.write(f"{_told(one)}\n")
    if not text:
        raise NothingToPromiseError(_nothing(proposed))
    if found.out is not None:
        placing.write_one(found.out, text)
    if found.json:
        _write_json(out, {"slos": records.records(proposed)})
    elif found.out is None:
        out.write(text)
    return 0


def _expect_sense(found: argparse.Namespace) -> None:
    if found.write and found.update is None:
        msg = "--write is for --update: give the SLO file to change"
        raise OptionsError(msg)
    if found.update is not None and found.out is not None:
        msg = "--out is for a new file: leave it out, --update FILE --write changes the file itself"
        raise OptionsError(msg)


def _update(found: argparse.Namespace, baseline: Baseline, proposed: Sequence[Proposal], out: TextIO) -> int:
    raw, read = _read(found.update)
    reviews = tuple(review.reviews(read.slos, baseline))
    new = update.updated(raw, str(found.update), reviews, proposed)
    for one in reviews:
        sys.stderr.write(f"{one.slo.service}/{one.slo.name}: {one.verdict.value}: {document.shown(one.says)}\n")
    for name in new.added:
        sys.stderr.write(f"{document.shown(name)}: lacking: no SLO of the file is about these calls\n")
    difference = update.diff(raw, new.text, found.update.name)
    if found.write and new.text != raw:
        placing.write_one(found.update, new.text)
    if found.json:
        reviewed = [records.review(one) for one in reviews]
        _write_json(out, {"reviews": reviewed, "added": list(new.added), "diff": difference})
    else:
        out.write(difference)
    return 0


def _read(path: Path) -> tuple[str, Read]:
    """Return an SLO file of our own format; raises RulegenError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}, {error.strerror}: give an SLO file"
        raise OptionsError(msg) from error
    found = reading.read({str(path): raw})
    if has_errors(found.findings):
        raise InputError(found.findings)
    if any(not isinstance(one.value, Map) or one.value.get("version") != VERSION for one in found.documents):
        msg = f"{path} has documents of another format than {VERSION}: `llmslo-rulegen convert --to llmslo` first"
        raise OptionsError(msg)
    if raw.startswith(codecs.BOM_UTF8) or b"\r" in raw:
        msg = f"{path} has a byte order mark or line ends of Windows, of which a diff is no use: save it without"
        raise OptionsError(msg)
    return raw.decode(), found


def _write_json(out: TextIO, data: Mapping[str, object]) -> None:
    out.write(json.dumps(data, indent=2) + "\n")


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
    return f"nothing can be promised from this baseline: {most.why}"


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
