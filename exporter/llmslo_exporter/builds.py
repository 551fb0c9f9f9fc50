"""Sites by build id: the second copy of a library is checked, not decoded again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from llmslo_exporter.elf import ElfFile, Read
from llmslo_exporter.sites import Site, choose

_MAX_BUILDS = 64  # a node runs a handful of OpenSSL builds; each entry is a few KiB
_MAX_READS = 4_096  # a libssl takes about 300


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What one file offers to probes: its sites (empty: none), and whether it is a Go binary."""

    sites: tuple[Site, ...]
    is_go: bool


@dataclass(frozen=True, slots=True)
class _Build:
    reads: tuple[tuple[int, int], ...]
    digest: bytes
    sites: tuple[Site, ...]


@dataclass(slots=True)
class _Recorder:
    """A Read that keeps what was asked and a digest of what was answered."""

    read: Read
    reads: list[tuple[int, int]] = field(default_factory=list)
    digest: _Digest = field(default_factory=hashlib.blake2b)

    def __call__(self, offset: int, size: int) -> bytes:
        data = self.read(offset, size)
        self.reads.append((offset, size))
        self.digest.update(len(data).to_bytes(8, "little"))
        self.digest.update(data)
        return data


class Builds:
    """Find the sites of files, remembering those of known builds.

    A build id is a claim of the file's maker: a hostile file could carry Debian's and so move the probes of everybody's
    libssl into the middle of instructions. So the sites of a known build are taken only where every byte that led to
    them is the same in this file.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Build] = OrderedDict()

    def examine(self, read: Read) -> Findings:
        """Return the findings of the file behind `read`; raise ElfError where it is no ELF file of ours."""
        recorder = _Recorder(read)
        elf = ElfFile(recorder)
        build_id = elf.build_id
        known = self._known.get(build_id or "")
        if known is not None and _is_same(read, known):
            self._known.move_to_end(build_id or "")
            return Findings(known.sites, is_go=False)
        sites = choose(elf)
        if sites and build_id and len(recorder.reads) <= _MAX_READS:
            self._known[build_id] = _Build(tuple(recorder.reads), recorder.digest.digest(), sites)
            if len(self._known) > _MAX_BUILDS:
                self._known.popitem(last=False)
        return Findings(sites, is_go=not sites and elf.is_go)


def _is_same(read: Read, known: _Build) -> bool:
    replay = _Recorder(read)
    for offset, size in known.reads:
        replay(offset, size)
    return replay.digest.digest() == known.digest
