"""A real pseudo-terminal: what is drawn on it, what ends it, and that it is given back."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from contextlib import contextmanager

import pytest

PATIENCE_S = 20.0
PROGRAM = """
import os, sys
from llmslo_exporter.terminal import drawn, size_of
with drawn(sys.stdout, sys.stdin) as screen:
    while True:
        size = size_of(sys.stdout)
        lines = [f"size {size.columns}x{size.rows}", *("row" for _ in range(size.rows + 5))]
        if not screen.show(lines) or not screen.waits(30.0):
            break
sys.stdout.write("given back\\n")
"""
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """The other side of a pseudo-terminal with a program on it."""

    def __init__(self, columns=80, rows=24, program=PROGRAM) -> None:
        self.pid, self.side = pty.fork()
        if not self.pid:
            os.execv(sys.executable, [sys.executable, "-c", program])  # noqa: S606
        self.seen = b""
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text):
        until_s = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < until_s, self.seen[-500:]
            if not self.read(0.1):
                break
        assert text in self.seen, self.seen[-500:]

    def read(self, timeout_s):
        if not select.select([self.side], [], [], timeout_s)[0]:
            return True
        try:
            block = os.read(self.side, 65536)
        except OSError:  # EIO: nobody is on the other side any more
            return False
        self.seen += block
        return bool(block)

    def press(self, keys):
        os.write(self.side, keys)

    def modes(self):
        return termios.tcgetattr(self.side)[3] & (termios.ECHO | termios.ICANON)

    def end(self):
        """Wait for the program's end and return its exit code."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < until_s, self.seen[-500:]
        while self.read(0.1) and select.select([self.side], [], [], 0.1)[0]:
            pass
        return os.waitstatus_to_exitcode(status)


@contextmanager
def terminal(**how):
    found = Terminal(**how)
    try:
        yield found
    finally:
        os.close(found.side)


@pytest.mark.parametrize("keys", [b"q", b"Q", b"\x03", b"\x04"])
def test_a_key_ends_it_and_the_terminal_is_as_before(keys):
    with terminal() as screen:
        before = screen.modes()
        screen.wait_for(b"size 80x24")
        assert screen.seen.index(ENTER) < screen.seen.index(b"size")
        assert screen.modes() != before
        screen.press(keys)
        assert screen.end() == 0
        assert screen.seen.endswith(b"given back\r\n")
        assert screen.seen.index(LEAVE) < screen.seen.index(b"given back")
        assert b"\x1b[?25h" in screen.seen
        assert b"\x1b[?7h" in screen.seen
        assert screen.modes() == before == termios.ECHO | termios.ICANON


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_and_the_terminal_is_as_before(number):
    with terminal() as screen:
        screen.wait_for(b"size 80x24")
        os.kill(screen.pid, number)
        assert screen.end() == 0
        assert LEAVE in screen.seen
        assert screen.modes() == termios.ECHO | termios.ICANON


def test_another_size_is_drawn_at_once_and_never_more_rows_than_there_are():
    with terminal() as screen:
        screen.wait_for(b"size 80x24")
        screen.resize(132, 10)
        screen.wait_for(b"size 132x10")
        assert screen.seen.rpartition(b"\x1b[H")[2].count(b"\r\n") == 9
        screen.resize(1, 1)
        screen.wait_for(b"size 20x3")
        screen.press(b"q")
        assert screen.end() == 0


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again():
    with terminal() as screen:
        screen.wait_for(b"size 80x24")
        os.kill(screen.pid, signal.SIGTSTP)
        screen.wait_for(LEAVE)
        _, status = os.waitpid(screen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert screen.modes() == termios.ECHO | termios.ICANON
        screen.seen = b""
        os.kill(screen.pid, signal.SIGCONT)
        screen.wait_for(b"size 80x24")
        assert screen.modes() == 0
        screen.press(b"q")
        assert screen.end() == 0


def test_a_terminal_that_goes_away_ends_it():
    screen = Terminal()
    screen.wait_for(b"size 80x24")
    os.close(screen.side)
    until_s = time.monotonic() + PATIENCE_S
    while True:
        pid, status = os.waitpid(screen.pid, os.WNOHANG)
        if pid:
            break
        assert time.monotonic() < until_s
        time.sleep(0.05)
    assert os.waitstatus_to_exitcode(status) in {0, 1, 120}  # Python cannot write its last words


def test_an_error_inside_gives_the_terminal_back():
    program = """
import sys
from llmslo_exporter.terminal import drawn
with drawn(sys.stdout, sys.stdin) as screen:
    screen.show(["here"])
    raise RuntimeError("ours")
"""
    with terminal(program=program) as screen:
        assert screen.end() == 1
        assert screen.seen.index(LEAVE) < screen.seen.index(b"RuntimeError: ours")
        assert screen.modes() == termios.ECHO | termios.ICANON
