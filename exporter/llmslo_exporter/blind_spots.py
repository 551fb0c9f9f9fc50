"""Who speaks TLS on this node, seen or not: every process's files, each file looked into once."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmslo_exporter import tls_marks
from llmslo_exporter.builds import Builds
from llmslo_exporter.elf import ElfError, Read, opened_read
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.mappings import Mapping, parse, read_maps
from llmslo_exporter.processes import Processes
from llmslo_exporter.tls_marks import BlindSpot

MAX_FILE_BYTES = 512 << 20  # of one file; the largest browsers are 300 MB
PATIENCE_S = 60.0  # then the rest is only counted: an answer in a minute is worth more than a whole one
_LEAST_BYTES = 512 << 10  # the smallest TLS in a program of its own is larger
_BLOCK_BYTES = 4 << 20
_IO_URING = "anon_inode:[io_uring]"
_MAX_DESCRIPTORS = 4_096  # of one process

_FileKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class View:
    """What there is on the node: process names with their number, and the blind spots."""

    processes: int
    seen: tuple[tuple[str, int], ...]  # with TLS that has hooks
    blind_spots: tuple[BlindSpot, ...]
    excluded: tuple[tuple[str, int], ...]  # by --tls.exclude
    closed: int  # processes that could not be looked into
    files_left: int  # files for which there was no time


@dataclass(slots=True)
class Survey:
    """Looks at processes one by one."""

    exclusions: Exclusions
    proc: Path = Path("/proc")
    patience_s: float = PATIENCE_S
    _builds: Builds = field(default_factory=Builds)
    _verdicts: dict[_FileKey, tuple[bool, frozenset[str]]] = field(default_factory=dict)
    _left: set[_FileKey] = field(default_factory=set)

    def view(self) -> View:
        """Return what every process of the node shows; those that end meanwhile are left out."""
        until_s = time.monotonic() + self.patience_s
        seen: Counter[str] = Counter()
        excluded: Counter[str] = Counter()
        blind: Counter[tuple[str, str]] = Counter()
        count = closed = 0
        known = Processes(self.proc)
        for pid in sorted(int(entry.name) for entry in self.proc.iterdir() if entry.name.isdigit()):
            executable = "" if pid == os.getpid() else self._executable(pid)
            closed += executable is None
            process = known.see(pid) if executable else None
            count += executable != ""
            if process is None or not executable:
                continue
            if self.exclusions.excludes(executable, process.cgroup):
                excluded[process.name] += 1
                continue
            is_hooked, spoken = self._of(pid, until_s)
            seen[process.name] += is_hooked
            blind.update((name, process.name) for name in spoken)
        return View(
            count,
            tuple(sorted((name, number) for name, number in seen.items() if number)),
            tuple(BlindSpot(*key, number) for key, number in sorted(blind.items())),
            tuple(sorted(excluded.items())),
            closed,
            len(self._left),
        )

    def _executable(self, pid: int) -> str | None:
        """Return the path of the executable; empty: a kernel thread, or the process has ended; None: not for us."""
        try:
            return str((self.proc / str(pid) / "exe").readlink()).removesuffix(" (deleted)")
        except PermissionError:
            # Kernel threads are closed too, but have no command line, which all may read.
            return None if _has_command_line(self.proc / str(pid) / "cmdline") else ""
        except OSError:
            return ""

    def _of(self, pid: int, until_s: float) -> tuple[bool, set[str]]:
        """Return whether the process has TLS with hooks, and the names of TLS without."""
        is_hooked, spoken = False, set[str]()
        try:
            text, _ = read_maps(self.proc, pid)
        except OSError:
            return False, spoken
        for mapping in parse(text):
            by_name = tls_marks.named(mapping.name)
            if by_name:
                spoken.add(by_name)
                continue
            hooked, marks = self._verdict(pid, mapping, until_s)
            is_hooked |= hooked
            spoken |= marks
        if self._has_ring(pid):
            spoken.add("io_uring")
        return is_hooked, spoken

    def _verdict(self, pid: int, mapping: Mapping, until_s: float) -> tuple[bool, frozenset[str]]:
        nothing: tuple[bool, frozenset[str]] = (False, frozenset())
        for path in (
            f"{self.proc}/{pid}/map_files/{mapping.span}",
            f"{self.proc}/{pid}/root{mapping.path}",
        ):
            try:
                found = Path(path).stat()
            except (OSError, ValueError):
                continue
            if not stat.S_ISREG(found.st_mode):
                return nothing
            key = found.st_dev, found.st_ino
            if key not in self._verdicts and time.monotonic() < until_s:
                self._verdicts[key] = self._examined(path, found.st_size)
            elif key not in self._verdicts:
                self._left.add(key)
            return self._verdicts.get(key, nothing)
        return nothing

    def _examined(self, path: str, size: int) -> tuple[bool, frozenset[str]]:
        try:
            with opened_read(path) as read:
                if self._has_sites(read):
                    return True, frozenset()
                literals = tls_marks.found(_blocks(read, size)) if size >= _LEAST_BYTES else frozenset()
                return False, frozenset(tls_marks.spoken(literals))
        except ElfError:
            return False, frozenset()

    def _has_sites(self, read: Read) -> bool:
        try:
            return bool(self._builds.examine(read).sites)
        except ElfError:
            return False

    def _has_ring(self, pid: int) -> bool:
        try:
            with os.scandir(self.proc / str(pid) / "fd") as entries:
                for _, entry in zip(range(_MAX_DESCRIPTORS), entries, strict=False):
                    if str(Path(entry.path).readlink()) == _IO_URING:
                        return True
        except OSError:
            pass
        return False


def _has_command_line(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as file:
            return bool(file.read(1))
    except OSError:
        return False


def _blocks(read: Read, size: int) -> Iterator[bytes]:
    for offset in range(0, min(size, MAX_FILE_BYTES), _BLOCK_BYTES):
        yield read(offset, _BLOCK_BYTES)
