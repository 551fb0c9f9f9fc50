"""The settings as they are now: the file, read anew each time and within bounds, and over it the command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmslo_exporter.errors import ConfigurationError
from llmslo_exporter.options import Options

MAX_BYTES = 1 << 20  # 10 000 providers are 0.4 MB
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where options come from: `file` (None: nowhere), then `override` by the command line."""

    file: Path | None
    override: Callable[[Options], Options]

    def read(self) -> Options:
        """Return the options as they are written now; raise ConfigurationError with every problem and its place.

        The path is followed at each call, so that a file that was replaced, or a symbolic link that was turned, is
        the new one.
        """
        if self.file is None:
            return self.override(Options())
        # pydantic takes 8 MB and 40 ms of the start: only who has a file pays.
        from llmslo_exporter.configuration import parse  # noqa: PLC0415

        return self.override(parse(bounded(self.file), str(self.file)))


def bounded(path: Path) -> bytes:
    """Return the bytes of a regular file of at most MAX_BYTES; raise ConfigurationError for anything else."""
    try:
        # O_NONBLOCK: the open of a pipe that nobody writes to would not return.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _refused(path, f"{getattr(error, 'strerror', None) or error}, needed a file that can be read") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
            raise _refused(path, f"found {kind}, needed a regular file")
        content = _content(descriptor)
    except OSError as error:
        raise _refused(path, f"{error.strerror}, needed a file that can be read") from error
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise _refused(path, f"found more than {MAX_BYTES} bytes, needed fewer: this is no settings file")
    return content


def _content(descriptor: int) -> bytes:
    content = b""
    while len(content) <= MAX_BYTES and (block := os.read(descriptor, MAX_BYTES + 1 - len(content))):
        content += block
    return content


def _refused(path: Path, text: str) -> ConfigurationError:
    return ConfigurationError((f"{path}: {text}",))
