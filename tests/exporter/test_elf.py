"""ELF files as found on a node: real ones, hand-made ones, cut and hostile ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmslo_exporter.builds import Builds
from llmslo_exporter.elf import ElfError, ElfFile, Machine, UnreadableError, opened, opened_read
from llmslo_exporter.sites import choose
from tests.exporter.elf_image import BASE, PUSH, RET, Call, Jump, image, start

FUNCTIONS = {
    "SSL_read": [PUSH, Call("internal"), RET],
    "SSL_read_ex": [PUSH, RET],
    "SSL_write": [PUSH, Jump("internal")],
    "internal": [PUSH, RET],
}
LIBSSL = Path("/usr/lib/x86_64-linux-gnu/libssl.so.3")
NODE = Path(shutil.which("node") or "/usr/bin/node")


@pytest.mark.parametrize("table", ["gnu", "sysv", "sections", "symtab"])
def test_symbols_are_found_through_every_kind_of_table(table):
    elf = ElfFile.of_bytes(image(FUNCTIONS, table=table))
    found = elf.symbols(["SSL_read", "SSL_write", "SSL_write_ex2", "internal"])
    assert {name: symbol.offset for name, symbol in found.items()} == {
        "SSL_read": start(FUNCTIONS, "SSL_read"),
        "SSL_write": start(FUNCTIONS, "SSL_write"),
    }
    assert found["SSL_read"].vaddr == BASE + found["SSL_read"].offset
    assert found["SSL_read"].size == 7


def test_an_image_without_symbols_has_none():
    assert ElfFile.of_bytes(image({"internal": [RET]})).symbols(["SSL_read"]) == {}


def test_header_facts_are_read():
    elf = ElfFile.of_bytes(image(FUNCTIONS, machine=183, needed=["libcrypto.so.3", "libc.so.6"]))
    assert elf.machine == Machine.AARCH64
    assert elf.build_id == bytes(range(20)).hex()
    assert elf.needed == ("libcrypto.so.3", "libc.so.6")
    assert not elf.is_go


def test_go_is_told_by_its_note():
    elf = ElfFile.of_bytes(image({}, note=b"Go\0\0", build_id=b"abcd"))
    assert elf.is_go
    assert elf.build_id is None


def test_code_ends_with_its_segment():
    data = image(FUNCTIONS)
    elf = ElfFile.of_bytes(data)
    assert elf.code(BASE + start(FUNCTIONS, "SSL_read"), 1) == PUSH
    assert len(elf.code(BASE + len(data) - 3, 100)) == 3
    with pytest.raises(ElfError, match="no loaded segment"):
        elf.code(BASE - 1, 1)


def test_import_is_named_by_its_slot():
    elf = ElfFile.of_bytes(image(FUNCTIONS))
    assert elf.import_at(BASE + 0x8008) == "SSL_read_ex"
    assert elf.import_at(BASE + 0x8001) is None


@pytest.mark.parametrize("text", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100)])
def test_foreign_files_are_refused(text):
    with pytest.raises(ElfError):
        ElfFile.of_bytes(text)


def everything(elf):
    choose(elf)
    _ = (elf.build_id, elf.is_go, elf.needed)
    elf.import_at(BASE + 0x8000)


IMAGE = image(FUNCTIONS, needed=["libc.so.6"])
TABLES = [image(FUNCTIONS, table=table) for table in ("gnu", "sysv", "sections", "symtab")]


@pytest.mark.parametrize("size", [*range(0, 300, 7), *range(0, len(IMAGE), 97)])
def test_a_cut_file_raises_only_elf_errors(size):
    with contextlib.suppress(ElfError):
        everything(ElfFile.of_bytes(IMAGE[:size]))


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(TABLES),
    st.lists(st.tuples(st.integers(0, len(IMAGE) - 1), st.binary(min_size=1, max_size=8)), max_size=12),
    st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=8)), max_size=6),
    st.lists(st.tuples(st.integers(0xA000, len(IMAGE) - 1), st.binary(min_size=1, max_size=8)), max_size=12),
)
@example(TABLES[0], [], [(42, b"\xff" * 8)], [])
def test_hostile_bytes_raise_only_elf_errors(whole, anywhere, in_headers, in_tables):
    data = bytearray(whole)
    for at, patch in (*anywhere, *in_headers, *in_tables):
        data[at : at + len(patch)] = patch
    with contextlib.suppress(ElfError):
        everything(ElfFile.of_bytes(bytes(data)))


def test_unreadable_is_told_from_foreign(tmp_path):
    with pytest.raises(UnreadableError), opened(tmp_path / "absent"):
        pass
    with pytest.raises(ElfError, match="not a regular file"), opened(tmp_path):
        pass
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ElfError, match="not a regular file"), opened(tmp_path / "fifo"):
        pass


def test_a_file_cut_while_open_is_an_elf_error(tmp_path):
    path = tmp_path / "libssl.so.3"
    path.write_bytes(IMAGE)
    with opened(path) as elf:
        os.truncate(path, 100)
        with pytest.raises(ElfError):
            elf.symbols(["SSL_read"])


@pytest.mark.parametrize("path", [LIBSSL, NODE], ids=str)
def test_real_symbols_are_those_nm_lists(path):
    if not path.exists() or not shutil.which("nm"):
        pytest.skip(f"needs {path} and nm")
    lines = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    listed = {line.split()[2].split("@")[0]: int(line.split()[0], 16) for line in lines.splitlines() if " T " in line}
    names = [name for name in listed if name.startswith("SSL_")]
    with opened(path) as elf:
        found = elf.symbols([*names, "SSL_no_such_function"])
        assert {name: symbol.vaddr for name, symbol in found.items()} == {name: listed[name] for name in names}
        assert elf.machine in list(Machine)
        assert len(elf.build_id or "") == 40


class Counted:
    """A Read that counts its calls."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0

    def __call__(self, offset: int, size: int) -> bytes:
        self.reads += 1
        return self.data[offset : offset + size]


def test_a_known_build_is_not_decoded_again(monkeypatch):
    builds = Builds()
    first = builds.examine(Counted(IMAGE))
    monkeypatch.setattr("llmslo_exporter.builds.choose", lambda _elf: pytest.fail("decoded twice"))
    assert first.sites
    assert builds.examine(Counted(IMAGE)) == first


def test_a_build_id_alone_moves_nobodys_probes():
    builds = Builds()
    hostile = image({"SSL_read": [RET], "SSL_filler": [bytes(100)], "SSL_write": [PUSH, RET]})
    assert builds.examine(Counted(hostile)).sites != builds.examine(Counted(IMAGE)).sites
    assert builds.examine(Counted(IMAGE)).sites == choose(ElfFile.of_bytes(IMAGE))


def test_a_real_build_is_recognised():
    if not LIBSSL.exists():
        pytest.skip(f"needs {LIBSSL}")
    builds = Builds()
    with opened_read(LIBSSL) as read:
        assert builds.examine(read) == builds.examine(read)
