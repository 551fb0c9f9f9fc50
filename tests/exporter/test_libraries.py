"""Which files are probed, for whom, and when they are let go."""

from __future__ import annotations

import errno
import os
import ssl
from pathlib import Path

import pytest

from llmslo_exporter import libraries as module
from llmslo_exporter.libraries import LINGER_S, FileKey, Libraries, installed
from llmslo_exporter.mappings import MAX_MAPS_BYTES, Mapping, parse, read_maps
from llmslo_exporter.sites import Hook
from tests.exporter.elf_image import PUSH, RET, image

TLS = image({"SSL_read": [PUSH, RET], "SSL_write": [PUSH, RET]})
PLAIN = image({"SSL_free": [PUSH, RET]}, build_id=b"x" * 20)
GO = image({}, note=b"Go\0\0", build_id=b"abcd")


class Node:
    """A /proc and a root file system in a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.root = folder / "root"
        self.root.mkdir()

    def file(self, path: str, data: bytes) -> FileKey:
        full = self.root / path.lstrip("/")
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)
        full.chmod(0o755)
        found = full.stat()
        return FileKey(found.st_dev, found.st_ino)

    def process(self, pid: int, *paths: str, map_files: bool = True) -> None:
        folder = self.proc / str(pid)
        (folder / "map_files").mkdir(parents=True, exist_ok=True)
        if not (folder / "root").exists():
            (folder / "root").symlink_to(self.root)
        lines = []
        for n, path in enumerate(paths):
            first, last = 0x400000 + n * 0x10000, 0x408000 + n * 0x10000
            span = f"{first:x}-{last:x}"
            lines += [
                f"{first - 0x1000:08x}-{first:08x} r--p 00000000 08:01 {n + 7}                   {path}",
                f"{first:08x}-{last:08x} r-xp 00001000 08:01 {n + 7}                   {path}",
            ]
            link = folder / "map_files" / span
            if map_files and not link.is_symlink():
                link.symlink_to(self.root / path.removesuffix(" (deleted)").lstrip("/"))
        (folder / "maps").write_text("\n".join([*lines, "7ffd0000-7ffd1000 r-xp 00000000 00:00 0  [vdso]", ""]))


@pytest.fixture(name="node")
def fixture_node(tmp_path):
    return Node(tmp_path)


def test_a_library_is_attached_once_and_let_go_with_its_last_user(node):
    key = node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3")
    node.process(2, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    (target,) = plan.see(1)
    assert (target.key, target.name) == (key, "libssl.so.3")
    assert target.path == f"{node.proc}/1/map_files/400000-408000"
    assert {site.hook for site in target.sites} == {Hook.READ, Hook.WRITE}
    assert plan.see(2) == ()
    assert plan.see(1) == ()
    plan.gone(1, 100.0)
    plan.gone(1, 100.0)
    assert plan.lapsed(200.0) == ()
    plan.gone(2, 200.0)
    assert plan.lapsed(200.0 + LINGER_S - 0.1) == ()
    assert plan.lapsed(200.0 + LINGER_S) == (key,)
    assert plan.lapsed(300.0) == ()
    assert len(plan.see(1)) == 1


def test_a_file_that_is_used_again_in_time_stays_attached(node):
    key = node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    assert len(plan.see(1)) == 1
    plan.gone(1, 100.0)
    assert plan.see(1) == ()
    assert plan.lapsed(200.0) == ()
    assert (plan.users(key), plan.keys(1)) == ({1}, {key})


def test_nothing_lingers_in_a_crowd(node, monkeypatch):
    monkeypatch.setattr(module, "_CROWDED", 2)
    keys = [node.file(f"/lib/{pid}/libssl.so", TLS) for pid in (1, 2, 3)]
    plan = Libraries(node.proc)
    for pid in (1, 2, 3):
        node.process(pid, f"/lib/{pid}/libssl.so")
        plan.see(pid)
    for pid in (1, 2, 3):
        plan.gone(pid, 100.0)
    assert plan.lapsed(100.0) == tuple(keys[:2])
    assert plan.lapsed(100.0 + LINGER_S) == (keys[2],)


def test_a_file_whose_bytes_are_written_over_is_attached_anew(node):
    """The kernel copies an instruction once: probes of the old bytes would send later processes astray."""
    key = node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3")
    node.process(2, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    plan.see(1)
    node.file("/lib/libssl.so.3", TLS + b"longer")  # the same inode
    (target,) = plan.see(2)
    assert target.key == key
    assert (plan.users(key), plan.lapsed(1000.0)) == ({1, 2}, ())


def test_a_file_that_is_no_tls_any_more_is_let_go_at_once(node):
    key = node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    plan.see(1)
    node.file("/lib/libssl.so.3", b"not an ELF file any more")
    assert plan.see(1) == ()
    assert plan.lapsed(100.0) == (key,)
    assert plan.keys(1) == frozenset()


def test_a_prepared_file_that_was_replaced_is_let_go(node):
    key = node.file("/usr/bin/node", TLS)
    plan = Libraries(node.proc)
    path = node.root / "usr/bin/node"
    plan.prepare([path])
    plan.unprepare(100.0)
    assert plan.lapsed(200.0) == ()
    path.rename(node.root / "usr/bin/old")
    plan.unprepare(200.0)
    assert plan.lapsed(200.0 + LINGER_S) == (key,)
    assert plan.lapsed(1000.0) == ()


def _told(key: FileKey, path: str, generation: int = 7) -> Mapping:
    device = os.major(key.device), os.minor(key.device)
    return Mapping("400000-408000", path, is_deleted=False, inode=(*device, key.inode, generation))


def test_a_file_told_to_hold_no_tls_is_not_asked_for_again(node, monkeypatch):
    key = node.file("/lib/libc.so.6", PLAIN)
    node.process(1, "/lib/libc.so.6")
    plan = Libraries(node.proc)
    told = _told(key, "/lib/libc.so.6")
    assert plan.mapped(1, told) == ()
    assert plan.mapped(1, told) == ()
    monkeypatch.setattr(plan, "_located", lambda *_: pytest.fail("asked again"))
    assert plan.mapped(2, told) == ()


def test_the_library_of_a_process_that_is_gone_is_found_where_it_lies_for_us(node):
    key = node.file("/lib/libssl.so.3", TLS)
    path = str(node.root / "lib/libssl.so.3")
    plan = Libraries(node.proc)
    (target,) = plan.mapped(99, _told(key, path))
    assert (target.key, target.path, plan.missed) == (key, path, 0)


@pytest.mark.parametrize(("name", "missed"), [("libssl.so.3", 1), ("libc.so.6", 0)])
def test_a_process_that_is_gone_is_missed_where_it_had_tls(node, name, missed):
    plan = Libraries(node.proc)
    assert plan.mapped(99, _told(FileKey(1, 2), f"/elsewhere/{name}")) == ()
    assert (plan.missed, plan.refused["unreadable"]) == (missed, 1)


def test_one_without_a_descriptor_left_is_counted(node, monkeypatch):
    node.process(1, "/lib/libssl.so.3")
    plan = Libraries(node.proc)

    def full(*_):
        raise OSError(errno.EMFILE, "no")

    monkeypatch.setattr(module, "read_maps", full)
    assert plan.see(1) == ()
    assert plan.refused["unreadable"] == 1


def test_any_file_that_defines_the_functions_counts(node):
    node.file("/usr/bin/node", TLS)
    node.file("/usr/lib/libpython3.13.so", TLS.replace(bytes(range(20)), b"p" * 20))
    node.file("/usr/lib/libssl3.so", PLAIN)
    node.process(1, "/usr/bin/node", "/usr/lib/libpython3.13.so", "/usr/lib/libssl3.so")
    assert [target.name for target in Libraries(node.proc).see(1)] == ["node", "libpython3.13.so"]


def test_a_deleted_file_is_found_by_its_mapping(node):
    node.file("/opt/libssl.so.1.1", TLS)
    node.process(1, "/opt/libssl.so.1.1 (deleted)")
    assert [target.name for target in Libraries(node.proc).see(1)] == ["libssl.so.1.1"]


def test_without_map_files_the_namespace_of_the_process_is_used(node):
    node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3", map_files=False)
    (target,) = Libraries(node.proc).see(1)
    assert target.path == f"{node.proc}/1/root/lib/libssl.so.3"


def test_an_unreadable_mapping_is_counted_and_tried_again(node):
    node.process(1, "/lib/libssl.so.3", map_files=False)
    plan = Libraries(node.proc)
    assert plan.see(1) == ()
    assert plan.refused["unreadable"] == 1
    node.file("/lib/libssl.so.3", TLS)
    assert len(plan.see(1)) == 1


def test_a_file_without_tls_is_read_once(node, monkeypatch):
    node.file("/bin/true", PLAIN)
    node.process(1, "/bin/true")
    plan = Libraries(node.proc)
    assert plan.see(1) == ()
    monkeypatch.setattr(module, "opened_read", lambda path: pytest.fail(f"read {path} again"))
    assert plan.see(1) == ()


def test_a_replaced_file_is_looked_at_again(node):
    node.file("/bin/agent", PLAIN)
    node.process(1, "/bin/agent")
    plan = Libraries(node.proc)
    assert plan.see(1) == ()
    node.file("/bin/agent", TLS + b"longer")  # the same inode
    assert len(plan.see(1)) == 1


def test_a_prepared_file_stays_without_users(node):
    key = node.file("/usr/bin/node", TLS)
    node.process(1, "/usr/bin/node")
    plan = Libraries(node.proc)
    path = node.root / "usr/bin/node"
    (target,) = plan.prepare([path, path, node.root / "absent"])
    assert (target.key, target.path) == (key, str(path))
    assert plan.see(1) == ()
    plan.gone(1, 0.0)
    assert plan.lapsed(1000.0) == ()
    assert plan.prepare([path]) == ()


def test_a_failed_attach_is_offered_again_up_to_a_limit(node):
    key = node.file("/lib/libssl.so.3", TLS)
    node.process(1, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    offers = 0
    while plan.see(1):
        plan.failed(key)
        offers += 1
    assert offers == 16
    assert plan.refused["attach"] == 16
    plan.gone(1, 0.0)
    assert plan.lapsed(1000.0) == ()


def test_limits_are_counted(node, monkeypatch):
    monkeypatch.setattr(module, "MAX_TARGETS", 1)
    monkeypatch.setattr(module, "MAX_PROCESSES", 2)
    for pid in (1, 2, 3):
        node.file(f"/lib/{pid}/libssl.so", TLS)
        node.process(pid, f"/lib/{pid}/libssl.so")
    plan = Libraries(node.proc)
    assert [len(plan.see(pid)) for pid in (1, 2, 3)] == [1, 0, 0]
    assert plan.refused == {"targets_full": 1, "processes_full": 1, "maps_cut": 0, "unreadable": 0, "attach": 0}
    assert plan.pids == {1, 2}


def test_tls_without_hooks_is_named(node):
    for path, data in (("/lib/libgnutls.so.30", PLAIN), ("/lib/libnss3.so", PLAIN), ("/bin/agent", GO)):
        node.file(path, data)
    node.process(1, "/bin/agent", "/lib/libgnutls.so.30", "/lib/libnss3.so")
    plan = Libraries(node.proc)
    plan.see(1)
    assert plan.unhooked(1) == {"go", "gnutls", "nss"}
    assert plan.unhooked(2) == frozenset()


def test_a_process_that_is_gone_has_nothing(node):
    assert Libraries(node.proc).see(4242) == ()


def test_a_long_maps_file_is_cut_at_a_line(node):
    node.process(1, *(f"/lib/{'x' * 200}{n}.so" for n in range(3_000)), map_files=False)
    text, is_cut = read_maps(node.proc, 1)
    assert is_cut
    assert len(text) <= MAX_MAPS_BYTES
    assert text.endswith(b".so\n")
    plan = Libraries(node.proc)
    plan.see(1)
    assert plan.refused["maps_cut"] == 1


def test_maps_lines_that_are_no_files_are_left_out():
    text = b"""\
