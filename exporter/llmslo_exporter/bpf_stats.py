"""Run time and run count of our BPF programs, as the kernel shows them in fdinfo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def run_stats(programs: Mapping[str, int], fdinfo: Path = Path("/proc/self/fdinfo")) -> dict[str, tuple[float, int]]:
    """Return seconds and runs by program. Both stay 0 unless the kernel's BPF statistics are on."""
    return {name: parse((fdinfo / str(fd)).read_text()) for name, fd in programs.items()}


def parse(text: str) -> tuple[float, int]:
    """Read `run_time_ns` and `run_cnt` of one fdinfo."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields.get("run_time_ns", 0)) * 1e-9, int(fields.get("run_cnt", 0))
