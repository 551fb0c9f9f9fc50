"""Which processes are not worth a probe in each of their TLS calls: those told to be, and busy ones that call no model.

A probe costs about a microsecond of every call. A server with thousands of calls a second that never makes an LLM call
would pay for ever, so it is left out, and looked at again after pauses that grow: it may begin. Whoever was seen with
one LLM call is never left out for its rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

MAX_LEFT_OUT = 1024  # BUSY of bpf/maps.h


class Reason(Enum):
    """Why a process is left out."""

    EXCLUDE = "exclude"  # its owner said so
    BACKOFF = "backoff"  # its rate, and no LLM call


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a busy process is watched, and how long it is then left alone.

    1 000 calls a second cost it about 0.2 % of a processor, 3 % where the kernel must single-step.
    """

    calls_per_s: float = 1000.0
    sample_s: float = 30.0  # the first time
    look_s: float = 2.0  # each further time
    first_pause_s: float = 60.0
    # 0.7 % of the time looked at: 0.3 % of the requests of an nginx that does nothing else.
    longest_pause_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Absence:
    """A process that is left out, in seconds of the monotonic clock."""

    reason: Reason
    since_s: float
    calls_per_s: float | None = None  # what it was left out for
    look_s: float | None = None  # when it is looked at again; None: never
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    since_s: float
    calls: int
    length_s: float
    pause_s: float  # after it, if nothing is found


class LeavingOut:
    """Decide who is left out. Time, rates and evidence are arguments."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._absent: dict[int, Absence] = {}
        self._samples: dict[int, _Sample] = {}
        self._told_s: float | None = None
        self._spent_s = dict.fromkeys(Reason, 0.0)

    @property
    def absent(self) -> Mapping[int, Absence]:
        """Who is left out now."""
        return self._absent

    def exclude(self, pid: int, now_s: float) -> bool:
        """Leave a process out for good; False where the table is full."""
        if self._is_full(pid):
            return False
        self._samples.pop(pid, None)
        self._absent[pid] = Absence(Reason.EXCLUDE, now_s)
        return True

    def include(self, pid: int, now_s: float, calls: int = 0) -> None:
        """Let a process in that has shown that it may call a model; it is watched as long as a new one."""
        absence = self._absent.get(pid)
        if absence is None or absence.reason is not Reason.BACKOFF:
            return
        del self._absent[pid]
        self._samples[pid] = _Sample(now_s, calls, self._patience.sample_s, self._after(absence))

    def inherit(self, pid: int, parent: int) -> None:
        """Leave out the copy of a process that is: it is looked at when its parent is."""
        absence = self._absent.get(parent)
        if absence is not None and not self._is_full(pid):
            self._absent[pid] = absence

    def forget(self, pid: int) -> None:
        """Drop what is known of a process: it ended, or runs another program."""
        self._absent.pop(pid, None)
        self._samples.pop(pid, None)

    def judge(self, now_s: float, calls: Mapping[int, int], is_caller: Callable[[int], bool]) -> bool:
        """Take the TLS calls counted of each process up to now; True where somebody is left out or let in by it."""
        self._tell(now_s)
        changed = [self._back(pid, absence, now_s, calls.get(pid, 0)) for pid, absence in tuple(self._absent.items())]
        for pid, sample in tuple(self._samples.items()):
            if pid not in calls and now_s - sample.since_s >= sample.length_s:
                del self._samples[pid]  # the kernel has no count of it: it makes few calls
        present = calls.keys() - self._absent.keys()
        changed += [self._watch(pid, calls[pid], now_s, is_caller) for pid in present]
        return any(changed)

    def spent_s(self) -> dict[Reason, float]:
        """Return the seconds that processes were left out, all together, up to the last `judge`."""
        return dict(self._spent_s)

    def _watch(self, pid: int, calls: int, now_s: float, is_caller: Callable[[int], bool]) -> bool:
        patience = self._patience
        first = _Sample(now_s, calls, patience.sample_s, patience.first_pause_s)
        sample = self._samples.setdefault(pid, first)
        if calls < sample.calls:  # counted anew
            self._samples[pid] = first
            return False
        elapsed_s = now_s - sample.since_s
        if elapsed_s < sample.length_s:
            return False
        rate = (calls - sample.calls) / elapsed_s
        if rate < patience.calls_per_s or is_caller(pid) or self._is_full(pid):
            self._samples[pid] = first
            return False
        del self._samples[pid]
        self._absent[pid] = Absence(Reason.BACKOFF, now_s, rate, now_s + sample.pause_s, sample.pause_s)
        return True

    def _back(self, pid: int, absence: Absence, now_s: float, calls: int) -> bool:
        if absence.look_s is None or now_s < absence.look_s:
            return False
        del self._absent[pid]
        self._samples[pid] = _Sample(now_s, calls, self._patience.look_s, self._after(absence))
        return True

    def _after(self, absence: Absence) -> float:
        return min(max(2 * absence.pause_s, self._patience.first_pause_s), self._patience.longest_pause_s)

    def _is_full(self, pid: int) -> bool:
        return len(self._absent) >= MAX_LEFT_OUT and pid not in self._absent

    def _tell(self, now_s: float) -> None:
        if self._told_s is not None:
            for reason in (absence.reason for absence in self._absent.values()):
                self._spent_s[reason] += now_s - self._told_s
        self._told_s = now_s