00400000-00401000 r-xp 00000000 08:01 7    /bin/a b\\012c
00401000-00402000 rw-p 00000000 08:01 7    /bin/data
7f0000000000-7f0000001000 rwxp 00000000 00:01 9    /memfd:jit (deleted)
7f0000002000-7f0000003000 r-xp 00000000 00:05 9    /dev/zero
7f0000004000-7f0000005000 rwxp 00000000 00:00 0
7f0000006000-7f0000007000 r-xp 00000000 00:00 0    [vdso]
7f0000008000-7f0000009000 r-xp 00000000 08:01 8    /lib/l.so (deleted)
7f000000a000-7f000000b000 r-xp 00000000 08:01 8    /lib/l.so (deleted)
garbage
"""
    found = [(mapping.span, mapping.path, mapping.is_deleted) for mapping in parse(text)]
    assert found == [
        ("400000-401000", "/bin/a b\nc", False),
        ("7f0000008000-7f0000009000", "/lib/l.so", True),
    ]


def test_installed_files_are_libraries_and_large_executables(node):
    node.file("/usr/lib/x86_64-linux-gnu/libssl.so.3", TLS)
    node.file("/usr/lib/x86_64-linux-gnu/libz.so.1", PLAIN)
    node.file("/usr/bin/node", TLS + bytes(2 << 20))
    node.file("/usr/bin/true", PLAIN)
    (node.root / "usr/bin/node-data").write_bytes(bytes(2 << 20))
    found = installed("/usr/bin:relative:/absent:/usr/bin", node.root)
    assert [path.name for path in found] == ["libssl.so.3", "node"]


def test_this_very_process_is_seen():
    _ = ssl.OPENSSL_VERSION  # the library behind it is mapped
    plan = Libraries()
    targets = plan.see(os.getpid())
    maps = Path("/proc/self/maps").read_text()
    assert ("libssl" in maps) <= any(target.sites for target in targets)
    assert plan.refused["unreadable"] == 0 or os.geteuid() != 0


BOUND_BYTES = 256 << 20  # string table, symbols, relocations and notes, each within its limit


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0x28, (1 << 30) - 64 * 65_000),  # section headers at the end of the file
        (0x28, (1 << 63) - 1),
        (0x20, (1 << 30) - 56),  # program headers there
        (0x3C, 0xFFFF),  # so many section headers
        (0x38, 0xFFFF),  # so many program headers
    ],
)
def test_a_sparse_gigabyte_with_absurd_headers_is_read_within_a_bound(node, monkeypatch, at, value):
    key = node.file("/lib/libssl.so.3", TLS)
    path = node.root / "lib/libssl.so.3"
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value.to_bytes(8 if at < 0x34 else 2, "little"))
        file.truncate(1 << 30)
    node.process(1, "/lib/libssl.so.3")
    read = 0

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal read
        data = pread(descriptor, size, offset)
        read += len(data)
        return data

    pread = os.pread
    monkeypatch.setattr(os, "pread", counted)
    plan = Libraries(node.proc)
    assert len(plan.see(1)) <= 1
    assert 0 < read <= BOUND_BYTES
    assert plan.users(key) <= {1}


@pytest.mark.parametrize("size", [0, 4, 63, 64, 200, 4096])
def test_a_truncated_library_holds_nothing(node, size):
    node.file("/lib/libssl.so.3", TLS[:size])
    node.process(1, "/lib/libssl.so.3")
    assert Libraries(node.proc).see(1) == ()


def test_what_is_no_regular_file_is_never_opened(node):
    """A FIFO at the path of a library would block whoever opens it."""
    (node.root / "lib").mkdir()
    os.mkfifo(node.root / "lib/libssl.so.3")
    node.process(1, "/lib/libssl.so.3")
    plan = Libraries(node.proc)
    assert plan.see(1) == ()
    assert plan.refused["unreadable"] == 1


def test_ten_thousand_processes_leave_nothing_behind(node):
    key = node.file("/lib/libssl.so.3", TLS)
    plan = Libraries(node.proc)
    told = _told(key, str(node.root / "lib/libssl.so.3"))
    for pid in range(1, 10_001):
        plan.mapped(pid, told)
    assert len(plan.users(key)) == 10_000
    for pid in range(1, 10_001):
        plan.gone(pid, 100.0)
    assert plan.lapsed(100.0 + LINGER_S) == (key,)
    assert not plan.pids
