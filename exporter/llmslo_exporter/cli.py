"""The command line of llmslo-exporter: a command and its options in, an exit code out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

from llmslo_exporter import crash, logs
from llmslo_exporter.arguments import PROGRAM, Invocation, parse
from llmslo_exporter.errors import ConfigurationError, ExporterError
from llmslo_exporter.options import Options
from llmslo_exporter.written import written

USER, BUG, INTERRUPTED = 1, 3, 130  # argparse itself exits with 2 on wrong usage

Command = Callable[[Options, Invocation], int]


def main(argv: Sequence[str], commands: Mapping[str, Command]) -> int:
    """Run what `argv` asks for; return its code, or 1 (the user must act), 2 (usage), 3 (our bug), 130 (Ctrl-C).

    `commands` are by name; the empty one is the daemon.
    """
    try:
        asked = _asked(argv)
        if isinstance(asked, int):
            return asked
        options = asked.source.read()
        logs.configure(options.log_level, options.log_format, sys.stderr)
        return commands[asked.command](options, asked)
    except ConfigurationError as error:
        for problem in error.problems:
            _complain(problem)
        return USER
    except ExporterError as error:
        _complain(str(error))
        return USER
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the last line of defence: a traceback and a code of its own
        sys.stderr.write(crash.told(error))
        return BUG


def _asked(argv: Sequence[str]) -> Invocation | int:
    """Return what `argv` asks for, or the code where argparse has said all: help, the version, wrong usage."""
    said = StringIO()
    try:
        with redirect_stdout(said):
            return parse(argv)
    except SystemExit as stop:
        written(sys.stdout, said.getvalue())
        return stop.code if isinstance(stop.code, int) else 0


def _complain(text: str) -> None:
    sys.stderr.write(f"{PROGRAM}: {' '.join(text.split())}\n")
