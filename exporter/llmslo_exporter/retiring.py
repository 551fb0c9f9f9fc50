"""Probes on their way out, removed in the background: the kernel waits 0.1 s for each until no processor runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue

THREADS = 16  # most of the wait is the kernel's: so many go side by side


class Retiring:
    """A queue and the threads that empty it; they are started with the first probe."""

    def __init__(self, detach: Callable[[object], None]) -> None:
        self._detach = detach
        self._waiting: SimpleQueue[object] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return self._waiting.qsize()

    def add(self, links: Iterable[object]) -> None:
        """Remove these, soon."""
        for link in links:
            self._waiting.put(link)
            if len(self._threads) < THREADS:
                self._threads.append(threading.Thread(target=self._work, name="detach", daemon=True))
                self._threads[-1].start()

    def close(self) -> None:
        """Begin nothing more; what waits the loader removes at its own end."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        for _ in self._threads:
            self._waiting.put(None)

    def _work(self) -> None:
        while (link := self._waiting.get()) is not None:
            self._detach(link)
