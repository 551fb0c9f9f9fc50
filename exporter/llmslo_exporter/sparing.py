"""Brings into the kernel what `leaving_out` decides: a process that is spared has no breakpoint in its memory.

While somebody is spared who uses a file, the probes of its reads and writes stand for each other user by itself. Those
of the calls that are made once a connection stand for all, so a copy of a process is met at its first handshake, and a
spared process that opens a connection to a provider is let in before it asks.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from llmslo_exporter.errors import KernelError
from llmslo_exporter.events import ABSENCE_DONE, ABSENCE_MEANT
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.identity import Workload
from llmslo_exporter.leaving_out import LeavingOut, Patience, Reason
from llmslo_exporter.libraries import FileKey, Libraries
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.probes import Probes
from llmslo_exporter.processes import Processes
from llmslo_exporter.workload import workload

MAX_BY_PROCESS = 256  # users of one file with probes of their own: each hit asks all of them, 5 ns each
MAX_RETIRING = 1024  # beyond it processes come and go faster than the kernel removes their probes, some 200 a second
RETRY_S = 10.0
WIDEN_S = 600.0  # a file changes its manner no sooner: whoever is to be spared comes again
MAX_KIN = 4096

_Kin = tuple[str, str]  # executable and cgroup: the workers of one server


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A process whose TLS is not read; times in seconds of the monotonic clock."""

    pid: int
    name: str
    workload: Workload
    reason: Reason
    calls_per_s: float | None  # None: nobody asked for its rate
    since_s: float
    next_look_s: float | None  # None: it is not looked at again


class Sparing:
    """Decides who is spared, and keeps the probes so. Not for two threads at once."""

    def __init__(
        self, loader: Loader, libraries: Libraries, processes: Processes, probes: Probes, patience: Patience
    ) -> None:
        self._loader = loader
        self._libraries = libraries
        self._processes = processes
        self._probes = probes
        self._exclusions = Exclusions()
        # Where newcomers would be missed for it, only who is excluded is spared.
        self._leaving = LeavingOut(patience if loader.attaches_at_once else replace(patience, calls_per_s=math.inf))
        self._callers: OrderedDict[_Kin, None] = OrderedDict()
        self._narrow_until_s: dict[FileKey, float] = {}
        self._wide_until_s: dict[FileKey, float] = {}  # it did not work, or there are too many users
        self._told: dict[int, int] = {}  # what the kernel's table of the spared holds

    def reconfigure(self, exclusions: Exclusions) -> None:
        """Exclude by these from now on."""
        self._exclusions = exclusions
        for pid, absence in tuple(self._leaving.absent.items()):
            if absence.reason is Reason.EXCLUDE:
                self._leaving.forget(pid)
        for pid in self._libraries.pids:
            self._exclude(pid)
        self._arrange(self._all_keys())

    def seen(self, pid: int) -> None:
        """Note that a process was looked at: it may have a file mapped that others are spared of."""
        self._exclude(pid)
        self._arrange(self._libraries.keys(pid))

    def forked(self, pid: int, parent: int) -> None:
        """Note a copy of a process: it has the same manners until it runs another program."""
        self._leaving.inherit(pid, parent)

    def began(self, pid: int) -> None:
        """Note a process that is new or runs another program: the kernel has taken it off its table then."""
        if pid in self._told and self._loader.lookup("left_out", pid.to_bytes(4, "little")) is None:
            del self._told[pid]
            self.changed(pid)

    def changed(self, pid: int) -> None:
        """Note that a process runs another program now."""
        self._leaving.forget(pid)
        self._arrange(self._libraries.keys(pid))

    def gone(self, pid: int, keys: Iterable[FileKey]) -> None:
        """Note the end of a process that had these files mapped."""
        self._leaving.forget(pid)
        self._arrange(keys)

    def lapsed(self, keys: Iterable[FileKey]) -> None:
        """Forget files that are probed no more."""
        for key in keys:
            self._narrow_until_s.pop(key, None)
            self._wide_until_s.pop(key, None)

    def called(self, pid: int) -> None:
        """Note an LLM call of a process: neither it nor its like is spared for its rate, and it does not stay so.

        A gateway that is spared and asks a model without TLS is seen there: who asks it is then seen too.
        """
        kin = self._kin(pid)
        if kin is None:
            return
        self._callers[kin] = None
        self._callers.move_to_end(kin)
        if len(self._callers) > MAX_KIN:
            self._callers.popitem(last=False)
        if pid in self._leaving.absent:
            self._let_in(pid)

    def named(self, pid: int) -> None:
        """Note that a spared process opens a connection to a provider."""
        self._let_in(pid)

    def _let_in(self, pid: int) -> None:
        self._leaving.include(pid, time.monotonic(), self._count(pid.to_bytes(4, "little")))
        self._arrange(self._libraries.keys(pid))

    def judge(self, now_s: float, is_calling: Callable[[int], bool]) -> None:
        """Count the calls of busy processes and spare those that call no model; `is_calling`: an exchange is open."""

        def is_caller(pid: int) -> bool:
            return self._kin(pid) in self._callers or is_calling(pid)

        if self._leaving.judge(now_s, self._calls(), is_caller):
            self._arrange(self._all_keys())
            return
        self._arrange([key for key, until_s in self._narrow_until_s.items() if now_s >= until_s])

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return who is spared now."""
        return tuple(
            LeftOut(
                pid=pid,
                name=process.name if (process := self._processes.known(pid)) else "",
                workload=workload(process),
                reason=absence.reason,
                calls_per_s=absence.calls_per_s,
                since_s=absence.since_s,
                next_look_s=absence.look_s,
            )
            for pid, absence in self._leaving.absent.items()
            if self._is_spared(pid)
        )

    def spent_s(self) -> Mapping[Reason, float]:
        """Return the seconds that processes were spared, all together."""
        return self._leaving.spent_s()

    def _kin(self, pid: int) -> _Kin | None:
        process = self._processes.known(pid)
        return (process.path, process.cgroup) if process else None

    def _exclude(self, pid: int) -> None:
        process = self._processes.known(pid)
        if process and self._exclusions.excludes(process.path, process.cgroup):
            absence = self._leaving.absent.get(pid)
            if absence is None or absence.reason is not Reason.EXCLUDE:
                self._leaving.exclude(pid, time.monotonic())

    def _calls(self) -> dict[int, int]:
        counts = ((key, self._count(key)) for key in tuple(self._loader.keys("tls_calls")))
        return {int.from_bytes(key, "little"): count for key, count in counts if count}

    def _count(self, key: bytes) -> int:
        return int.from_bytes(self._loader.lookup("tls_calls", key) or b"", "little")

    def _all_keys(self) -> frozenset[FileKey]:
        absent = (self._libraries.keys(pid) for pid in self._leaving.absent)
        return frozenset(self._narrow_until_s).union(*absent)

    def _arrange(self, keys: Iterable[FileKey]) -> None:
        self._untell()  # before a probe stands: the kernel believes no call of who is left out
        now_s = time.monotonic()
        for key in keys:
            self._arrange_file(key, now_s)
        self._tell()

    def _arrange_file(self, key: FileKey, now_s: float) -> None:
        users = self._libraries.users(key)
        spared = users & self._leaving.absent.keys()
        if spared:
            self._narrow_until_s[key] = now_s + WIDEN_S
        if now_s < self._narrow_until_s.get(key, 0.0) and now_s >= self._wide_until_s.get(key, 0.0):
            is_bearable = len(users - spared) <= MAX_BY_PROCESS and self._probes.retiring <= MAX_RETIRING
            if is_bearable and self._probes.only_for(key, users - spared):
                return
            self._wide_until_s[key] = now_s + WIDEN_S
        if self._probes.for_all(key):
            self._narrow_until_s.pop(key, None)
        else:
            self._narrow_until_s[key] = now_s + RETRY_S

    def _is_spared(self, pid: int) -> bool:
        """Tell whether a process is left out in truth: not who shares a file with too many others."""
        keys = self._libraries.keys(pid)
        return bool(keys) and all(map(self._probes.is_by_process, keys))

    def _tell(self) -> None:
        for pid in self._leaving.absent:
            absence = ABSENCE_DONE if self._is_spared(pid) else ABSENCE_MEANT
            if self._told.get(pid) == absence:
                continue
            try:
                self._loader.update("left_out", pid.to_bytes(4, "little"), absence.to_bytes(4, "little"))
            except KernelError:
                continue  # no memory: told again at the next change
            self._told[pid] = absence

    def _untell(self) -> None:
        for pid in self._told.keys() - self._leaving.absent.keys():
            self._loader.delete("left_out", pid.to_bytes(4, "little"))
            del self._told[pid]
