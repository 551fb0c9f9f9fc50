"""Facts of a process that must be read while it lives: a 50 ms curl is gone when its exchange ends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llmslo_exporter.cgroups import cgroup

MAX_PROCESSES = 65_536  # about 400 bytes each
# Of these, ended ones whose facts are kept: a minute of 130 short-lived processes a second. Beyond it the oldest go
# first: the last record of an ended process reaches us within a second.
MAX_ENDED = 8_192
_MAX_CGROUP_BYTES = 65_536
_MAX_PATH = 1_024  # characters kept of a path, its end
_MAX_TEXTS = 1_024
_MAX_STAT_BYTES = 4_096
_START_FIELD = 22 - 3  # counted from the state, field 3, which follows the command
_MEMORY_FIELD = 23 - 3


@dataclass(frozen=True, slots=True)
class Stat:
    """What is read of a /proc/PID/stat: clock ticks since boot at the start, bytes of address space in use."""

    start_ticks: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was when last read."""

    start_ticks: int
    memory_bytes: int  # changes when a library is loaded
    path: str  # of the executable of the thread-group leader, in its own mount namespace
    cgroup: str  # the path that tells most

    @property
    def name(self) -> str:
        """Base name of the executable."""
        return self.path.rpartition("/")[2]


class Processes:
    """The facts of processes by pid, read early and kept for a while after the end."""

    def __init__(self, proc: Path = Path("/proc"), limit: int = MAX_PROCESSES, ended_limit: int = MAX_ENDED) -> None:
        self._proc = proc
        self._limit = limit
        self._ended_limit = ended_limit
        self._known: OrderedDict[int, Process] = OrderedDict()
        self._ended_s: dict[int, float] = {}
        self.evicted = 0  # thrown out by a limit, not by age

    def __len__(self) -> int:
        return len(self._known)

    def see(self, pid: int) -> Process | None:
        """Read the facts of `pid` now, at its first sight or after an exec; None: it is gone and was never read."""
        found = _read(self._proc, pid)
        if found is None:
            return self._known.get(pid)
        self._known[pid] = found
        self._known.move_to_end(pid)
        self._ended_s.pop(pid, None)
        if len(self._known) > self._limit:
            self._evict()
        return found

    def known(self, pid: int) -> Process | None:
        """Return the facts as they were last read."""
        return self._known.get(pid)

    def of(self, pid: int) -> Process | None:
        """Return the facts known of `pid`, reading them where there are none."""
        return self._known.get(pid) or self.see(pid)

    def gone(self, pid: int, now_s: float) -> None:
        """Note that the process ended; its facts stay until `forget`."""
        if pid in self._known:
            self._ended_s[pid] = now_s
        while len(self._ended_s) > self._ended_limit:
            self._evict()

    def forget(self, before_s: float) -> None:
        """Drop the facts of processes that ended before `before_s`."""
        for pid in [pid for pid, ended_s in self._ended_s.items() if ended_s < before_s]:
            self._drop(pid)

    def is_as_seen(self, pid: int) -> bool:
        """Tell whether a further look at `pid` would show nothing new: no other process, nothing mapped since.

        A kernel thread, which has no memory, never shows anything.
        """
        stat = _stat(self._proc, pid)
        if stat is None or not stat.memory_bytes:
            return True
        known = self._known.get(pid)
        return known is not None and (known.start_ticks, known.memory_bytes) == (stat.start_ticks, stat.memory_bytes)

    def sweep(self, live: Collection[int], now_s: float) -> None:
        """Note the end of processes whose exit was missed: they are not among the live ones."""
        for pid in [pid for pid in self._known if pid not in live and pid not in self._ended_s]:
            self.gone(pid, now_s)

    def _evict(self) -> None:
        oldest: Iterable[int] = self._ended_s or self._known
        self._drop(next(iter(oldest)))
        self.evicted += 1

    def _drop(self, pid: int) -> None:
        self._known.pop(pid, None)
        self._ended_s.pop(pid, None)


def parse_stat(text: bytes) -> Stat | None:
    """Read a /proc/PID/stat; None: cut. The command in field 2 may hold blanks and brackets."""
    fields = text.rpartition(b")")[2].split()[_START_FIELD : _MEMORY_FIELD + 1]
    if len(fields) <= _MEMORY_FIELD - _START_FIELD or not all(field.isdigit() for field in fields):
        return None
    return Stat(*map(int, fields))


def _read(proc: Path, pid: int) -> Process | None:
    stat = _stat(proc, pid)
    cgroups = _read_head(proc / str(pid) / "cgroup", _MAX_CGROUP_BYTES)
    try:
        executable = str((proc / str(pid) / "exe").readlink())
    except OSError:
        return None  # gone, a kernel thread, or not ours to read
    if stat is None or cgroups is None:
        return None
    path = executable.removesuffix(" (deleted)")[-_MAX_PATH:]
    return Process(stat.start_ticks, stat.memory_bytes, _shared(path), _shared(cgroup(cgroups)))


@lru_cache(_MAX_TEXTS)
def _shared(text: str) -> str:
    """Return one object for equal texts: ten thousand processes of one program in one cgroup need two texts."""
    return text


def _stat(proc: Path, pid: int) -> Stat | None:
    text = _read_head(proc / str(pid) / "stat", _MAX_STAT_BYTES)
    return None if text is None else parse_stat(text)


def _read_head(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(limit)
    except OSError:
        return None
