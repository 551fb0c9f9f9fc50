"""What the kernel says of itself: facts for `check`, read below `root` so that a test may give them."""

from __future__ import annotations

import platform
import re
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmslo_exporter.condition import Condition, Level

MAX_BYTES = 1 << 16
# Bits of include/uapi/linux/capability.h, and what each is for.
_SYS_ADMIN = 21
_NEEDED = {"CAP_BPF": 39, "CAP_PERFMON": 38}
_WANTED = {
    "CAP_SYS_PTRACE": (19, "the processes of other users are not seen"),
    "CAP_DAC_READ_SEARCH": (2, "libraries in folders that are closed to us are not seen"),
    "CAP_CHECKPOINT_RESTORE": (40, "libraries that were replaced while in use are not seen"),
}
_INIT_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of include/linux/proc_ns.h
_RING_BUFFER = 5, 8
_MEMORY_BY_CGROUP = 5, 11  # from here on BPF maps are no locked memory
_LOWEST_TRIED = 6, 1
_LOCKED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, its files below `root`."""

    root: Path = Path("/")
    release: str = field(default_factory=platform.release)
    machine: str = field(default_factory=platform.machine)
    locked_bytes: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])

    def conditions(self) -> Iterator[Condition]:
        """Yield what was found, whatever the user may read."""
        yield self._architecture()
        yield self._kernel()
        yield self._btf()
        yield from self._rights()
        yield self._lockdown()
        yield self._tracefs()
        yield self._jit()
        yield self._memlock()
        yield self._cgroups()
        yield self._namespace()
        yield self._ktls()

    @property
    def version(self) -> tuple[int, int]:
        """The kernel's version, (0, 0) where it cannot be told."""
        found = re.match(r"(\d{1,4})\.(\d{1,4})", self.release)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def _architecture(self) -> Condition:
        if self.machine == "x86_64":
            return Condition("architecture", Level.OK, self.machine)
        return Condition("architecture", Level.FAIL, self.machine, "the programs are for x86_64: use such a node")

    def _kernel(self) -> Condition:
        if self.version < _RING_BUFFER:
            todo = "the programs need a ring buffer, Linux 5.8 or newer; 6.1 and newer are tried"
            return Condition("kernel", Level.FAIL, self.release, todo)
        if self.version < _LOWEST_TRIED:
            return Condition("kernel", Level.WARN, self.release, "older than 6.1, not tried: see the loaders")
        return Condition("kernel", Level.OK, self.release)

    def _btf(self) -> Condition:
        path = self.root / "sys/kernel/btf/vmlinux"
        if path.exists():
            return Condition("btf", Level.OK, f"/{path.relative_to(self.root)}")
        return Condition("btf", Level.FAIL, "missing", "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian's are)")

    def _rights(self) -> Iterator[Condition]:
        status = self._text("proc/self/status") or ""
        user = re.search(r"^Uid:\s+\d+\s+(\d+)", status, re.MULTILINE)
        effective = re.search(r"^CapEff:\s+([0-9a-f]+)", status, re.MULTILINE)
        if user is None or effective is None:
            yield Condition("user", Level.UNKNOWN, "/proc/self/status cannot be read", "mount /proc")
            return
        if user[1] != "0":
            yield Condition("user", Level.FAIL, f"user id {user[1]}", "run it as root; so does a full check: sudo")
            return
        yield Condition("user", Level.OK, "root")
        held = int(effective[1], 16)
        yield _capabilities(lambda bit: bool(held >> bit & 1 or (held >> _SYS_ADMIN & 1 and bit > _SYS_ADMIN)))

    def _lockdown(self) -> Condition:
        text = self._text("sys/kernel/security/lockdown")
        if text is None:
            return Condition("lockdown", Level.OK, "not in use, or securityfs is not mounted")
        mode = re.search(r"\[(\w+)\]", text)
        if mode and mode[1] == "confidentiality":
            todo = "BPF may not read memory: boot with lockdown=integrity, or without"
            return Condition("lockdown", Level.FAIL, "confidentiality", todo)
        return Condition("lockdown", Level.OK, mode[1] if mode else text.strip()[:40])

    def _tracefs(self) -> Condition:
        for place in ("sys/kernel/tracing", "sys/kernel/debug/tracing"):
            try:
                if (self.root / place / "events").is_dir():
                    return Condition("tracefs", Level.OK, f"/{place}")
            except OSError:
                return Condition("tracefs", Level.UNKNOWN, f"/{place} is closed to us", "root sees it")
        todo = "only loader bcc may need it: mount -t tracefs tracefs /sys/kernel/tracing"
        return Condition("tracefs", Level.WARN, "not mounted", todo)

    def _jit(self) -> Condition:
        settings = {
            "bpf_jit_enable": self._text("proc/sys/net/core/bpf_jit_enable"),
            "unprivileged_bpf_disabled": self._text("proc/sys/kernel/unprivileged_bpf_disabled"),
            "perf_event_paranoid": self._text("proc/sys/kernel/perf_event_paranoid"),
        }
        found = ", ".join(f"{name}={(value or '?').strip()}" for name, value in settings.items())
        if (settings["bpf_jit_enable"] or "").strip() == "0":
            return Condition("sysctl", Level.WARN, found, "programs are interpreted: sysctl net.core.bpf_jit_enable=1")
        return Condition("sysctl", Level.OK, found)

    def _memlock(self) -> Condition:
        is_unlimited = self.locked_bytes == resource.RLIM_INFINITY
        shown = "unlimited" if is_unlimited else f"{self.locked_bytes >> 10} KiB"
        if self.version >= _MEMORY_BY_CGROUP:
            return Condition("memlock", Level.OK, f"{shown}; this kernel does not count maps")
        if is_unlimited or self.locked_bytes >= _LOCKED_BYTES:
            return Condition("memlock", Level.OK, shown)
        return Condition("memlock", Level.WARN, shown, "before Linux 5.11 maps are locked memory: ulimit -l unlimited")

    def _cgroups(self) -> Condition:
        has_v2 = (self.root / "sys/fs/cgroup/cgroup.controllers").exists()
        is_hybrid = (self.root / "sys/fs/cgroup/unified/cgroup.controllers").exists()
        if has_v2 or is_hybrid:
            return Condition("cgroups", Level.OK, "v2" if has_v2 else "v1 and v2 (hybrid)")
        if (self.root / "sys/fs/cgroup").is_dir() and any((self.root / "sys/fs/cgroup").iterdir()):
            return Condition("cgroups", Level.OK, "v1")
        return Condition("cgroups", Level.WARN, "none", "workloads are named by their process alone")

    def _namespace(self) -> Condition:
        try:
            found = str((self.root / "proc/self/ns/pid").readlink())
        except OSError:
            return Condition("processes of the node", Level.UNKNOWN, "cannot be told", "mount /proc")
        if found == _INIT_PID_NAMESPACE:
            return Condition("processes of the node", Level.OK, "all: this is the host's PID namespace")
        todo = "run it with the host's PIDs: hostPID: true, docker --pid=host"
        return Condition("processes of the node", Level.WARN, "only those of this PID namespace", todo)

    def _ktls(self) -> Condition:
        text = self._text("proc/net/tls_stat") or ""
        counts = dict(re.findall(r"^(TlsCurr\w+)\s+(\d+)$", text, re.MULTILINE))
        in_use = sum(int(value) for value in counts.values())
        if in_use:
            return Condition("kTLS", Level.WARN, f"{in_use} connections", "their content is not seen")
        return Condition("kTLS", Level.OK, "not in use")

    def _text(self, path: str) -> str | None:
        try:
            with (self.root / path).open("rb") as file:
                return file.read(MAX_BYTES).decode("utf-8", "replace")
        except OSError:
            return None


def _capabilities(has: Callable[[int], bool]) -> Condition:
    missing = [name for name, bit in _NEEDED.items() if not has(bit)]
    if missing:
        todo = f"give the container or unit {', '.join(missing)}, or CAP_SYS_ADMIN before Linux 5.8"
        return Condition("capabilities", Level.FAIL, f"without {', '.join(missing)}", todo)
    lacking = {name: why for name, (bit, why) in _WANTED.items() if not has(bit)}
    if lacking:
        todo = f"add them: {'; '.join(lacking.values())}"
        return Condition("capabilities", Level.WARN, f"without {', '.join(lacking)}", todo)
    return Condition("capabilities", Level.OK, f"{', '.join([*_NEEDED, *_WANTED])}")
