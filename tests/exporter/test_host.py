"""What is made of the kernel's files, good ones and bad ones."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from llmslo_exporter.condition import Level
from llmslo_exporter.host import Host

ALL = (1 << 41) - 1


def files(folder: Path, uid: int = 0, capabilities: int = ALL) -> Path:
    for name, text in {
        "sys/kernel/btf/vmlinux": "btf",
        "sys/kernel/tracing/events/x": "",
        "sys/fs/cgroup/cgroup.controllers": "cpu",
        "proc/self/status": f"Name:\tx\nUid:\t1000\t{uid}\t0\t0\nCapEff:\t{capabilities:016x}\n",
        "proc/sys/net/core/bpf_jit_enable": "1\n",
        "proc/net/tls_stat": "TlsCurrTxSw                     \t0\nTlsTxSw  \t9\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "proc/self/ns").mkdir()
    (folder / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    return folder


def found(folder: Path, release: str = "6.12.0", machine: str = "x86_64", locked: int = 1 << 20):
    return {one.name: one for one in Host(folder, release, machine, locked).conditions()}


def test_a_good_machine_has_nothing_to_do(tmp_path):
    conditions = found(files(tmp_path))
    assert {one.level for one in conditions.values()} == {Level.OK}
    assert not any(one.todo for one in conditions.values())


def test_a_machine_with_no_file_at_all_is_told_without_an_error(tmp_path):
    conditions = found(tmp_path)
    assert conditions["btf"].level is Level.FAIL
    assert conditions["user"].level is Level.UNKNOWN
    assert all(one.todo for one in conditions.values() if one.level is not Level.OK)


@pytest.mark.parametrize(
    ("release", "level"),
    [("4.19.0", "fail"), ("5.7.19", "fail"), ("5.15.0-x", "warn"), ("6.1.0", "ok"), ("7.0", "ok"), ("odd", "fail")],
)
def test_kernels(tmp_path, release, level):
    assert found(tmp_path, release)["kernel"].level is Level(level)


def test_another_architecture(tmp_path):
    assert found(tmp_path, machine="aarch64")["architecture"].level is Level.FAIL


def test_a_user_who_is_not_root(tmp_path):
    conditions = found(files(tmp_path, uid=1000, capabilities=0))
    assert conditions["user"].level is Level.FAIL
    assert "sudo" in conditions["user"].todo
    assert "capabilities" not in conditions


@pytest.mark.parametrize(
    ("held", "level", "word"),
    [
        (0, "fail", "CAP_BPF, CAP_PERFMON"),
        (1 << 39, "fail", "CAP_PERFMON"),
        (1 << 39 | 1 << 38, "warn", "CAP_SYS_PTRACE"),
        (1 << 39 | 1 << 38 | 1 << 19 | 1 << 2 | 1 << 40, "ok", "CAP_BPF"),
        (1 << 21 | 1 << 19 | 1 << 2, "ok", "CAP_BPF"),  # CAP_SYS_ADMIN stands for what was cut out of it
        (1 << 21, "warn", "CAP_SYS_PTRACE"),
    ],
)
def test_root_without_capabilities(tmp_path, held, level, word):
    condition = found(files(tmp_path, capabilities=held))["capabilities"]
    assert condition.level is Level(level)
    assert word in condition.found


@pytest.mark.parametrize(
    ("text", "level"),
    [("[none] integrity confidentiality", "ok"), ("none [integrity] confidentiality", "ok"),
     ("none integrity [confidentiality]", "fail")],
)  # fmt: skip
def test_lockdown(tmp_path, text, level):
    path = files(tmp_path) / "sys/kernel/security/lockdown"
    path.parent.mkdir()
    path.write_text(text)
    assert found(tmp_path)["lockdown"].level is Level(level)


@pytest.mark.parametrize(
    ("release", "locked", "level"),
    [("5.10", 1 << 16, "warn"), ("5.10", resource.RLIM_INFINITY, "ok"), ("5.11", 1 << 16, "ok")],
)
def test_locked_memory_matters_before_5_11(tmp_path, release, locked, level):
    assert found(tmp_path, release, locked=locked)["memlock"].level is Level(level)


@pytest.mark.parametrize(
    ("made", "version"),
    [(["cgroup.controllers"], "v2"), (["unified/cgroup.controllers", "cpu/tasks"], "v1 and v2 (hybrid)"),
     (["cpu/tasks"], "v1"), ([], "none")],
)  # fmt: skip
def test_cgroups(tmp_path, made, version):
    for name in made:
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert found(tmp_path)["cgroups"].found == version


def test_what_costs_or_hides_is_a_warning(tmp_path):
    files(tmp_path)
    (tmp_path / "proc/sys/net/core/bpf_jit_enable").write_text("0\n")
    (tmp_path / "proc/net/tls_stat").write_text("TlsCurrTxSw                     \t2\nTlsCurrRxDevice\t1\n")
    (tmp_path / "proc/self/ns/pid").unlink()
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026532201]")
    conditions = found(tmp_path)
    assert {name for name, one in conditions.items() if one.level is Level.WARN} == {
        "sysctl",
        "kTLS",
        "processes of the node",
    }
    assert conditions["kTLS"].found == "3 connections"
    assert "hostPID" in conditions["processes of the node"].todo
