"""How far reading has come, for whoever watches a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from llmslo_rulegen.finding import printable

_EACH_S = 0.2
_MOST_NAME = 50
_ERASE = "\r\x1b[K"
_MB = 1_000_000


class Progress:
    """A line on standard error that is written over; where that is no terminal, nothing."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._is_written = False
        self._next_s = time.monotonic() + _EACH_S

    def __call__(self, name: str, count: int) -> None:
        """Say how many bytes of a file were read."""
        if not self._is_shown or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _EACH_S
        self._is_written = True
        sys.stderr.write(f"{_ERASE}{printable(name[-_MOST_NAME:])}: {count / _MB:.0f} MB")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._is_written:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
