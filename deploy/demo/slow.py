"""A fault of one process: it gets a share of its time, and is frozen for the rest."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RUN_S = 0.02  # a turn; the pauses between turns make the share


@contextmanager
def slowed(pid: int, times: float) -> Iterator[None]:
    """Make `pid` about `times` slower until the block ends, whatever ends it."""
    over = threading.Event()

    def freeze() -> None:
        try:
            while not over.wait(RUN_S):
                os.kill(pid, signal.SIGSTOP)
                over.wait(RUN_S * (times - 1))
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return

    thread = threading.Thread(target=freeze, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
