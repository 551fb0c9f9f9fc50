from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from llmslo_exporter import cli, crash, logs
from llmslo_exporter.errors import SetupError

SECRET = "canary-8c1d"


def fail():
    int(SECRET)


def raised(work):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        work()
    return caught.value


def nested():
    try:
        fail()
    except ValueError as error:
        raise KeyError(SECRET) from error


@pytest.mark.parametrize("work", [fail, nested])
def test_a_bug_is_told_with_its_place_and_without_its_values(work):
    text = crash.told(raised(work))
    assert SECRET not in text
    assert "in fail" in text
    assert "ValueError: its text is not shown" in text
    assert text.startswith("Traceback")


def test_our_own_errors_keep_their_text():
    def refuse():
        msg = "port 9469 is taken"
        raise SetupError(msg)

    assert crash.told(raised(refuse)).endswith("SetupError: port 9469 is taken\n")


def test_errors_that_cause_each_other_end():
    one, two = ValueError(SECRET), KeyError(SECRET)
    one.__context__, two.__context__ = two, one
    assert crash.told(one).count("Traceback") == 2


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_logged_exceptions_too(log_format):
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    try:
        logs.configure("debug", log_format, stream)
        try:
            fail()
        except ValueError:
            logging.getLogger("x").exception("request failed")
    finally:
        root.handlers[:], root.level = before
    assert SECRET not in stream.getvalue()
    assert "in fail" in stream.getvalue()


@pytest.mark.parametrize(
    "where",
    [
        "fail()",
        "threading.Thread(target=fail).start()",
        "ctypes.CFUNCTYPE(None)(fail)()",
        "type('Odd', (), {'__del__': lambda self: fail()})()",
    ],
)
def test_what_nobody_catches_is_told_so(where):
    program = f"""
import ctypes, sys, threading
from llmslo_exporter import crash
crash.install()
def fail():
    int(chr(99) + "anary-8c1d")
{where}
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert SECRET not in found.stderr
    assert "ValueError: its text is not shown" in found.stderr


def test_the_command_tells_of_a_bug_so(capsys):
    handlers = logging.getLogger().handlers[:]
    try:
        assert cli.main([], {"": lambda _options, _asked: fail()}) == 3
    finally:
        logging.getLogger().handlers[:] = handlers
    said = capsys.readouterr().err
    assert SECRET not in said
    assert "in fail" in said
