"""Signals that wait until they are asked for: none interrupts a load, a reload or an attach half-way."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP


@contextmanager
def deferred(numbers: Collection[signal.Signals]) -> Iterator[None]:
    """Hold the signals back for the length of a block, in this thread and in those it starts.

    No handler runs: a handler that sets a `threading.Event` may find its lock held by the code it interrupted.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        while arrived(numbers, 0.0):  # what came during the end has its wish; else it would kill us now
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def arrived(numbers: Collection[signal.Signals], timeout_s: float) -> signal.Signals | None:
    """Return the next of the deferred signals; None when none came within `timeout_s` seconds.

    A signal that comes twice before it is asked for is one; one that comes after it was returned is another.
    """
    found = signal.sigtimedwait(numbers, timeout_s)
    return None if found is None else signal.Signals(found.si_signo)
