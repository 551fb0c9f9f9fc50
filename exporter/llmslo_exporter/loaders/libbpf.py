"""Load the prebuilt object with libbpf.so.1 through ctypes: no compiler and no headers on the node.

Written for libbpf 1.0 and later. Option structs carry their own size, so newer libraries accept them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from ctypes import c_bool, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, cast

from llmslo_exporter.errors import KernelError, SetupError
from llmslo_exporter.loaders import uprobe_multi
from llmslo_exporter.loaders.loader import Sample, detach_all
from llmslo_exporter.loaders.sources import OBJECT, bpf_file

_PROBE_SECTIONS = {b"uprobe", b"uretprobe"}
_SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
_PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("libbpf_set_print", c_void_p, (c_void_p,)),
    ("bpf_object__open_mem", c_void_p, (c_void_p, c_size_t, c_void_p)),
    ("bpf_object__load", c_int, (c_void_p,)),
    ("bpf_object__close", None, (c_void_p,)),
    ("bpf_object__next_program", c_void_p, (c_void_p, c_void_p)),
    ("bpf_object__find_program_by_name", c_void_p, (c_void_p, c_char_p)),
    ("bpf_object__find_map_by_name", c_void_p, (c_void_p, c_char_p)),
    ("bpf_program__name", c_char_p, (c_void_p,)),
    ("bpf_program__section_name", c_char_p, (c_void_p,)),
    ("bpf_program__set_autoload", c_int, (c_void_p, c_bool)),
    ("bpf_program__set_expected_attach_type", c_int, (c_void_p, c_int)),
    ("bpf_program__fd", c_int, (c_void_p,)),
    ("bpf_map__fd", c_int, (c_void_p,)),
    ("bpf_map__key_size", c_uint32, (c_void_p,)),
    ("bpf_map__value_size", c_uint32, (c_void_p,)),
    ("bpf_program__attach_uprobe_opts", c_void_p, (c_void_p, c_int, c_char_p, c_size_t, c_void_p)),
    ("bpf_program__attach_raw_tracepoint", c_void_p, (c_void_p, c_char_p)),
    ("bpf_link__destroy", c_int, (c_void_p,)),
    ("ring_buffer__new", c_void_p, (c_int, _SAMPLE, c_void_p, c_void_p)),
    ("ring_buffer__consume", c_int, (c_void_p,)),
    ("ring_buffer__free", None, (c_void_p,)),
    ("bpf_map_lookup_elem", c_int, (c_int, c_void_p, c_void_p)),
    ("bpf_map_update_elem", c_int, (c_int, c_void_p, c_void_p, c_uint64)),
    ("bpf_map_delete_elem", c_int, (c_int, c_void_p)),
    ("bpf_map_get_next_key", c_int, (c_int, c_void_p, c_void_p)),
    ("bpf_enable_stats", c_int, (c_int,)),
)


class _UprobeOptions(ctypes.Structure):
    _fields_ = (
        ("sz", c_size_t),
        ("ref_ctr_offset", c_size_t),
        ("bpf_cookie", c_uint64),
        ("retprobe", c_bool),
        ("func_name", c_char_p),
    )


def _silent(_level: int, _format: bytes, _arguments: int) -> int:
    """Libbpf would print to stderr; what failed is in our own error."""
    return 0


_SILENT = _PRINT(_silent)  # kept: libbpf calls it as long as we live


def _library() -> Any:  # noqa: ANN401 -- ctypes has no types for a library's functions
    try:
        library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        msg = "libbpf.so.1 is not installed (Debian: libbpf1); install it or use --loader=bcc"
        raise SetupError(msg) from error
    for name, result, arguments in _FUNCTIONS:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.libbpf_set_print(ctypes.cast(_SILENT, c_void_p))
    return library


def installed_version() -> str | None:
    """Return the version of the node's libbpf, `1.1`; None: there is none."""
    try:
        library = ctypes.CDLL("libbpf.so.1")
        library.libbpf_version_string.restype = c_char_p
        return str(library.libbpf_version_string().decode().removeprefix("v"))
    except (OSError, AttributeError):
        return None


