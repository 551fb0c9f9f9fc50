"""The kernel's records of mappings and forks, as bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.loaders.map_records import Forked, Mapped, parse, processors
from llmslo_exporter.mappings import Mapping

FORK, EXIT, MMAP2 = 7, 4, 10
READ_EXEC, READ = 5, 1
AT_S = 22.5
TIME = int(AT_S * 1e9).to_bytes(8, "little")


def _mmap(path: bytes, protection: int = READ_EXEC) -> bytes:
    fields = struct.pack("<IIQQQIIQQII", 17, 18, 0x7F00_0000, 0x5000, 0, 254, 1, 4711, 9, protection, 2)
    return fields + path + bytes(8 - len(path) % 8) + TIME


def test_a_library_that_is_mapped_executable():
    mapping = Mapping("7f000000-7f005000", "/usr/lib/libssl.so.3", is_deleted=False, inode=(254, 1, 4711, 9))
    assert parse(MMAP2, _mmap(b"/usr/lib/libssl.so.3")) == Mapped(17, mapping, AT_S)


def test_one_that_is_deleted():
    event = parse(MMAP2, _mmap(b"/opt/libssl.so.3 (deleted)"))
    assert isinstance(event, Mapped)
    assert (event.mapping.path, event.mapping.is_deleted) == ("/opt/libssl.so.3", True)


@pytest.mark.parametrize(
    "path", [b"//anon", b"[vdso]", b"[uprobes]", b"/dev/zero", b"/memfd:jit", b"anon_inode:x", b""]
)
def test_what_is_no_file_is_not_told(path):
    assert parse(MMAP2, _mmap(path)) is None


def test_data_is_not_told():
    assert parse(MMAP2, _mmap(b"/usr/lib/libssl.so.3", READ)) is None


def test_a_fork_and_no_thread():
    assert parse(FORK, struct.pack("<IIII", 9, 7, 9, 7) + bytes(8) + TIME) == Forked(9, 7, AT_S)
    assert parse(FORK, struct.pack("<IIII", 9, 9, 10, 9) + bytes(8) + TIME) is None
    assert parse(EXIT, struct.pack("<IIII", 9, 7, 9, 7) + bytes(8) + TIME) is None


@given(st.binary(min_size=72, max_size=5000))
def test_any_bytes_of_a_name_are_taken(noise):
    event = parse(MMAP2, _mmap(b"/" + noise.replace(b"\0", b"")))
    assert event is None or isinstance(event, Mapped)


def test_processors_are_read_as_the_kernel_lists_them():
    assert list(processors("0-3,8,10-11\n")) == [0, 1, 2, 3, 8, 10, 11]
    with pytest.raises(ValueError, match="invalid literal"):
        list(processors("none"))
