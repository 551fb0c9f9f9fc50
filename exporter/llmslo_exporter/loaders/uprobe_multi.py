"""User probes as links of their own (Linux 6.6): removed side by side, where those of perf wait for one another.

libbpf 1.1 (Debian 12) has no call for them, so this is the system call itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

from llmslo_exporter.errors import KernelError

ATTACH_TYPE = 48  # BPF_TRACE_UPROBE_MULTI: programs must be loaded for it
_NR_BPF, _LINK_CREATE, _RETURN = 321, 28, 1  # x86-64, as the rest of bpf/
# union bpf_attr: prog_fd, target_fd, attach_type, flags; path, offsets, ref_ctr_offsets, cookies; cnt, flags, pid
_LINK = struct.Struct("<IIIIQQQQIII4x")
# The same for a program: type, instructions, license, log, kernel version, flags, name, interface, attach type.
_LOAD = struct.Struct("<IIQQIIQII16sII")
_PROG_LOAD, _KPROBE, _NO_PID = 5, 2, 0xFFFFFFFF
_RETURN_ZERO = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)
_INSTRUCTION_BYTES, _NAME_BYTES = 8, 15
_BTF = Path("/sys/kernel/btf/vmlinux")
_KERNEL_TYPE = b"\0bpf_uprobe_multi_link\0"

_syscall = ctypes.CDLL(None, use_errno=True).syscall


def is_supported() -> bool:
    """Tell whether the running kernel has such links, and puts those for a process into all of its threads."""
    try:
        return _KERNEL_TYPE in _BTF.read_bytes() and _is_by_process()
    except OSError:
        return False


def loaded(name: str, instructions: bytes) -> int:
    """Load a program for such links and return its descriptor; BCC loads for others only. Raises KernelError."""
    code, license_ = ctypes.create_string_buffer(instructions, len(instructions)), ctypes.create_string_buffer(b"GPL")
    load = _LOAD.pack(
        *(_KPROBE, len(instructions) // _INSTRUCTION_BYTES, ctypes.addressof(code), ctypes.addressof(license_)),
        *(0, 0, 0, 0, 0, name.encode()[:_NAME_BYTES], 0, ATTACH_TYPE),
    )
    program = int(_syscall(_NR_BPF, _PROG_LOAD, load, len(load)))
    if program < 0:
        msg = f"the kernel refused {name}: {os.strerror(ctypes.get_errno())}"
        raise KernelError(msg)
    return program


def _is_by_process() -> bool:
    """Ask as libbpf does: kernels that took the pid for a thread's (6.6.0 to 6.6.32, 6.9) look at the path first."""
    try:
        program = loaded("asks", _RETURN_ZERO)
    except KernelError:
        return False
    try:
        os.close(attach(program, "/", 0, is_return=False, pid=_NO_PID))
    except KernelError:
        return ctypes.get_errno() == errno.EINVAL
    finally:
        os.close(program)
    return False


def attach(program_fd: int, path: str, offset: int, *, is_return: bool, pid: int = 0) -> int:
    """Put a probe at a file's offset and return its descriptor: closing it removes the probe. Raises KernelError."""
    name = ctypes.create_string_buffer(path.encode())
    offsets = ctypes.c_uint64(offset)
    attributes = _LINK.pack(
        *(program_fd, 0, ATTACH_TYPE, 0),
        *(ctypes.addressof(name), ctypes.addressof(offsets), 0, 0),
        *(1, _RETURN if is_return else 0, pid),
    )
    fd = int(_syscall(_NR_BPF, _LINK_CREATE, attributes, len(attributes)))
    if fd < 0:
        msg = f"cannot put a probe into {path} at {offset:#x}: {os.strerror(ctypes.get_errno())}"
        raise KernelError(msg)
    return fd
