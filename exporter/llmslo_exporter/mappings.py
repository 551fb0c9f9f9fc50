"""The executable file mappings of a process, from /proc/PID/maps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_MAPS_BYTES = 1 << 20  # about 10 000 lines; a large JVM has 2 000

_LINE = re.compile(rb"^([0-9a-f]+-[0-9a-f]+) ..x. [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ [0-9]+ +(/.*)$", re.MULTILINE)
DELETED = b" (deleted)"
# Not files a library comes from; opening a device could even have an effect.
_NO_FILES = (b"//", b"/dev/", b"/memfd:", b"/SYSV", b"/anon_hugepage", b"/[")


@dataclass(frozen=True, slots=True)
class Mapping:
    """One executable mapping: its address range as /proc/PID/map_files names it, the file's path in its namespace."""

    span: str
    path: str
    is_deleted: bool
    inode: tuple[int, int, int, int] | None = None  # device, major and minor, number, generation, where the kernel says

    @property
    def name(self) -> str:
        """The file's base name."""
        return self.path.rpartition("/")[2]


def parse(text: bytes) -> Iterator[Mapping]:
    """Yield the executable file mappings in the text of a maps file, each file path once."""
    seen: set[bytes] = set()
    for match in _LINE.finditer(text):
        path = match[2]
        if path in seen or not is_file(path):
            continue
        seen.add(path)
        plain = path.removesuffix(DELETED)
        yield Mapping(_span(match[1]), os.fsdecode(plain.replace(rb"\012", b"\n")), plain != path)


def is_file(path: bytes) -> bool:
    """Tell whether a mapping's name is that of a file a library may come from."""
    return path.startswith(b"/") and not path.startswith(_NO_FILES)


def read_maps(proc: Path, pid: int) -> tuple[bytes, bool]:
    """Return the text of /proc/PID/maps up to the last whole line of the first MiB, and whether that cut it.

    Raises OSError where the process is gone or may not be read.
    """
    descriptor = os.open(proc / str(pid) / "maps", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = bytearray()
        while len(text) <= MAX_MAPS_BYTES and (block := os.read(descriptor, 1 << 16)):
            text += block
    finally:
        os.close(descriptor)
    if len(text) <= MAX_MAPS_BYTES:
        return bytes(text), False
    return bytes(text[: text.rfind(b"\n", 0, MAX_MAPS_BYTES) + 1]), True


def _span(text: bytes) -> str:
    # maps pads addresses to eight digits, map_files does not.
    return "-".join(f"{int(part, 16):x}" for part in text.split(b"-"))
