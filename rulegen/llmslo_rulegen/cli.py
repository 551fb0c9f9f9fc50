"""The command line of llmslo-rulegen: arguments in, an exit code out; results to the given stream, talk to stderr."""

from __future__ import annotations

import argparse
import json
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TextIO

from llmslo_rulegen import slis
from llmslo_rulegen.errors import InputError, RulegenError
from llmslo_rulegen.slo import Window
from llmslo_rulegen.target import ABORT, CONVERSIONS, PLAIN, WARN, Target
from llmslo_rulegen.target import FORMATS as RULES

PROGRAM = "llmslo-rulegen"
# RFC 1123, as Kubernetes reads it.
_MOST_NAME = 63
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(
    r"(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*/)?"
    r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
ENDINGS = (".yaml", ".yml")
DEFAULT_FILE = "slo.yaml"
FORMATS = ("text", "github", "gitlab", "sarif", "junit")  # `reports` has them; a start need not load it
_RULES = "another rule file of the same Prometheus, for duplicates (may be given again)"
_EVIDENCE = ("rules", "alertmanager", "prometheus", "retention_s", "events_per_hour")
_TWO = 2
WRONG, USAGE, BUG, INTERRUPTED = 1, 2, 3, 130  # argparse itself exits with 2 on wrong usage


def main(argv: Sequence[str], out: TextIO) -> int:
    """Run the command of `argv`; return 0, 1 (the user's input, or drift), 2 (usage), 3 (our bug) or its own code."""
    found = argparse.Namespace(json=False)
    try:
        parser = _parser(argv[0] if argv else "")
        parser.parse_args(argv, found)
        if found.command == "diff" and found.rev is None and found.out is None and len(found.files) != _TWO:
            parser.error(f"diff compares two files, found {len(found.files)}: give OLD NEW, --rev or --out")
        code = _run(found, out)
        out.flush()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except InputError as error:
        _refuse(error, out, as_json=found.json)
        code = WRONG
    except RulegenError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        code = WRONG
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = WRONG  # whoever reads has seen enough
    except OSError as error:
        # Of the machine, not of ours: a full disk behind `>`, a file that may not be read.
        where = error.filename or "standard output"
        sys.stderr.write(f"{PROGRAM}: {where}: {error.strerror}: make room for it, or see who may read and write it\n")
        code = WRONG
    except Exception:  # noqa: BLE001 -- the last line of defence: a traceback and a code of its own
        traceback.print_exc()
        code = BUG
    return code


def _run(found: argparse.Namespace, out: TextIO) -> int:
    # Imports stand here: listing SLIs must not pay for what rendering needs.
    if found.command == "slis":
        out.write(slis.as_json() if found.json else slis.as_text())
        return 0
    if found.command == "init":
        from llmslo_rulegen import starter  # noqa: PLC0415

        out.write(starter.TEXT)
        return 0
    if found.command == "schema":
        from llmslo_rulegen import schema  # noqa: PLC0415

        out.write(schema.text())
        return 0
    if found.command == "diff":
        return _diff(found, out)
    if found.command in _OF_TRACES:
        return int(_of_traces(found.command).run(found, out))
    from llmslo_rulegen import commands, evidence  # noqa: PLC0415

    run = {
        "render": commands.render,
        "check": commands.check,
        "test": commands.test,
        "explain": commands.tell,
        "convert": commands.convert,
        "compare": commands.compare,
        "backfill": commands.backfill,
    }
    given = {key: value for key, value in vars(found).items() if key != "command"}
    given["files"] = tuple(given.get("files", ()))
    given["target"] = Target(
        given.pop("rules_format", PLAIN),
        given.pop("namespace", None),
        tuple(sorted(given.pop("labels", ()))),
        given.pop("partial_response", ABORT),
    )
    if found.command == "explain":
        files = [name for name in found.names if name.endswith(ENDINGS)]
        given["names"] = tuple(name for name in found.names if name not in files)
        given["files"] = tuple(map(Path, files or [DEFAULT_FILE]))
    if found.command == "check":
        given["rules"] = tuple(given["rules"])
        given["given"] = evidence.Given(**{name: given.pop(name) for name in _EVIDENCE})
    return run[found.command](commands.Request(**given), out)


def _diff(found: argparse.Namespace, out: TextIO) -> int:
    from llmslo_rulegen import change_texts, changes, comparing, outline  # noqa: PLC0415

    ways = comparing.Ways(found.snap, outline.More(found.sloth, found.pyrra), found.sloth_period)
    if found.out is not None:
        sides = comparing.of_rendered(found.out, tuple(map(Path, found.files)), ways)
    elif found.rev is not None:
        sides = comparing.of_revisions(found.rev, tuple(map(Path, found.files)), ways)
    else:
        before, after = found.files
        sides = comparing.of_two(before, after, ways)
    changed = changes.changes(sides.before, sides.after)
    told = change_texts.markdown if found.format == "markdown" else change_texts.text
    out.write(change_texts.as_json(changed) if found.json else told(changed))
    return WRONG if changed and found.exit_code else 0


def _refuse(error: InputError, out: TextIO, *, as_json: bool) -> None:
    if as_json:
        out.write(json.dumps({"findings": [finding.as_record() for finding in error.findings]}, indent=2) + "\n")
    else:
        sys.stderr.write(f"{error}\n")


def _of_traces(command: str) -> ModuleType:
    """Return what fills in and runs a command that reads traces; raises RulegenError where its packages are missing."""
    try:
        return import_module(f"llmslo_rulegen.{command}.command")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("llmslo"):
            raise
        msg = f"{command} needs the package {error.name}, which is not installed: pip install 'llmslo[traces]'"
        raise RulegenError(msg) from error


def _parser(asked: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM, description="Turn SLOs into Prometheus rules, alerts and tests.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version('llmslo')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, fill) in _COMMANDS.items():
        # argparse asks each parser anew whether `--no-test` may stand for `--no-tests`.
        fill(commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False))
    for name, text in _OF_TRACES.items():
        below = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        if name == asked:  # what reads spans takes a while to load
            _of_traces(name).fill(below)
    return parser


def _nothing(parser: argparse.ArgumentParser) -> None:
    """Take no argument."""


def _slis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="as JSON, with bad or good and total events and bucket edges"
    )


