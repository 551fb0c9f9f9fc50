"""`python -m llmslo_exporter` and the command llmslo-exporter."""

from __future__ import annotations

import sys

from llmslo_exporter import arguments, check, cli, crash, daemon, once, top
from llmslo_exporter.written import written

COMMANDS: dict[str, cli.Command] = {
    "": lambda options, asked: daemon.run(options, asked.source),
    arguments.SCHEMA: lambda _options, _asked: schema(),
    arguments.CHECK: check.run,
    arguments.TOP: top.run,
    arguments.ONCE: lambda options, asked: once.run(options, asked.once_s),
}


def schema() -> int:
    """Print the JSON Schema of the settings file."""
    from llmslo_exporter.configuration import schema as text  # noqa: PLC0415 -- pydantic: the daemon may do without

    written(sys.stdout, text())
    return 0


def main() -> None:
    """Run the command and exit."""
    crash.install()
    sys.exit(cli.main(sys.argv[1:], COMMANDS))


if __name__ == "__main__":
    main()
