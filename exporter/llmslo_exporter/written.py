"""Results to standard output, whoever reads there: `| head` that has had enough is no error."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


def written(out: TextIO, text: str) -> bool:
    """Write all of `text` now, what the encoding lacks as `?`; return False when nobody reads any more."""
    encoding = out.encoding or "utf-8"
    try:
        out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()
    except BrokenPipeError:
        # What is left in the buffer must not raise again when Python ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), out.fileno())
        return False
    return True
