"""Results to standard output, whoever reads there: `| head` that has had enough is no error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from llmslo_exporter.errors import SetupError


def open_closed() -> None:
    """Give standard streams that are closed /dev/null, before another file gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def written(out: TextIO, text: str) -> bool:
    """Write all of `text` now, what the encoding lacks as `?`; return False when nobody reads any more.

    Raises SetupError where it cannot be written: a full disk.
    """
    encoding = out.encoding or "utf-8"
    try:
        out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()
    except BrokenPipeError:
        _let_go(out)
        return False
    except OSError as error:
        _let_go(out)
        msg = f"cannot write to standard output: {error.strerror}, needed a file or pipe that takes it"
        raise SetupError(msg) from error
    return True


def _let_go(out: TextIO) -> None:
    """Let what is left in the buffer not raise again when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), out.fileno())