class LibbpfLoader:
    """The prebuilt object, loaded. Raises SetupError or KernelError when it cannot be."""

    name = "libbpf"
    attaches_at_once = True

    def __init__(self, without: Iterable[str] = (), path: Path | None = None) -> None:
        """Load all programs of the object at `path` (None: the exporter's own) but those named in `without`."""
        self._lib = _library()
        image = (path or bpf_file(OBJECT)).read_bytes()
        self._image = ctypes.create_string_buffer(image, len(image))  # libbpf may keep pointing into it
        self._ring: int | None = None
        self._links: dict[int, Callable[[int], object]] = {}  # how each is removed
        self._has_multi = uprobe_multi.is_supported()
        self._maps: dict[str, tuple[int, int, int]] = {}
        self._object = self._checked(self._lib.bpf_object__open_mem(self._image, len(image), None), "open the object")
        for name in without:
            self._lib.bpf_program__set_autoload(self._program(name), False)  # noqa: FBT003 -- as C has it
        if self._has_multi:
            for program in self._all_programs():
                if self._lib.bpf_program__section_name(program) in _PROBE_SECTIONS:
                    self._lib.bpf_program__set_expected_attach_type(program, uprobe_multi.ATTACH_TYPE)
        code = self._lib.bpf_object__load(self._object)
        if code:
            self._lib.bpf_object__close(self._object)
            msg = f"the kernel refused the BPF programs: {os.strerror(-code)}"
            raise KernelError(msg)

    def _checked(self, pointer: int | None, what: str) -> int:
        if not pointer:
            code = ctypes.get_errno()
            msg = f"cannot {what}: {os.strerror(code)}"
            raise KernelError(msg)
        return pointer

    def _program(self, name: str) -> int:
        return self._checked(
            self._lib.bpf_object__find_program_by_name(self._object, name.encode()), f"find program {name}"
        )

    def _map(self, name: str) -> tuple[int, int, int]:
        """Return descriptor, key size, value size."""
        if name not in self._maps:
            found = self._checked(
                self._lib.bpf_object__find_map_by_name(self._object, name.encode()), f"find map {name}"
            )
            lib = self._lib
            self._maps[name] = lib.bpf_map__fd(found), lib.bpf_map__key_size(found), lib.bpf_map__value_size(found)
        return self._maps[name]

    def attach_probe(self, program: str, path: str, offset: int, *, is_return: bool, pid: int = 0) -> object:
        """Put a (return) probe at a file's offset, for every process that maps it or for one."""
        if self._has_multi:
            fd = uprobe_multi.attach(
                self._lib.bpf_program__fd(self._program(program)), path, offset, is_return=is_return, pid=pid
            )
            self._links[fd] = os.close
            return fd
        options = _UprobeOptions(ctypes.sizeof(_UprobeOptions), 0, 0, is_return, None)
        link = self._lib.bpf_program__attach_uprobe_opts(
            self._program(program), pid or -1, path.encode(), offset, ctypes.byref(options)
        )
        return self._kept(link, f"attach {program} to {path} at {offset:#x}")

    def attach_tracepoint(self, program: str, tracepoint: str) -> object:
        """Attach to a raw tracepoint."""
        link = self._lib.bpf_program__attach_raw_tracepoint(self._program(program), tracepoint.encode())
        return self._kept(link, f"attach {program} to tracepoint {tracepoint}")

    def _kept(self, link: int | None, what: str) -> int:
        kept = self._checked(link, what)
        self._links[kept] = self._lib.bpf_link__destroy
        return kept

    def detach(self, link: object) -> None:
        """Remove one probe."""
        # Two threads may want the same: at the end, and of a released file.
        remove = self._links.pop(cast("int", link), None)
        if remove is not None:
            remove(cast("int", link))

    def lookup(self, table: str, key: bytes) -> bytes | None:
        """Return a map's value, None where the key is absent."""
        fd, _, size = self._map(table)
        value = ctypes.create_string_buffer(size)
        return value.raw if self._lib.bpf_map_lookup_elem(fd, key, value) == 0 else None

    def update(self, table: str, key: bytes, value: bytes) -> None:
        """Set a map's value; a shorter one is padded with zeros."""
        fd, _, size = self._map(table)
        code = self._lib.bpf_map_update_elem(fd, key, value.ljust(size, b"\0"), 0)
        if code:
            msg = f"cannot write map {table}: {os.strerror(-code)}"
            raise KernelError(msg)

    def delete(self, table: str, key: bytes) -> bool:
        """Remove a key; False where it was absent."""
        return bool(self._lib.bpf_map_delete_elem(self._map(table)[0], key) == 0)

    def keys(self, table: str) -> Iterator[bytes]:
        """Yield a map's keys; one that changes meanwhile may be missed or seen twice."""
        fd, size, _ = self._map(table)
        key, following = None, ctypes.create_string_buffer(size)
        while self._lib.bpf_map_get_next_key(fd, key, following) == 0:
            key = following.raw
            yield key

    def open_ring(self, sample: Sample) -> None:
        """Let `sample` see every record of the ring."""

        def call(_context: int, address: int, size: int) -> int:
            return -1 if sample(ctypes.string_at(address, size)) is False else 0

        self._sample = _SAMPLE(call)  # kept: a collected callback would crash the next poll
        self._ring = self._checked(
            self._lib.ring_buffer__new(self._map("events")[0], self._sample, None, None), "open the ring buffer"
        )

    def ring_fd(self) -> int:
        """Return a descriptor that polls readable when a record that wakes has come."""
        return self._map("events")[0]

    def consume(self) -> None:
        """Hand over what is there."""
        self._lib.ring_buffer__consume(self._ring)

    def programs(self) -> dict[str, int]:
        """Return the descriptor of each loaded program."""
        descriptors = {
            self._lib.bpf_program__name(program).decode(): int(self._lib.bpf_program__fd(program))
            for program in self._all_programs()
        }
        return {name: fd for name, fd in descriptors.items() if fd >= 0}

    def _all_programs(self) -> Iterator[int]:
        program = self._lib.bpf_object__next_program(self._object, None)
        while program:
            yield program
            program = self._lib.bpf_object__next_program(self._object, program)

    def enable_stats(self) -> int:
        """Let the kernel time all BPF programs until the returned descriptor is closed."""
        fd: int = self._lib.bpf_enable_stats(0)  # BPF_STATS_RUN_TIME
        if fd < 0:
            msg = f"cannot enable BPF statistics: {os.strerror(-fd)}"
            raise KernelError(msg)
        return fd

    def close(self) -> None:
        """Detach and unload everything."""
        if self._ring:
            self._lib.ring_buffer__free(self._ring)
            self._ring = None
        detach_all(self, self._links)
        if self._object:
            self._lib.bpf_object__close(self._object)
            self._object = 0
