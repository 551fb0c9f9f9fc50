"""A terminal that is drawn on and given back as it was: screen, cursor, echo and line editing."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from llmslo_exporter.signals import ENDING, arrived, deferred

# The other screen, no cursor, no wrapping: a character wider than we think must not break the table.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_SMALLEST = 20, 3
_DEFAULT = 80, 24
_LOOK_S = 0.2  # how soon a key, a signal or another size is noticed
_SIGNALS = (*ENDING, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
_QUIT = b"qQ\x03\x04"


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and rows."""

    columns: int
    rows: int


def size_of(out: TextIO) -> Size:
    """Return the size of the terminal behind `out`; 80 by 24 where it does not say."""
    try:
        columns, rows = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return Size(max(columns or _DEFAULT[0], _SMALLEST[0]), max(rows or _DEFAULT[1], _SMALLEST[1]))


def is_drawable(out: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether `out` is a terminal that takes more than lines."""
    return out.isatty() and environment.get("TERM", "dumb") not in {"", "dumb", "unknown"}


def is_coloured(environment: Mapping[str, str]) -> bool:
    """Tell whether colours are wanted (no-color.org)."""
    return not environment.get("NO_COLOR")


class Screen:
    """The drawn terminal, within `drawn`."""

    def __init__(self, out: TextIO, keys: int | None) -> None:
        self._out = out
        self._keys = keys
        self._size = size_of(out)
        self._modes = termios.tcgetattr(keys) if keys is not None else None

    def enter(self) -> None:
        """Take the terminal."""
        if self._keys is not None:
            with suppress(termios.error):
                tty.setcbreak(self._keys)
        self._write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back."""
        with suppress(OSError, ValueError):
            self._write(_LEAVE)
        if self._keys is not None and self._modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._modes)

    def show(self, lines: Sequence[str]) -> bool:
        """Draw `lines` over what was there, as many as there are rows; return False when the terminal is gone."""
        self._size = size_of(self._out)
        shown = "\r\n".join(f"{line}{_TO_LINE_END}" for line in lines[: self._size.rows])
        try:
            self._write(f"{_HOME}{shown}{_TO_END}")
        except OSError:
            return False
        return True

    def waits(self, timeout_s: float) -> bool:
        """Wait, at most so long, for a reason to draw again; return False when it is to end."""
        while timeout_s > 0:
            pause_s = min(timeout_s, _LOOK_S)
            timeout_s -= pause_s
            if not self._listens(pause_s):
                return False
            if size_of(self._out) != self._size:
                return True
        return True

    def _listens(self, pause_s: float) -> bool:
        keys = [] if self._keys is None else [self._keys]
        if select.select(keys, [], [], pause_s)[0]:
            try:
                pressed = os.read(keys[0], 64)
            except OSError:  # hung up
                return False
            if not pressed or set(pressed) & set(_QUIT):
                return False
        number = arrived(_SIGNALS, 0.0)
        if number is signal.SIGTSTP:
            self.leave()
            os.kill(os.getpid(), signal.SIGSTOP)
            self.enter()
            self._size = Size(0, 0)  # whatever is there now, it is not our table
            return True
        return number is None

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


@contextmanager
def drawn(out: TextIO, keys: TextIO) -> Iterator[Screen]:
    """Take the terminal for the length of a block and give it back however that ends."""
    screen = Screen(out, keys.fileno() if keys.isatty() else None)
    with deferred(_SIGNALS):
        screen.enter()
        try:
            yield screen
        finally:
            screen.leave()