def _render(parser: argparse.ArgumentParser) -> None:
    _files(parser)
    parser.add_argument("--out", type=_path, metavar="DIR", required=True, help="folder for the files")
    _choices(parser)
    parser.add_argument("--prune", action="store_true", help="remove our files of SLOs that are gone")
    parser.add_argument(
        "--format",
        dest="rules_format",
        choices=RULES,
        default=PLAIN,
        help="who reads the rules (default: Prometheus)",
    )
    _target(parser)


def _target(parser: argparse.ArgumentParser) -> None:
    """What only some formats have."""
    parser.add_argument("--namespace", type=_namespace, metavar="NAME", help="namespace of Kubernetes, or of Mimir")
    parser.add_argument(
        "--label",
        dest="labels",
        type=_label,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="label of the Kubernetes objects, as an operator selects them; may be given again",
    )
    parser.add_argument(
        "--partial-response",
        choices=(ABORT, WARN),
        default=ABORT,
        help="what Thanos' ruler does while a store is missing (default: abort, so that no event goes uncounted)",
    )


def _path(text: str) -> Path:
    """Return a path; an empty one, as of a variable that is not set, would be this folder."""
    if not text:
        msg = "is empty: give a path, `.` for this folder"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def _namespace(text: str) -> str:
    if len(text) > _MOST_NAME or not _NAME.fullmatch(text):
        msg = f"{text[:80]!r} cannot be a namespace: it needs lower case letters, digits and -, at most {_MOST_NAME}"
        raise argparse.ArgumentTypeError(msg)
    return text


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        msg = f"{text[:80]!r} is no label of Kubernetes: write KEY=VALUE, such as role=alert-rules"
        raise argparse.ArgumentTypeError(msg)
    return key, value


def _check(parser: argparse.ArgumentParser) -> None:
    _files(parser)
    parser.add_argument("--out", type=_path, metavar="DIR", help="compare with what was rendered there")
    parser.add_argument("--no-tests", dest="tests", action="store_false", help="without promtool test files")
    _variants(parser)
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings too")
    parser.add_argument(
        "--rendered",
        dest="rules_format",
        choices=RULES,
        default=PLAIN,
        help="the --format that render got, for the comparison with --out",
    )
    _target(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="how findings are told (default: text)")
    form.add_argument("--json", action="store_true", help="findings as JSON")
    about = parser.add_argument_group("what SLOs are judged by beside their files (docs/lints.md)")
    about.add_argument("--rules", type=Path, action="append", default=[], metavar="FILE", help=_RULES)
    about.add_argument(
        "--alertmanager", type=Path, metavar="FILE", help="your alertmanager.yml: does it route the alerts"
    )
    about.add_argument("--prometheus", metavar="URL", help="a Prometheus that is asked for series, buckets and traffic")
    about.add_argument(
        "--retention", type=_length, dest="retention_s", metavar="TIME", help="how long data is kept: 40d"
    )
    about.add_argument("--events-per-hour", type=_count, metavar="N", help="the traffic of each SLO")


