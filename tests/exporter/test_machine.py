"""What the machine must have, each lack one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmslo_exporter import machine
from llmslo_exporter.bpf_stats import parse
from llmslo_exporter.errors import SetupError


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the first lack is root")
def test_missing_btf_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"CONFIG_DEBUG_INFO_BTF=y") as error:
        machine.require(tmp_path / "vmlinux")
    assert "\n" not in str(error.value)


def test_a_crash_leaves_no_memory_on_disk() -> None:
    code = (
        "from llmslo_exporter import machine; machine.forbid_core_dumps();"
        "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "(0, 0)\n"


def test_tracepoint_is_known_by_its_whole_name(tmp_path: Path) -> None:
    btf = tmp_path / "vmlinux"
    btf.write_bytes(b"\0btf_trace_sock_send_length\0btf_trace_sys_exit\0")
    assert machine.has_tracepoint("sock_send_length", btf)
    assert machine.has_tracepoint("sys_exit", btf)
    assert not machine.has_tracepoint("sock_send", btf)
    assert not machine.has_tracepoint("send_length", btf)


def test_run_statistics_are_read_from_fdinfo() -> None:
    assert parse("pos:\t0\nprog_id:\t9\nrun_time_ns:\t1500\nrun_cnt:\t3\n") == (pytest.approx(1.5e-6), 3)
    assert parse("pos:\t0\n") == (0.0, 0)


def test_as_many_descriptors_as_may_be_are_allowed() -> None:
    """In a process of its own: a limit that was raised stays."""
    text = """
import resource
from llmslo_exporter.machine import raise_limits
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
raise_limits()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
"""
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
