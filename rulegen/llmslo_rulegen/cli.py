"""The command line of llmslo-rulegen: arguments in, exit code out; results to the given stream."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import TextIO

from llmslo_rulegen import slis

PROGRAM = "llmslo-rulegen"
BUG = 3  # argparse itself exits with 2 on wrong usage


def main(argv: Sequence[str], out: TextIO) -> int:
    """Run the command of `argv`; return 0, 2 (usage) or 3 (our bug)."""
    try:
        found = _parser().parse_args(argv)
        out.write(slis.as_json() if found.json else slis.as_text())
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception:  # noqa: BLE001 -- the last line of defence: a traceback and a code of its own
        traceback.print_exc()
        return BUG
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(PROGRAM, description="Turn what normal looks like into SLOs.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version('llmslo')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("slis", help="list the SLIs and the metrics they are made of")
    listing.add_argument("--json", action="store_true", help="as JSON, with bad and total events and bucket edges")
    return parser
