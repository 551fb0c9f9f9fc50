"""Compile the same C on the node with BCC: for nodes where the prebuilt object does not load. No kernel headers.

BCC rewrites map accesses itself and refuses those that come out of a macro, so the m_*() calls of the source become
BCC's method syntax here, and bcc.h takes the place of portable.h.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import re
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, c_int, c_void_p
from pathlib import Path
from typing import IO, Any, cast

from llmslo_exporter.errors import KernelError, SetupError
from llmslo_exporter.loaders import uprobe_multi
from llmslo_exporter.loaders.loader import Sample, detach_all
from llmslo_exporter.loaders.sources import HEADERS, SOURCE, bpf_file

_PAGE_BYTES = 4096
_INCLUDE = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)
_OTHER_BUILD = re.compile(r"^#ifndef LLMSLO_BCC\n.*?^#endif\n", re.MULTILINE | re.DOTALL)
_RING_BYTES = re.compile(r"^#define RING_BYTES (\d+)", re.MULTILINE)
_PROGRAM = re.compile(r"^(PROBE|RETURN|RAW)\((?:\w+, )?(\w+)\)", re.MULTILINE)
_TABLE = re.compile(r"^M_(?:HASH|HASH_LAZY|LRU|ARRAY|RING|JUMPS)\((\w+)", re.MULTILINE)
_REWRITES = (
    (re.compile(r"\bm_(lookup|update|delete)\((\w+), ?"), r"\2.\1("),
    (re.compile(r"\bm_tail_call\((\w+), ?"), r"\1.call("),
    (re.compile(r"\bm_output\((\w+), ?"), r"\1.ringbuf_output("),
    (re.compile(r"\bm_reserve\((\w+), ?"), r"\1.ringbuf_reserve("),
    (re.compile(r"\bm_submit\((\w+), ?"), r"\1.ringbuf_submit("),
)
_VERSION = re.compile(r"""__version__ = ["']([^"']+)""")
_SAMPLE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_JUMPS = {"more_probe": "tls_more", "more_raw": "socket_more"}
_NR_BPF, _BPF_PROG_LOAD, _SOCKET_FILTER = 321, 5, 1  # x86-64, as the rest of bpf/
# r0 = 0; 1: may_goto 2f; goto 1b; 2: exit
_MAY_GOTO = struct.pack("<" + 4 * "BBhi", 0xB7, 0, 0, 0, 0xE5, 0, 1, 0, 0x05, 0, -2, 0, 0x95, 0, 0, 0)


def translate(*, bounded: bool = False) -> str:
    """Return the source in BCC's dialect, all includes in place; `bounded` for kernels without may_goto."""
    text = _OTHER_BUILD.sub("", bpf_file(SOURCE).read_text())  # its programs are not to be looked for
    while match := _INCLUDE.search(text):
        name = "bcc.h" if match[1] == "portable.h" else match[1]
        text = text[: match.start()] + bpf_file(name).read_text() + text[match.end() :]
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    ring = _RING_BYTES.search(text)
    pages = int(ring[1]) // _PAGE_BYTES if ring else 0
    defines = ["LLMSLO_BCC 1", f"RING_PAGES {pages}"] + ["LLMSLO_BOUNDED 1"] * bounded
    return "".join(f"#define {define}\n" for define in defines) + text


def _has_may_goto() -> bool:
    """Ask the kernel: 6.9 and later have it, older ones where a distribution brought it. BCC would print a refusal."""
    code, license_ = ctypes.create_string_buffer(_MAY_GOTO), ctypes.create_string_buffer(b"GPL")
    load = struct.pack(
        "<IIQQ104x", _SOCKET_FILTER, len(_MAY_GOTO) // 8, ctypes.addressof(code), ctypes.addressof(license_)
    )
    fd = ctypes.CDLL(None).syscall(_NR_BPF, _BPF_PROG_LOAD, load, len(load))
    if fd >= 0:
        os.close(fd)
    return bool(fd >= 0)


@contextmanager
def _stderr_caught() -> Iterator[IO[str]]:
    """Let what BCC's C++ writes to stderr go to a file: the reason belongs into our one line."""
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def installed_version() -> str | None:
    """Return the version of BCC for this Python, without loading it; None: there is none."""
    found = importlib.util.find_spec("bcc")
    for folder in (found.submodule_search_locations or ()) if found else ():
        try:
            text = (Path(folder) / "version.py").read_text(errors="replace")
        except OSError:
            continue
        named = _VERSION.search(text)
        return named[1] if named else "unknown"
    return None


class BccLoader:
    """The programs, compiled and loaded. Raises SetupError or KernelError when they cannot be."""

    name = "bcc"

    def __init__(self) -> None:
        os.environ.setdefault("BCC_KERNEL_SOURCE", str(bpf_file(HEADERS)))
        try:
            import bcc  # noqa: PLC0415 -- 70 MB of LLVM, only for those who ask for it
        except ImportError as error:
            msg = "Python cannot import bcc (Debian: python3-bpfcc, for the distribution's Python); use --loader=libbpf"
            raise SetupError(msg) from error
        self._bcc: Any = bcc
        self._lib: Any = bcc.libbcc.lib
        self._links: dict[int, tuple[str, bytes]] = {}
        # Else every probe goes through a file of tracefs: too slow for one more at the start of each process.
        self.attaches_at_once = uprobe_multi.is_supported()
        self._own: list[int] = []  # descriptors of programs that were loaded without BCC
        self._numbers = itertools.count()
        self._sample: Any = None
        bounded = not _has_may_goto()
        try:
            source = self._load(bounded=bounded)
        except KernelError:
            if bounded:
                raise
            source = self._load(bounded=True)  # Linux 6.12 has may_goto, but its verifier walks the loop past its limit
        self._tables: dict[str, Any] = {name: self._bpf[name.encode()] for name in _TABLE.findall(source)}
        for table, program in _JUMPS.items():
            self.update(table, bytes(4), self._functions[program].to_bytes(4, "little"))

    def _load(self, *, bounded: bool) -> str:
        """Compile and load; return the source. Raises KernelError when the kernel refuses."""
        source, bpf = translate(bounded=bounded), None
        functions: dict[str, int] = {}
        with _stderr_caught() as caught:
            try:
                bpf = self._bcc.BPF(text=source.encode(), debug=0, cflags=["-Wno-everything"])
                for kind, name in _PROGRAM.findall(source):
                    functions[name] = self._function(bpf, kind, name)
            except Exception as error:  # BCC raises bare Exception for a refused program
                self._unload(bpf)
                caught.seek(0)
                said = [line.strip() for line in caught if line.strip()]
                msg = f"BCC could not load the programs: {said[0] if said else error}"
                raise KernelError(msg) from error
        self._bpf: Any = bpf
        self._functions = functions
        return source

    def _function(self, bpf: Any, kind: str, name: str) -> int:  # noqa: ANN401 -- bcc has no types
        """Load one program and return its descriptor."""
        if kind == "RAW":
            return int(bpf.load_func(name.encode(), self._bcc.BPF.RAW_TRACEPOINT).fd)
        if self.attaches_at_once:
            self._own.append(uprobe_multi.loaded(name, bpf.dump_func(name.encode())))
            return self._own[-1]
        return int(bpf.load_func(name.encode(), self._bcc.BPF.KPROBE).fd)

    def _unload(self, bpf: Any) -> None:  # noqa: ANN401 -- bcc has no types
        """Let go of what was loaded, with BCC and without."""
        while self._own:
            os.close(self._own.pop())
        if bpf is not None:
            bpf.cleanup()

    def attach_probe(self, program: str, path: str, offset: int, *, is_return: bool, pid: int = 0) -> object:
        """Put a (return) probe at a file's offset, for every process that maps it or for one."""
        if self.attaches_at_once:
            link = uprobe_multi.attach(self._functions[program], path, offset, is_return=is_return, pid=pid)
            self._links[link] = ("link", b"")
            return link
        event = f"{program}_{next(self._numbers)}_{os.getpid()}".encode()  # a removed one may stand a while
        fd = self._lib.bpf_attach_uprobe(
            self._functions[program], int(is_return), event, path.encode(), offset, pid or -1, 0
        )
        if fd < 0:
            msg = f"cannot attach {program} to {path} at {offset:#x}: {os.strerror(ctypes.get_errno())}"
            raise KernelError(msg)
        self._links[fd] = ("probe", event)
        return fd

    def attach_tracepoint(self, program: str, tracepoint: str) -> object:
        """Attach to a raw tracepoint."""
        if program not in self._functions:  # probes.FALLBACK: it needs BTF relocations
            msg = "the kernel lacks the tracepoints of sockets, and what stands in needs --loader=libbpf"
            raise KernelError(msg)
        fd = self._lib.bpf_attach_raw_tracepoint(self._functions[program], tracepoint.encode())
        if fd < 0:
            msg = f"cannot attach {program} to tracepoint {tracepoint}"
            raise KernelError(msg)
        self._links[fd] = ("raw", b"")
        return fd

    def detach(self, link: object) -> None:
        """Remove one probe."""
        fd = cast("int", link)
        kind, event = self._links.pop(
            fd, ("", b"")
        )  # two threads may want the same: at the end, and of a released file
        if kind == "probe":
            self._lib.bpf_close_perf_event_fd(fd)
            self._lib.bpf_detach_uprobe(event)
        elif kind:
            os.close(fd)

    def _fd(self, table: str) -> int:
        return int(self._tables[table].map_fd)

    def lookup(self, table: str, key: bytes) -> bytes | None:
        """Return a map's value, None where the key is absent."""
        size = self._lib.bpf_table_leaf_size_id(self._bpf.module, self._tables[table].map_id)
        value = ctypes.create_string_buffer(size)
        return value.raw if self._lib.bpf_lookup_elem(self._fd(table), key, value) == 0 else None

    def update(self, table: str, key: bytes, value: bytes) -> None:
        """Set a map's value; a shorter one is padded with zeros."""
        size = self._lib.bpf_table_leaf_size_id(self._bpf.module, self._tables[table].map_id)
        if self._lib.bpf_update_elem(self._fd(table), key, value.ljust(size, b"\0"), 0) < 0:
            msg = f"cannot write map {table}: {os.strerror(ctypes.get_errno())}"
            raise KernelError(msg)

    def delete(self, table: str, key: bytes) -> bool:
        """Remove a key; False where it was absent."""
        return bool(self._lib.bpf_delete_elem(self._fd(table), key) == 0)

    def keys(self, table: str) -> Iterator[bytes]:
        """Yield a map's keys; one that changes meanwhile may be missed or seen twice."""
        size = self._lib.bpf_table_key_size_id(self._bpf.module, self._tables[table].map_id)
        following = ctypes.create_string_buffer(size)
        found = self._lib.bpf_get_first_key(self._fd(table), following, size)
        while found == 0:
            key = following.raw
            yield key
            found = self._lib.bpf_get_next_key(self._fd(table), key, following)

    def open_ring(self, sample: Sample) -> None:
        """Let `sample` see every record of the ring."""
        self._tables["events"].open_ring_buffer(
            lambda _context, address, size: -1 if sample(ctypes.string_at(address, size)) is False else 0
        )

    def ring_fd(self) -> int:
        """Return a descriptor that polls readable when a record that wakes has come."""
        return self._fd("events")

    def consume(self) -> None:
        """Hand over what is there."""
        self._bpf.ring_buffer_consume()

    def programs(self) -> dict[str, int]:
        """Return the descriptor of each loaded program."""
        return dict(self._functions)

    def enable_stats(self) -> int:
        """Let the kernel time all BPF programs until the returned descriptor is closed."""
        enable = self._lib.bpf_enable_stats
        enable.argtypes, enable.restype = (c_int,), c_int
        fd: int = enable(0)  # BPF_STATS_RUN_TIME
        if fd < 0:
            msg = f"cannot enable BPF statistics: {os.strerror(-fd)}"
            raise KernelError(msg)
        return fd

    def close(self) -> None:
        """Detach and unload everything."""
        detach_all(self, self._links)
        self._unload(self._bpf)
