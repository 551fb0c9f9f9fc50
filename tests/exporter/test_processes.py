"""Facts of processes: read early, kept past the end, bounded."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from llmslo_exporter.cgroups import CgroupLine, parse_cgroups
from llmslo_exporter.processes import MAX_ENDED, Processes, parse_stat

STAT = "{pid} (a ) b (c) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {start} {memory} 20 18446744073709551615"


class Node:
    def __init__(self, proc: Path) -> None:
        self.proc = proc

    def process(self, pid: int, start: int, executable: str, cgroup: str = "0::/\n", memory: int = 4096) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(STAT.format(pid=pid, start=start, memory=memory))
        (folder / "cgroup").write_text(cgroup)
        (folder / "exe").unlink(missing_ok=True)
        (folder / "exe").symlink_to(executable)

    def end(self, pid: int) -> None:
        for file in (self.proc / str(pid)).iterdir():
            file.unlink()


@pytest.fixture(name="node")
def fixture_node(tmp_path):
    return Node(tmp_path)


def test_facts_outlive_the_process(node):
    node.process(7, 100, "/usr/bin/curl (deleted)", "0::/system.slice/a.service\n")
    known = Processes(node.proc)
    seen = known.see(7)
    node.end(7)
    known.gone(7, now_s=10)
    assert seen is not None
    assert known.of(7) == known.see(7) == seen
    assert (seen.name, seen.start_ticks) == ("curl", 100)
    assert seen.cgroup == "/system.slice/a.service"
    known.forget(before_s=10)
    assert known.of(7) == seen
    known.forget(before_s=11)
    assert known.of(7) is None
    assert len(known) == 0


def test_an_exec_is_seen_when_asked_and_of_does_not_read_again(node):
    node.process(7, 100, "/bin/bash")
    known = Processes(node.proc)
    assert known.of(7).name == "bash"
    node.process(7, 100, "/usr/bin/curl")
    assert known.of(7).name == "bash"
    assert known.see(7).name == "curl"


def test_a_pid_used_again_is_not_forgotten_with_its_first_owner(node):
    node.process(7, 100, "/bin/a")
    known = Processes(node.proc)
    known.see(7)
    known.gone(7, now_s=1)
    node.process(7, 200, "/bin/b")
    known.see(7)
    known.forget(before_s=100)
    assert known.of(7).name == "b"


def test_a_missed_end_is_found_by_the_sweep(node):
    for pid, name in ((1, "stays"), (2, "ends"), (3, "first")):
        node.process(pid, 100, f"/bin/{name}")
    known = Processes(node.proc)
    for pid in (1, 2, 3):
        known.see(pid)
    node.end(2)
    node.process(3, 500, "/bin/second")
    known.sweep({1, 3}, now_s=5)
    known.forget(before_s=6)
    assert len(known) == 2
    assert known.of(2) is None


def test_a_process_is_looked_at_again_when_it_is_another_or_has_mapped_more(node):
    node.process(7, 100, "/bin/a")
    known = Processes(node.proc)
    assert not known.is_as_seen(7)
    known.see(7)
    assert known.is_as_seen(7)
    node.process(7, 100, "/bin/a", memory=8192)
    assert not known.is_as_seen(7)
    node.process(7, 200, "/bin/b")
    assert not known.is_as_seen(7)


def test_kernel_threads_and_the_dead_show_nothing_new(node):
    node.process(2, 100, "/unused", memory=0)
    known = Processes(node.proc)
    assert known.is_as_seen(2)
    assert known.is_as_seen(99)


def test_the_limit_drops_ended_processes_first(node):
    for pid in (1, 2, 3):
        node.process(pid, 100, f"/bin/p{pid}")
    known = Processes(node.proc, limit=2)
    known.see(1)
    known.see(2)
    known.gone(2, now_s=1)
    known.see(3)
    node.end(2)
    assert known.evicted == 1
    assert [known.of(pid) is not None for pid in (1, 2, 3)] == [True, False, True]


def test_of_ended_processes_only_so_many_are_kept_however_fast_they_come(node):
    known = Processes(node.proc, ended_limit=2)
    for pid in (1, 2, 3):
        node.process(pid, 100, f"/bin/p{pid}")
        known.see(pid)
    node.process(4, 100, "/bin/stays")
    known.see(4)
    for pid in (1, 2, 3):
        node.end(pid)
        known.gone(pid, now_s=pid)
    assert [known.known(pid) is not None for pid in (1, 2, 3, 4)] == [False, True, True, True]
    assert len(known) == 3


def test_missed_ends_count_against_the_same_limit(node):
    known = Processes(node.proc, ended_limit=2)
    for pid in range(1, 6):
        node.process(pid, 100, "/bin/p")
        known.see(pid)
    known.sweep(frozenset(), now_s=1)
    assert len(known) == 2


def test_ten_thousand_processes_of_one_program_cost_no_texts_of_their_own(node):
    lines = "".join(f"{n}:c{n}:/kubepods/pod{'a' * 64}/{'b' * 64}\n" for n in range(12))
    known = Processes(node.proc)
    tracemalloc.start()
    try:
        before_bytes = tracemalloc.get_traced_memory()[0]
        for pid in range(1, 1001):
            node.process(pid, pid, "/opt/app/bin/agent", lines)
            known.see(pid)
            known.gone(pid, now_s=pid)
        held_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    finally:
        tracemalloc.stop()
    assert len(known) == 1000
    assert held_bytes / 1000 < 600
    assert MAX_ENDED * held_bytes / 1000 < 5e6


def test_a_process_never_read_is_none(node):
    assert Processes(node.proc).see(9) is None


def test_cgroup_lines_of_every_hierarchy():
    text = b"12:cpu,cpuacct:/docker/ab\n1:name=systemd:/a:b\n0::/init.scope\nnonsense\n:x\n\xff:\xff:\xff\n"
    assert parse_cgroups(text) == (
        CgroupLine(("cpu", "cpuacct"), "/docker/ab"),
        CgroupLine(("systemd",), "/a:b"),
        CgroupLine((), "/init.scope"),
    )


@pytest.mark.parametrize("text", [b"", b"1 (x", b"1 (x) S 1 2 3", b"1 (x) " + b"z " * 30])
def test_a_cut_stat_says_nothing(text):
    assert parse_stat(text) is None


def test_this_very_process():
    seen = Processes().see(os.getpid())
    assert seen is not None
    assert seen.name == Path("/proc/self/exe").readlink().name
    assert seen.start_ticks > 0


def test_a_cgroup_path_of_four_thousand_bytes_is_cut_at_its_front(node):
    path = "/" + "x" * 4000 + "/system.slice/a.service"
    node.process(7, 100, "/usr/bin/curl", f"0::{path}\n")
    seen = Processes(node.proc).see(7)
    assert seen is not None
    assert len(seen.cgroup) == 1024
    assert seen.cgroup.endswith("/system.slice/a.service")


def test_more_hierarchies_than_there_are_cost_nothing(node):
    node.process(7, 100, "/usr/bin/curl", "".join(f"{n}:name=x{n}:/{'y' * 200}\n" for n in range(300)))
    seen = Processes(node.proc).see(7)
    assert seen is not None
    assert seen.cgroup == "/"


def test_the_path_of_the_executable_is_kept_for_whoever_excludes_by_it(node):
    node.process(7, 100, "/opt/agent/bin/agent (deleted)")
    seen = Processes(node.proc).see(7)
    assert seen is not None
    assert (seen.path, seen.name) == ("/opt/agent/bin/agent", "agent")
