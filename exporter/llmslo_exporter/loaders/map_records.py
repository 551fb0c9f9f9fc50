"""The kernel's word of every file that a process maps executable, and of every fork, at once: perf's side records.

An exec is told before the dynamic linker has mapped a library, and a dlopen is told by nothing else. No system call is
slowed by it: the kernel writes the records where it makes the mapping.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmslo_exporter.errors import KernelError
from llmslo_exporter.mappings import DELETED, Mapping, is_file

PAGE = 4096
DATA_BYTES = 32 * PAGE  # a processor: some 900 records, 100 starts of programs, between two reads
_NR_PERF_EVENT_OPEN, _CLOEXEC = 298, 8  # x86-64, as the rest of bpf/
_SOFTWARE, _DUMMY, _ATTR_BYTES, _CLOCK_MONOTONIC = 1, 9, 112, 1
_SAMPLE_TIME = 1 << 2
# Bits of struct perf_event_attr: mmap, task, watermark, sample_id_all, mmap2, use_clockid.
_FLAGS = 1 << 8 | 1 << 13 | 1 << 14 | 1 << 18 | 1 << 23 | 1 << 25
_ATTR = struct.Struct("<IIQQQQQIIQQQQIi16x")
_HEAD = struct.Struct("<IHH")
_TASK = struct.Struct("<IIII")
_MMAP = struct.Struct("<IIQQQIIQQII")
_PLACES = struct.Struct("<QQ")
_HEAD_AT, _TAIL_AT = 1024, 1032  # struct perf_event_mmap_page: data_head, data_tail
_LOST, _FORK, _MMAP2 = 2, 7, 10
_EXEC = 4  # PROT_EXEC
_ONLINE = Path("/sys/devices/system/cpu/online")

_syscall = ctypes.CDLL(None, use_errno=True).syscall


@dataclass(frozen=True, slots=True)
class Mapped:
    """A process mapped a file executable; `at_s` by the monotonic clock."""

    pid: int
    mapping: Mapping
    at_s: float


@dataclass(frozen=True, slots=True)
class Forked:
    """A process began as a copy of another."""

    pid: int
    parent: int
    at_s: float


class MapRecords:
    """The records of all processors. Raises KernelError where the kernel does not give them."""

    def __init__(self) -> None:
        self._rings: dict[int, mmap.mmap] = {}
        self.lost = 0  # records the kernel had no room for: look at every process again
        try:
            for cpu in processors(_ONLINE.read_text()):
                descriptor = _opened(cpu)
                self._rings[descriptor] = mmap.mmap(descriptor, PAGE + DATA_BYTES)
        except (OSError, ValueError) as error:
            self.close()
            msg = f"the kernel tells no mappings: {error}"
            raise KernelError(msg) from error

    def descriptors(self) -> tuple[int, ...]:
        """Return what polls readable when there is a record."""
        return tuple(self._rings)

    def take(self) -> Iterator[Mapped | Forked]:
        """Yield what has come since the last call, processor by processor."""
        for ring in self._rings.values():
            yield from self._taken(ring)

    def _taken(self, ring: mmap.mmap) -> Iterator[Mapped | Forked]:
        head, tail = _PLACES.unpack_from(ring, _HEAD_AT)
        data = _piece(ring, tail, head - tail)
        ring[_TAIL_AT : _TAIL_AT + 8] = head.to_bytes(8, "little")
        at = 0
        while at < len(data):
            kind, _, size = _HEAD.unpack_from(data, at)
            record = data[at + _HEAD.size : at + size]
            at += size
            if kind == _LOST:
                self.lost += int.from_bytes(record[8:16], "little")
            elif (event := parse(kind, record)) is not None:
                yield event

    def close(self) -> None:
        """End the records."""
        for descriptor, ring in self._rings.items():
            ring.close()
            os.close(descriptor)
        self._rings.clear()


def parse(kind: int, record: bytes) -> Mapped | Forked | None:
    """Read one record behind its head; None: of nothing that matters here."""
    at_s = int.from_bytes(record[-8:], "little") * 1e-9
    if kind == _FORK:
        pid, parent, _, _ = _TASK.unpack_from(record)
        return Forked(pid, parent, at_s) if pid != parent else None  # a thread has its parent's
    if kind != _MMAP2:
        return None
    pid, _, address, size, _, *inode, protection, _ = _MMAP.unpack_from(record)
    path = record[_MMAP.size : -8].partition(b"\0")[0]
    if not protection & _EXEC or not is_file(path):
        return None
    plain = path.removesuffix(DELETED)
    major, minor, number, generation = inode
    span = f"{address:x}-{address + size:x}"
    mapping = Mapping(span, os.fsdecode(plain), plain != path, (major, minor, number, generation))
    return Mapped(pid, mapping, at_s)


def processors(text: str) -> Iterator[int]:
    """Read a list such as `0-3,8`. Raises ValueError."""
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _piece(ring: mmap.mmap, tail: int, size: int) -> bytes:
    at = tail % DATA_BYTES
    first = ring[PAGE + at : PAGE + min(at + size, DATA_BYTES)]
    return first + ring[PAGE : PAGE + size - len(first)]


def _opened(cpu: int) -> int:
    attributes = _ATTR.pack(
        *(_SOFTWARE, _ATTR_BYTES, _DUMMY, 0, _SAMPLE_TIME, 0, _FLAGS),
        *(1, 0, 0, 0, 0, 0, 0, _CLOCK_MONOTONIC),  # wake at the first byte
    )
    descriptor = int(_syscall(_NR_PERF_EVENT_OPEN, attributes, -1, cpu, -1, _CLOEXEC))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor
