"""Holds programs of the bench's own in the kernel: `python -m tests.bench.holder OBJECT WHAT PID`.

WHAT is `sites` (empty programs where the exporter's would stand), `entries` (empty programs at the symbols' entries,
as others attach them) or `ship` (every SSL_read's bytes sent here), in the TLS libraries of process PID. Prints `ready`
and then answers each line with its counts.
"""

from __future__ import annotations

import json
import select
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from llmslo_exporter.bpf_stats import run_stats
from llmslo_exporter.elf import opened
from llmslo_exporter.errors import ExporterError
from llmslo_exporter.libraries import Libraries, Target
from llmslo_exporter.loaders.libbpf import LibbpfLoader
from llmslo_exporter.sites import Hook
from tests.bench.figures import BenchError

ENTRIES = ("SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex")
CHUNK_HEAD = struct.Struct("<QQII")  # struct chunk of ship.bpf.c

Probe = tuple[str, str, int, bool]  # program, path, offset, is it a return probe


def _entries(target: Target) -> Iterator[Probe]:
    with opened(target.path) as elf:
        for symbol in elf.symbols(ENTRIES).values():
            yield "empty_return", target.path, symbol.offset, True
            yield "empty_enter", target.path, symbol.offset, False


def _sites(target: Target) -> Iterator[Probe]:
    for site in target.sites:
        if site.hook in {Hook.READ, Hook.WRITE}:
            yield "empty_return", target.path, site.offset, True
            yield "empty_enter", target.path, site.offset, False


def _shipping(target: Target) -> Iterator[Probe]:
    for site in target.sites:
        if site.hook is Hook.READ:
            yield "ship_return", target.path, site.offset, True
            yield "ship_length_enter" if site.length_at else "ship_plain_enter", target.path, site.offset, False


PROBES = {"sites": _sites, "entries": _entries, "ship": _shipping}


class _Received:
    """The least a reader can do with a chunk: know whose it is and how long."""

    def __init__(self) -> None:
        self.events = 0
        self.bytes = 0
        self.streams: dict[tuple[int, int], int] = {}

    def take(self, raw: bytes) -> None:
        """Count one record."""
        _, ssl, tgid, size = CHUNK_HEAD.unpack_from(raw)
        data = raw[CHUNK_HEAD.size : CHUNK_HEAD.size + size]
        self.events += 1
        self.bytes += len(data)
        self.streams[tgid, ssl] = self.streams.get((tgid, ssl), 0) + data.count(b"data:")


def _hold(path: Path, what: str, pid: int) -> None:
    loader = LibbpfLoader(path=path)
    targets = Libraries().see(pid)
    if not targets:
        msg = f"process {pid} has no TLS library to probe"
        raise BenchError(msg)
    received = _Received()
    if what == "ship":
        loader.open_ring(received.take)
    for target in targets:
        for program, file, offset, is_return in PROBES[what](target):
            loader.attach_probe(program, file, offset, is_return=is_return)
    if what == "sites":
        loader.enable_stats()  # until this process ends
    _answer("ready")
    rings = [loader.ring_fd()] if what == "ship" else []
    while True:
        ready = select.select([sys.stdin, *rings], [], [])[0]
        if rings:
            loader.consume()
        if sys.stdin in ready:
            if not sys.stdin.readline():
                break
            lost = int.from_bytes(loader.lookup("lost", bytes(4)) or b"", "little") if rings else 0
            runs = run_stats(loader.programs())
            _answer({"runs": runs, "events": received.events, "bytes": received.bytes, "lost": lost})
    loader.close()


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Attach, and stay until the input ends."""
    try:
        _hold(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except (BenchError, ExporterError) as error:
        _answer({"error": f"probes of our own ({sys.argv[2]}): {error}"})


if __name__ == "__main__":
    main()
