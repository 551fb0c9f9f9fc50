"""What the machine must have before anything is loaded; each lack is one clear line."""

from __future__ import annotations

import os
import platform
import resource
from contextlib import suppress
from pathlib import Path

from llmslo_exporter.errors import SetupError

BTF = Path("/sys/kernel/btf/vmlinux")
CORE_FILTER = Path("/proc/self/coredump_filter")


def require(btf: Path = BTF) -> None:
    """Raise SetupError when we are not root, the kernel has no BTF, or the architecture is not supported."""
    if platform.machine() != "x86_64":
        msg = f"the machine is {platform.machine()}, the BPF programs are written for x86_64"
        raise SetupError(msg)
    if os.geteuid() != 0:
        msg = f"user id is {os.geteuid()}, loading BPF programs needs root: run it with sudo or as root"
        raise SetupError(msg)
    if not btf.exists():
        msg = f"{btf} is missing, the programs need a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian's kernels are)"
        raise SetupError(msg)


def has_tracepoint(name: str, btf: Path = BTF) -> bool:
    """Tell whether the kernel has a tracepoint: BTF has a type for each."""
    return b"\0btf_trace_" + name.encode() + b"\0" in btf.read_bytes()


def raise_limits() -> None:
    """Allow as many descriptors as may be, a probe takes one each; and memory for maps, which Linux before 5.11 limits.

    What cannot be raised stays: an attach that fails for it is counted.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def forbid_core_dumps() -> None:
    """Let no core file of ours hold what passed through the ring."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A core that is piped to a program knows no limit (core(5)); one without any memory tells nothing.
    CORE_FILTER.write_text("0")
