"""The workload a process belongs to, by its cgroup path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.cgroups import cgroup
from llmslo_exporter.identity import Workload
from llmslo_exporter.processes import Process
from llmslo_exporter.workload import MAX_NAME, workload

ID = "0123456789abcdef" * 4


def named(lines, name="python3.11"):
    return workload(Process(1, 2, f"/usr/bin/{name}", cgroup(lines.encode())))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "python3.11"),
        ("/system.slice/ollama.service", "ollama.service"),
        ("/system.slice/system-vllm.slice/vllm@0.service", "vllm@0.service"),
        ("/system.slice/a\\x2db.service", "a-b.service"),
        ("/system.slice/ollama.service/runner", "ollama.service"),
        ("/../../system.slice/x.service", "x.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "python3.11"),
        ("/user.slice/user-1000.slice/user@1000.service", "python3.11"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1.scope", "python3.11"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service", "agent.service"),
        ("/init.scope", "python3.11"),
        (f"/docker/{ID}", "python3.11"),
        (f"/system.slice/docker-{ID}.scope", "python3.11"),
        (f"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}", "python3.11"),
        (f"/docker/{ID}/system.slice/inner.service", "inner.service"),
        (f"/system.slice/web.service/libpod-payload-{ID}", "web.service"),
        ("/lxc.payload.gateway/system.slice/x.service", "gateway"),
        ("/lxc/gateway/x", "gateway"),
        ("/machine.slice/systemd-nspawn@build\\x2dbox.service/payload", "build-box"),
    ],
)
def test_workload_by_cgroup_path(path, expected):
    assert named(f"0::{path}\n") == Workload("", expected)


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("0::/a.service\n1:name=systemd:/b.service\n", "/a.service"),
        ("0::/\n4:memory:/m\n1:name=systemd:/s.service\n", "/s.service"),
        ("0::/\n4:memory:/m\n3:cpu,cpuacct:/c\n", "/m"),
        ("3:cpu,cpuacct:/c\n", "/c"),
        ("9:freezer:/f\n", "/"),
        ("0::/../..\n", "/"),
        ("", "/"),
    ],
)
def test_the_hierarchy_that_tells_most(lines, path):
    assert cgroup(lines.encode()) == path


def test_a_process_never_read_is_the_overflow():
    assert workload(None) == Workload("", "_other")


@given(st.text(), st.text(max_size=300))
def test_names_are_printable_and_short(path, name):
    found = workload(Process(1, 2, name, path))
    assert found.namespace == ""
    assert 0 < len(found.workload) <= MAX_NAME
    assert found.workload.isprintable()
