"""Other programs, run within a time: the only module that starts one."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from llmslo_rulegen.errors import ToolError


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, what it gave (as it came, and as text), and what it said beside that."""

    code: int
    output: bytes
    talk: str

    @property
    def text(self) -> str:
        """Its output as text."""
        return self.output.decode(errors="replace")


def call(command: list[str], limit_s: float, remedy: str) -> Ran:
    """Run `command`, whose first word is a path or a name; ToolError where it does not run or does not end."""
    try:
        found = subprocess.run(  # noqa: S603 -- words, no shell
            command, capture_output=True, timeout=limit_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command[:3])} did not end within {limit_s:g} s: look at what it was given, {command[-1]}"
        raise ToolError(msg) from error
    except OSError as error:
        msg = f"{command[0]} does not run: {error.strerror}; {remedy}"
        raise ToolError(msg) from error
    return Ran(found.returncode, found.stdout, found.stderr.decode(errors="replace"))
