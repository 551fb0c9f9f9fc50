"""Read of one ELF file only what a probe needs: symbols, code, build id, needed libraries.

The file belongs to somebody else's process, so it is read by bounded `pread`s and never mapped: a mapping of a file
that is cut while we look would end the exporter with SIGBUS. Symbols are found through the file's own hash table, a
handful of small reads each, whatever the file's size.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

from llmslo_exporter.errors import ExporterError

Read = Callable[[int, int], bytes]  # (file offset, size) -> bytes, fewer only where the file ends, or ElfError

_MAX_HEADERS = 512  # programs and libraries have about a dozen program headers
_MAX_SECTIONS = 65_279  # SHN_LORESERVE - 1: above it the count moves elsewhere, seen in object files only
_MAX_DYNAMIC = 65_536  # bytes; libraries have under 1 KiB
_MAX_NOTES = 65_536
_MAX_CHAIN = 4_096  # a hash chain of a sane linker has a few entries
_MAX_NEEDED = 256
_MAX_TABLE = 64 << 20  # bytes of a symbol or string table that is searched in full
_MAX_RELOCATIONS = 16 << 20
_MAX_CANDIDATES = 4_096  # places in a string table that read like a wanted name
_BLOCK = 1 << 20
_NAME_LIMIT = 256

_SYMBOL = struct.Struct("<IBBHQQ")  # st_name, st_info, st_other, st_shndx, st_value, st_size
_FUNC = 2
_EXECUTABLE = 1

_DT_NEEDED, _DT_PLTRELSZ, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_RELA, _DT_RELASZ = 1, 2, 4, 5, 6, 7, 8
_DT_JMPREL, _DT_GNU_HASH = 23, 0x6FFFFEF5
_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11


class ElfError(ExporterError):
    """A file is no 64-bit little-endian ELF file that can be read: foreign, cut, hostile or gone."""


class UnreadableError(ElfError):
    """A file could not be opened or read, which says nothing of what it holds."""


class Machine(IntEnum):
    """`e_machine` of the machines the exporter knows."""

    X86_64 = 62
    AARCH64 = 183


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function the file defines: its address, the file offset a uprobe takes, its size in bytes (0: not said)."""

    name: str
    vaddr: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One PT_LOAD: `size` bytes at file `offset` appear at `vaddr`."""

    vaddr: int
    offset: int
    size: int
    executable: bool


class ElfFile:
    """One ELF file behind a `Read`; every method raises ElfError, and nothing else, on bytes that make no sense."""

    def __init__(self, read: Read) -> None:
        self._read_some = read
        head = self._read(0, 64)
        if head[:6] != b"\x7fELF\x02\x01":
            msg = f"file begins with {head[:6]!r}, not with a 64-bit little-endian ELF header"
            raise ElfError(msg)
        self.machine: int
        self.machine, _, _, phoff, self._shoff = struct.unpack_from("<HIQQQ", head, 18)
        phentsize, phnum, self._shentsize, self._shnum = struct.unpack_from("<HHHH", head, 54)
        if phentsize != 56 or phnum > _MAX_HEADERS:
            msg = f"{phnum} program headers of {phentsize} bytes, needed at most {_MAX_HEADERS} of 56"
            raise ElfError(msg)
        headers = list(struct.iter_unpack("<IIQQQQQQ", self._read(phoff, 56 * phnum)))
        self.segments = tuple(Segment(h[3], h[2], h[5], bool(h[1] & _EXECUTABLE)) for h in headers if h[0] == _PT_LOAD)
        self._dynamic_at = next(((h[2], h[5]) for h in headers if h[0] == _PT_DYNAMIC), None)
        self._notes_at = [(h[2], h[5]) for h in headers if h[0] == _PT_NOTE]

    @classmethod
    def of_bytes(cls, data: bytes) -> ElfFile:
        """Read the ELF file whose content is `data`."""
        return cls(lambda offset, size: data[offset : offset + size])

    def offset_of(self, vaddr: int) -> int:
        """Return the file offset of the byte at `vaddr`."""
        segment = self.segment_of(vaddr)
        return vaddr - segment.vaddr + segment.offset

    def segment_of(self, vaddr: int) -> Segment:
        """Return the PT_LOAD whose file bytes hold `vaddr`."""
        for segment in self.segments:
            if segment.vaddr <= vaddr < segment.vaddr + segment.size:
                return segment
        msg = f"address {vaddr:#x} lies in no loaded segment of the file"
        raise ElfError(msg)

    def code(self, vaddr: int, size: int) -> bytes:
        """Return up to `size` bytes of code at `vaddr`: fewer where the segment ends."""
        segment = self.segment_of(vaddr)
        if not segment.executable:
            msg = f"address {vaddr:#x} lies in a segment without code"
            raise ElfError(msg)
        return self._read(self.offset_of(vaddr), min(size, segment.vaddr + segment.size - vaddr))

    @cached_property
    def build_id(self) -> str | None:
        """The GNU build id in hex; None: the file has none."""
        return next((value.hex() for owner, kind, value in self._notes() if (owner, kind) == (b"GNU\0", 3)), None)

    @cached_property
    def is_go(self) -> bool:
        """Whether Go's own linker note is there."""
        return any((owner, kind) == (b"Go\0\0", 4) for owner, kind, _ in self._notes())

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """Names of the libraries the file asks for, in its order."""
        offsets = [value for tag, value in self._dynamic if tag == _DT_NEEDED][:_MAX_NEEDED]
        return tuple(self._string(self._tag_offset(_DT_STRTAB) + offset) for offset in offsets)

    def symbols(self, names: Iterable[str]) -> dict[str, Symbol]:
        """Return those of `names` that the file defines as functions.

        The full symbol table (.symtab) is searched only where the dynamic one defines none of them: a binary that
        exports its OpenSSL is served in microseconds, one that hides it in local symbols in milliseconds.
        """
        wanted = tuple(names)
        found = self._exported(wanted)
        return found or self._searched(_SHT_SYMTAB, wanted)

    def import_at(self, slot: int) -> str | None:
        """Return the name of the symbol the loader writes to the GOT slot at address `slot`; None: no such slot."""
        tags = self._tags
        for table, size in ((_DT_JMPREL, _DT_PLTRELSZ), (_DT_RELA, _DT_RELASZ)):
            if table in tags and size in tags:
                relocations = self._read(self.offset_of(tags[table]), min(tags[size], _MAX_RELOCATIONS))
                at = _find_aligned(relocations, struct.pack("<Q", slot), 24)
                if at is not None and at + 24 <= len(relocations):
                    index = struct.unpack_from("<Q", relocations, at + 8)[0] >> 32
                    name = struct.unpack("<I", self._read(self._tag_offset(_DT_SYMTAB) + 24 * index, 4))[0]
                    return self._string(self._tag_offset(_DT_STRTAB) + name) if index else None
        return None

    def _notes(self) -> Iterator[tuple[bytes, int, bytes]]:
        for offset, size in self._notes_at:
            data = self._read(offset, min(size, _MAX_NOTES))
            at = 0
            while at + 12 <= len(data):
                owner_size, value_size, kind = struct.unpack_from("<III", data, at)
                value_at = at + 12 + (owner_size + 3 & ~3)
                yield data[at + 12 : at + 12 + owner_size], kind, data[value_at : value_at + value_size]
                at = value_at + (value_size + 3 & ~3)

    @cached_property
    def _dynamic(self) -> list[tuple[int, int]]:
        if self._dynamic_at is None:
            return []
        offset, size = self._dynamic_at
        entries: list[tuple[int, int]] = []
        for tag, value in struct.iter_unpack("<QQ", self._read(offset, min(size, _MAX_DYNAMIC) & ~15)):
            if tag == 0:
                break
            entries.append((tag, value))
        return entries

    @cached_property
    def _tags(self) -> dict[int, int]:
        return dict(self._dynamic)

    def _tag_offset(self, tag: int) -> int:
        if tag not in self._tags:
            msg = f"dynamic section has no tag {tag}"
            raise ElfError(msg)
        return self.offset_of(self._tags[tag])

    def _string(self, offset: int) -> str:
        text = self._read_some(offset, _NAME_LIMIT)
        end = text.find(b"\0")
        if end < 0:
            msg = f"name at file offset {offset} does not end within {_NAME_LIMIT} bytes"
            raise ElfError(msg)
        return text[:end].decode("utf-8", "replace")

    def _read(self, offset: int, size: int) -> bytes:
        data = self._read_some(offset, size)
        if len(data) != size:
            msg = f"needed {size} bytes at offset {offset}, the file gives {len(data)}"
            raise ElfError(msg)
        return data

    def _u32(self, offset: int) -> int:
        value: int = struct.unpack("<I", self._read(offset, 4))[0]
        return value

    def _exported(self, names: tuple[str, ...]) -> dict[str, Symbol]:
        tags = self._tags
        if _DT_SYMTAB not in tags or _DT_STRTAB not in tags:
            return self._searched(_SHT_DYNSYM, names)
        if _DT_GNU_HASH in tags:
            lookup = self._gnu_lookup(self._tag_offset(_DT_GNU_HASH))
        elif _DT_HASH in tags:
            lookup = self._sysv_lookup(self._tag_offset(_DT_HASH))
        else:
            return self._searched(_SHT_DYNSYM, names)
        found = ((name, lookup(name.encode())) for name in names)
        return {name: symbol for name, symbol in found if symbol}

    def _gnu_lookup(self, table: int) -> Callable[[bytes], Symbol | None]:
        buckets, first, blooms, shift = struct.unpack("<IIII", self._read(table, 16))
        if not buckets or not blooms:
            return lambda _name: None
        buckets_at = table + 16 + 8 * blooms
        chains_at = buckets_at + 4 * buckets
        symtab, strtab = self._tag_offset(_DT_SYMTAB), self._tag_offset(_DT_STRTAB)

        def lookup(name: bytes) -> Symbol | None:
            code = _gnu_hash(name)
            word = struct.unpack("<Q", self._read(table + 16 + 8 * ((code >> 6) % blooms), 8))[0]
            if not word >> (code & 63) & word >> (code >> shift & 63) & 1:
                return None
            index = self._u32(buckets_at + 4 * (code % buckets))
            for at in range(index, index + _MAX_CHAIN) if index >= first else ():
                chained = self._u32(chains_at + 4 * (at - first))
                if chained | 1 == code | 1 and (symbol := self._defined(symtab + 24 * at, strtab, name)):
                    return symbol
                if chained & 1:
                    break
            return None

        return lookup

    def _sysv_lookup(self, table: int) -> Callable[[bytes], Symbol | None]:
        buckets, chains = struct.unpack("<II", self._read(table, 8))
        symtab, strtab = self._tag_offset(_DT_SYMTAB), self._tag_offset(_DT_STRTAB)

        def lookup(name: bytes) -> Symbol | None:
            index = self._u32(table + 8 + 4 * (_sysv_hash(name) % buckets)) if buckets else 0
            for _ in range(_MAX_CHAIN):
                if not 0 < index < chains:
                    break
                if symbol := self._defined(symtab + 24 * index, strtab, name):
                    return symbol
                index = self._u32(table + 8 + 4 * (buckets + index))
            return None

        return lookup

    def _searched(self, kind: int, names: tuple[str, ...]) -> dict[str, Symbol]:
        """Search the whole symbol table of a section: offsets of the names first, then the entries that use them."""
        found: dict[str, Symbol] = {}
        for (table, table_size), (strings, strings_size) in self._symbol_sections(kind):
            wanted = self._string_offsets(strings, min(strings_size, _MAX_TABLE), names)
            for base, block in self._blocks(
                table, min(table_size, _MAX_TABLE) if wanted else 0, _BLOCK - _BLOCK % 24, 0
            ):
                entries = memoryview(block[: len(block) - len(block) % 24]).cast("I")[::6].tolist()
                for where in wanted.keys() & set(entries):
                    name = wanted[where]
                    symbol = self._defined(base + 24 * entries.index(where), strings, name.encode())
                    if symbol:
                        found.setdefault(name, symbol)
        return found

    def _symbol_sections(self, kind: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if not self._shoff or self._shentsize != 64 or not 0 < self._shnum <= _MAX_SECTIONS:
            return
        sections = list(struct.iter_unpack("<IIQQQQIIQQ", self._read(self._shoff, 64 * self._shnum)))
        for section in sections:
            if section[1] == kind and section[6] < len(sections):
                strings = sections[section[6]]
                yield (section[4], section[5]), (strings[4], strings[5])

    def _string_offsets(self, strings: int, size: int, names: tuple[str, ...]) -> dict[int, str]:
        # Linkers merge tails, so `name` may end a longer string: every occurrence is a candidate.
        found: dict[int, str] = {}
        for base, block in self._blocks(strings, size, _BLOCK, _NAME_LIMIT):
            for name in names:
                at = block.find(name.encode() + b"\0")
                while at >= 0 and len(found) < _MAX_CANDIDATES:
                    found[base + at - strings] = name
                    at = block.find(name.encode() + b"\0", at + 1)
        return found

    def _blocks(self, start: int, size: int, step: int, overlap: int) -> Iterator[tuple[int, bytes]]:
        for at in range(0, size, step):
            yield start + at, self._read(start + at, min(step + overlap, size - at))

    def _defined(self, entry: int, strings: int, name: bytes) -> Symbol | None:
        where, info, _, section, value, size = _SYMBOL.unpack(self._read(entry, 24))
        if info & 15 != _FUNC or not section or not value:
            return None
        if self._read(strings + where, len(name) + 1) != name + b"\0":
            return None
        segment = self.segment_of(value)
        if not segment.executable:
            return None
        return Symbol(name.decode(), value, value - segment.vaddr + segment.offset, size)


@contextmanager
def opened(path: Path | str) -> Iterator[ElfFile]:
    """Open the regular file `path` for reading as ELF; any failure of the file is an ElfError."""
    with opened_read(path) as read:
        yield ElfFile(read)


@contextmanager
def opened_read(path: Path | str) -> Iterator[Read]:
    """Open the regular file `path` for bounded reads."""
    try:
        # O_NONBLOCK: the path lies in a stranger's mount namespace and may turn into a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        msg = f"cannot open {path}: {error}"
        raise UnreadableError(msg) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = f"{path} is not a regular file"
            raise ElfError(msg)

        def read(offset: int, size: int) -> bytes:
            try:
                return os.pread(descriptor, size, offset)
            except (OSError, OverflowError) as error:
                msg = f"cannot read {size} bytes at {offset} of {path}: {error}"
                raise UnreadableError(msg) from error

        yield read
    finally:
        os.close(descriptor)


def _find_aligned(block: bytes, needle: bytes, step: int) -> int | None:
    at = block.find(needle)
    while at >= 0:
        if at % step == 0:
            return at
        at = block.find(needle, at + 1)
    return None


def _gnu_hash(name: bytes) -> int:
    code = 5381
    for byte in name:
        code = (code * 33 + byte) & 0xFFFFFFFF
    return code


def _sysv_hash(name: bytes) -> int:
    code = 0
    for byte in name:
        code = (code << 4) + byte
        high = code & 0xF0000000
        code = (code ^ high >> 24) & ~high & 0xFFFFFFFF
    return code
