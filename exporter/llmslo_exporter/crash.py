"""Tells of a bug of ours: where it was and of what kind, without the values that it met.

The text of an exception may quote what was being read (`invalid literal for int() with base 10: '...'`), and what is
read here are prompts and keys.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType

from llmslo_exporter.errors import ExporterError

HIDDEN = "its text is not shown: it may quote what was read"


def told(error: BaseException) -> str:
    """Return a traceback of `error` and of what caused it, in lines; only our own errors with their text."""
    return "".join(_lines(error, set()))


def install() -> None:
    """Tell what nobody catches in this way: of any thread, of callbacks, of destructors."""

    def uncaught(_kind: type[BaseException], error: BaseException, _where: TracebackType | None) -> None:
        sys.stderr.write(told(error))

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            sys.stderr.write(told(found.exc_value))

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        if found.exc_value is not None:
            sys.stderr.write(told(found.exc_value))

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def _lines(error: BaseException, told_before: set[int]) -> Iterator[str]:
    told_before.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in told_before:
        yield from _lines(cause, told_before)
        yield "\nwhile this was dealt with:\n\n"
    yield "Traceback (most recent call last):\n"
    # Not format_exception: it adds the texts, and notes. Source lines are ours.
    yield from traceback.format_tb(error.__traceback__)
    text = str(error) if isinstance(error, ExporterError) else HIDDEN
    yield f"{type(error).__name__}: {text}\n"
