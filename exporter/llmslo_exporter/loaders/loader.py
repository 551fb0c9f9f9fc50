"""What the tracer needs of a loader; libbpf and BCC both give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

DETACHING = 16  # threads
Sample = Callable[[bytes], object]  # sees one record; False leaves the others for later


class Loader(Protocol):
    """Programs and maps of bpf/llmslo.bpf.c, loaded; everything goes with the process, also at kill -9.

    Methods raise KernelError when the kernel refuses.
    """

    name: str
    attaches_at_once: bool  # a probe for one process stands within a millisecond: before a new one has shaken hands

    def attach_probe(self, program: str, path: str, offset: int, *, is_return: bool, pid: int = 0) -> object:
        """Put a (return) probe at a file's offset; returns what `detach` takes.

        For every process that maps the file, or for one: then no other has a breakpoint of it in its memory.
        """

    def attach_tracepoint(self, program: str, tracepoint: str) -> object:
        """Attach to a raw tracepoint."""

    def detach(self, link: object) -> None:
        """Remove one probe; safe beside any other call, also `close`."""

    def lookup(self, table: str, key: bytes) -> bytes | None:
        """Return a map's value, None where the key is absent."""

    def update(self, table: str, key: bytes, value: bytes) -> None:
        """Set a map's value."""

    def delete(self, table: str, key: bytes) -> bool:
        """Remove a key; False where it was absent."""

    def keys(self, table: str) -> Iterator[bytes]:
        """Yield a map's keys; one that changes meanwhile may be missed or seen twice."""

    def open_ring(self, sample: Sample) -> None:
        """Let `sample` see every record of the ring from the next `consume` on."""

    def ring_fd(self) -> int:
        """Return a descriptor that polls readable when a record that wakes has come."""

    def consume(self) -> None:
        """Hand over what is there."""

    def programs(self) -> dict[str, int]:
        """Return the descriptor of each loaded program."""

    def enable_stats(self) -> int:
        """Let the kernel time all BPF programs until the returned descriptor is closed, at our end at the latest."""

    def close(self) -> None:
        """Detach and unload everything."""


def detach_all(loader: Loader, links: Iterable[object]) -> None:
    """Remove probes side by side: each waits for the kernel's grace periods."""
    with ThreadPoolExecutor(DETACHING) as threads:
        for _ in threads.map(loader.detach, tuple(links)):
            pass
