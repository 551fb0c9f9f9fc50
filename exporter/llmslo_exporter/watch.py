"""Which processes are on the node, which TLS they use, and that it is probed."""

from __future__ import annotations

import heapq
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmslo_exporter.errors import KernelError
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.leaving_out import Patience
from llmslo_exporter.libraries import Libraries, Target, installed
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.loaders.map_records import Forked, Mapped, MapRecords
from llmslo_exporter.probes import Probes
from llmslo_exporter.processes import Processes
from llmslo_exporter.sparing import Sparing

log = logging.getLogger(__name__)

# Where the kernel tells of no mapping: a new process maps its libraries within milliseconds, an interpreter loads TLS
# when it is imported.
LOOKS_S = (0.0, 0.02, 0.1, 0.3, 1.0, 3.0)
TOLD_LOOKS_S = (0.0, 1.0)  # where it does: the second for what changes without a mapping, the cgroup
THOROUGH = 6  # of so many sweeps one looks also at processes that seem unchanged: they may have changed their cgroup
FORGET_S = 60.0  # facts of an ended process: its last exchanges are recorded by then
JUDGE_S = 1.0
# Whoever maps a library has yet to link, to connect and to shake hands before its first byte: 3 ms for a small program.
LATE_S = 0.002
FORK_LATE_S = 0.001  # a copy of a server has a connection to answer at once


@dataclass(slots=True)
class Counts:
    """What was lost on this side of the ring."""

    decode: int = 0
    no_tls_symbols: int = 0  # processes seen with a TLS that has no hooks
    late_attach: int = 0  # processes that may have talked, or had ended, before a file of theirs was attached to


