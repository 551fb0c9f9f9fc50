"""One file, whole or not at all: it is written beside its place and then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from llmslo_rulegen.errors import OutputError

TEMPORARY = ".tmp"  # the ending of what has not its name yet
MOST_OF_NAME = 100  # with what is put around it, it still is a file name


def write_one(target: Path, text: str) -> None:
    """Write one file that a user named, whole or not at all; raise OutputError."""
    write_parts(target, [text.encode()])


def write_parts(target: Path, parts: Iterable[bytes]) -> None:
    """Write one file as its parts come, whole or not at all; raise OutputError."""
    if target.exists() and not target.is_file():  # renamed onto, a device would be gone
        msg = f"cannot write {target}, it is no file: give another --out"
        raise OutputError(msg)
    beside = target.with_name(f".{target.name[:MOST_OF_NAME]}.{os.urandom(6).hex()}{TEMPORARY}")
    try:
        with beside.open("xb") as file:
            file.writelines(parts)
        beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        msg = f"cannot write {target}, {error.strerror}: give another --out"
        raise OutputError(msg) from error


def create(path: Path, raw: bytes) -> None:
    """Write a new file; raise OSError."""
    with path.open("xb", buffering=0) as file:
        left = memoryview(raw)
        while left:
            left = left[file.write(left) :]