def _length(text: str) -> float:
    """Return seconds of a duration such as 40d."""
    from llmslo_rulegen import durations  # noqa: PLC0415 -- as above

    seconds = durations.parse(text)
    if not seconds:
        msg = f"{text[:60]!r} is no duration: write one such as 40d"
        raise argparse.ArgumentTypeError(msg)
    return float(seconds)


def _count(text: str) -> float:
    """Return a number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        msg = f"{text[:60]!r} is no number of events: write one above 0, such as 120"
        raise argparse.ArgumentTypeError(msg)
    return found


def _test(parser: argparse.ArgumentParser) -> None:
    _files(parser)
    parser.add_argument(
        "--out", type=_path, metavar="DIR", help="run the tests that stand there (default: as rendered now)"
    )
    _variants(parser)
    parser.add_argument("--json", action="store_true", help="say as JSON which passed, failed and were skipped")


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="OLD NEW: a path or REVISION:path; else SLO files")
    against = parser.add_mutually_exclusive_group()
    against.add_argument("--rev", metavar="A..B", help="compare two revisions of the files, or A with what stands here")
    against.add_argument("--out", type=_path, metavar="DIR", help="compare what was rendered there with the files")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=("text", "markdown"), default="text", help="markdown: a review comment")
    form.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 where something changed")
    _period(parser)
    _variants(parser)


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="SLO", help="name of an SLO (none: all), or an SLO file")
    _period(parser)
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sloth", dest="old", type=Path, metavar="OLD", required=True, help="rule file that Sloth made"
    )
    _files(parser)
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _backfill(parser: argparse.ArgumentParser) -> None:
    _files(parser)
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge")


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILES", help="SLO files: llmslo/v1, OpenSLO, Sloth or Pyrra"
    )
    _period(parser)


def _period(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sloth-period", type=_days, metavar="30d", help="window of Sloth's SLOs, as its --default-slo-period"
    )


def _days(text: str) -> Window:
    from llmslo_rulegen import fields  # noqa: PLC0415 -- few name a window here

    try:
        found = fields.window(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if found.calendar is not None:
        msg = f"{text} is a calendar window, Sloth has days only: write them as 28d"
        raise argparse.ArgumentTypeError(msg)
    return found


def _convert(parser: argparse.ArgumentParser) -> None:
    _files(parser)
    parser.add_argument("--to", required=True, choices=CONVERSIONS, help="format to write")
    parser.add_argument("--out", type=_path, metavar="FILE", help="write it there (default: to standard output)")
    parser.add_argument("--lossy", action="store_true", help="leave out what the format cannot hold, and list it")
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge")
    parser.add_argument("--json", action="store_true", help="document, losses and flags as JSON")


def _choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-tests", dest="tests", action="store_false", help="without promtool test files")
    _variants(parser)
    parser.add_argument("--json", action="store_true", help="say as JSON what was done or found")


def _variants(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snap", action="store_true", help="move thresholds to the nearest bucket edge, and say so")
    parser.add_argument("--pyrra", action="store_true", help="with Pyrra's generic records, for its Grafana pages")
    parser.add_argument(
        "--no-sloth-compat", dest="sloth", action="store_false", help="without Sloth's records and labels"
    )


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "init": ("print an SLO file to begin with", _nothing),
    "render": ("write rules, tests, Alertmanager routes and runbooks", _render),
    "check": ("say what is wrong: files, expressions, promtool, drift of what was rendered", _check),
    "test": ("run the tests of every SLO with promtool", _test),
    "explain": ("say an SLO's numbers in words", _explain),
    "convert": ("write SLOs in another format: ours, OpenSLO's, Sloth's or Pyrra's", _convert),
    "compare": ("say what changes for those who had Sloth's rules", _compare),
    "diff": ("say what a change of SLO files means: budgets, detection times, cost", _diff_arguments),
    "backfill": ("print rules for promtool that count what Prometheus has already", _backfill),
    "schema": ("print the JSON Schema of SLO files", _nothing),
    "slis": ("list the SLIs of each source and the metrics they are made of", _slis),
}
_OF_TRACES = {
    "baseline": "sum up traces, ClickHouse or Prometheus as what is normal; save, merge and show it",
    "derive": "propose SLOs that a baseline holds, with reasons and a report",
    "backtest": "replay history through the rules: the pages that there would have been",
    "verify": "hold traces against SLOs, and SLOs against faults put into the traces",
}
