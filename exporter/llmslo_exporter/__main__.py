"""`python -m llmslo_exporter` and the command llmslo-exporter."""

from __future__ import annotations

import sys

from llmslo_exporter import arguments, cli, crash
from llmslo_exporter.arguments import Invocation
from llmslo_exporter.options import Options
from llmslo_exporter.written import open_closed, written

# ruff: noqa: PLC0415 -- a command imports its own parts: those of the others are 2 MB that the daemon would hold


def serve(options: Options, asked: Invocation) -> int:
    """Run the daemon."""
    from llmslo_exporter import daemon

    return daemon.run(options, asked.source)


def once(options: Options, asked: Invocation) -> int:
    """Print one scrape."""
    from llmslo_exporter import once

    return once.run(options, asked.once_s)


def check(options: Options, asked: Invocation) -> int:
    """Say what the machine can do."""
    from llmslo_exporter import check

    return check.run(options, asked)


def top(options: Options, asked: Invocation) -> int:
    """Show the node's calls."""
    from llmslo_exporter import top

    return top.run(options, asked)


def schema(_options: Options, _asked: Invocation) -> int:
    """Print the JSON Schema of the settings file."""
    from llmslo_exporter import configuration

    written(sys.stdout, configuration.schema())
    return 0


COMMANDS: dict[str, cli.Command] = {
    "": serve,
    arguments.ONCE: once,
    arguments.CHECK: check,
    arguments.TOP: top,
    arguments.SCHEMA: schema,
}


def main() -> None:
    """Run the command and exit."""
    open_closed()
    crash.install()
    sys.exit(cli.main(sys.argv[1:], COMMANDS))


if __name__ == "__main__":
    main()