class Watch:
    """Follows processes from their first sight to their end. Not for two threads at once."""

    def __init__(self, loader: Loader, counts: Counts, exclusions: Exclusions, patience: Patience) -> None:
        self._counts = counts
        self._libraries = Libraries()
        self._records: MapRecords | None = None
        self._looks: list[tuple[float, int, int]] = []  # when, pid, how many looks before
        self._looks_s: tuple[float, ...] = LOOKS_S
        self._lost = 0
        self._sweeps = 1  # the start looks at all of them
        self._unhooked: set[int] = set()
        self._late: set[int] = set()
        self._next_judge_s = 0.0
        self.processes = Processes()
        self.probes = Probes(loader, self._libraries)
        self.sparing = Sparing(loader, self._libraries, self.processes, self.probes, patience)
        self.sparing.reconfigure(exclusions)

    def start(self) -> None:
        """Attach to everything that is there now."""
        self.probes.attach_tracepoints()
        try:
            self._records = MapRecords()
            self._looks_s = TOLD_LOOKS_S
        except KernelError as error:
            log.warning("libraries are looked for at intervals", extra={"reason": str(error)})
        for pid in _pids():
            self.see(pid)
        self.probes.attach(self._libraries.prepare(installed(os.environ.get("PATH", os.defpath))))

    def close(self) -> None:
        """End what is ours; the probes are the loader's to remove."""
        if self._records is not None:
            self._records.close()
            self._records = None
        self.probes.close()

    def descriptors(self) -> tuple[int, ...]:
        """Return what polls readable when `turn` has something to do."""
        return self._records.descriptors() if self._records else ()

    def due_s(self, longest_s: float) -> float:
        """Return how long the next `turn` may wait, at most so long."""
        if not self._looks:
            return longest_s
        return min(longest_s, max(0.0, self._looks[0][0] - time.monotonic()))

    def refused(self) -> dict[str, float]:
        """Return by reason what a limit or an error kept from being probed."""
        return dict(self._libraries.refused)

    def turn(self, is_calling: Callable[[int], bool]) -> None:
        """Do what is due: mappings the kernel tells of, second looks, files to let go, whom to spare."""
        for event in self._records.take() if self._records else ():
            if isinstance(event, Mapped):
                self._mapped(event)
            else:
                self._forked(event)
        now_s = time.monotonic()
        while self._looks and self._looks[0][0] <= now_s:
            _, pid, looks = heapq.heappop(self._looks)
            if not self.processes.is_as_seen(pid):
                self.see(pid)
            self._look_again(pid, looks + 1)
        lapsed = self._libraries.lapsed(now_s)
        self.probes.detach(lapsed)
        self.sparing.lapsed(lapsed)
        if now_s >= self._next_judge_s:
            self._next_judge_s = now_s + JUDGE_S
            self.sparing.judge(now_s, is_calling)

    def is_behind(self) -> bool:
        """Tell whether the kernel had no room for a record since the last call: only a sweep finds what was in it."""
        lost, self._lost = self._lost, self._records.lost if self._records else 0
        return lost != self._lost

    def sweep(self) -> tuple[frozenset[int], frozenset[int]]:
        """Look at all processes again; return those that live, and those whose end was missed."""
        live = frozenset(_pids())
        is_thorough = self._sweeps % THOROUGH == 0
        self._sweeps += 1
        for pid in live:
            if is_thorough or not self.processes.is_as_seen(pid):
                self.see(pid)
        now_s = time.monotonic()
        if is_thorough:
            self._libraries.unprepare(now_s)
        self._late &= live
        self.processes.sweep(live, now_s)
        self.processes.forget(now_s - FORGET_S)
        return live, self._libraries.pids - live

    def began(self, pid: int) -> None:
        """Note a process that is new, or runs another program now."""
        self.sparing.began(pid)
        self.see(pid)
        self._look_again(pid, 1)

    def ended(self, pid: int) -> None:
        """Note the end of a process."""
        now_s = time.monotonic()
        keys = self._libraries.keys(pid)
        self._unhooked.discard(pid)
        self._late.discard(pid)
        self._libraries.gone(pid, now_s)
        self.sparing.gone(pid, keys)
        self.processes.gone(pid, now_s)

    def see(self, pid: int) -> None:
        """Read the facts of a process and what it has mapped."""
        if pid == os.getpid():
            return
        before, now = self.processes.known(pid), self.processes.see(pid)
        if before and now and before.start_ticks != now.start_ticks:  # the number was given to another process
            keys = self._libraries.keys(pid)
            self._libraries.gone(pid, time.monotonic())
            self.sparing.gone(pid, keys)
        elif before and now and before.path != now.path:
            self.sparing.changed(pid)
        self._take(pid, lambda: self._libraries.see(pid))

    def _look_again(self, pid: int, looks: int) -> None:
        if looks < len(self._looks_s):
            wait_s = self._looks_s[looks] - self._looks_s[looks - 1]
            heapq.heappush(self._looks, (time.monotonic() + wait_s, pid, looks))

    def _mapped(self, event: Mapped) -> None:
        if event.pid != os.getpid():
            self._take(event.pid, lambda: self._libraries.mapped(event.pid, event.mapping), event.at_s)

    def _forked(self, event: Forked) -> None:
        """Look at a copy at once where its libraries are probed for some processes only; else a sweep will."""
        if any(map(self.probes.is_by_process, self._libraries.keys(event.parent))):
            self.sparing.forked(event.pid, event.parent)
            self.processes.see(event.pid)
            since_s = event.at_s + FORK_LATE_S - LATE_S
            self._take(event.pid, lambda: self._libraries.see(event.pid), since_s)

    def _take(self, pid: int, find: Callable[[], tuple[Target, ...]], since_s: float | None = None) -> None:
        """Attach to what is found; `since_s`: when the process got it."""
        missed, known = self._missed(), self._libraries.keys(pid)
        targets = find()
        self.probes.attach(targets)
        found = self._libraries.keys(pid)
        if targets or found != known:
            self.sparing.seen(pid)
        new = (found - known) | {target.key for target in targets}
        # Not only whoever maps a file first: others that did before its probes stood were not seen either.
        is_slow = since_s is not None and any(self.probes.since_s(key) - since_s > LATE_S for key in new)
        if (is_slow or self._missed() != missed) and pid not in self._late:
            self._late.add(pid)
            self._counts.late_attach += 1
        if self._libraries.unhooked(pid) and pid not in self._unhooked:
            self._unhooked.add(pid)
            self._counts.no_tls_symbols += 1

    def _missed(self) -> int:
        """Return how many files could not be read or attached to: of one process there may be several."""
        return self.probes.late + self._libraries.missed


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
