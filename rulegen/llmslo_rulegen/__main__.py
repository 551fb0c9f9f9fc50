"""`python -m llmslo_rulegen` and the command llmslo-rulegen."""

from __future__ import annotations

import sys

from llmslo_rulegen import cli


def main() -> None:
    """Run the command and exit."""
    sys.exit(cli.main(sys.argv[1:], sys.stdout))


if __name__ == "__main__":
    main()
