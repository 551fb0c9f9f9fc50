"""`python -m llmslo_exporter` and the command llmslo-exporter."""

from __future__ import annotations

import sys

from llmslo_exporter import cli, crash, daemon


def main() -> None:
    """Run the command and exit."""
    crash.install()
    sys.exit(cli.main(sys.argv[1:], daemon.run))


if __name__ == "__main__":
    main()
