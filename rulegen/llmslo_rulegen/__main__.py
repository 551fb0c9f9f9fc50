"""`python -m llmslo_rulegen` and the command llmslo-rulegen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from llmslo_rulegen import cli


def main() -> None:
    """Run the command and exit."""
    # Python has None for a stream that is closed.
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- until the process ends
    if sys.stdout is None:
        sys.stderr.write(f"{cli.PROGRAM}: standard output is closed: give it a file, or /dev/null\n")
        sys.exit(cli.WRONG)
    code = cli.main(sys.argv[1:], sys.stdout)
    try:
        sys.stdout.flush()
    except OSError:
        # What cannot be written was said; at its end Python would try again, and exit with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
