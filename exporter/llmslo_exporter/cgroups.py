"""The cgroup of a process, out of what /proc/PID/cgroup says of each hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MAX_PATH = 1_024  # characters kept of a path, its end: it may have 4 096, one of Kubernetes has 200
# The controllers a v1 manager surely uses, best first: systemd's own hierarchy names the unit.
_V1_ORDER = ("systemd", "memory", "pids", "cpu", "cpuacct")


@dataclass(frozen=True, slots=True)
class CgroupLine:
    """One line of /proc/PID/cgroup: the v1 controllers it is for (empty: the v2 hierarchy), and the path."""

    controllers: tuple[str, ...]
    path: str


def cgroup(text: bytes) -> str:
    """Return the path that tells most, the end of it; `/` where there is none."""
    return cgroup_path(parse_cgroups(text))[-_MAX_PATH:]


def parse_cgroups(text: bytes) -> tuple[CgroupLine, ...]:
    """Parse /proc/PID/cgroup: `hierarchy:controllers:path` lines, v1, v2 or both."""
    lines: list[CgroupLine] = []
    for line in text.split(b"\n"):
        hierarchy, _, rest = line.partition(b":")
        controllers, colon, path = rest.partition(b":")
        if hierarchy.isdigit() and colon:
            names = controllers.decode("utf-8", "replace").removeprefix("name=")
            lines.append(CgroupLine(tuple(filter(None, names.split(","))), path.decode("utf-8", "replace")))
    return tuple(lines)


def cgroup_path(lines: Sequence[CgroupLine]) -> str:
    """Return the cgroup path that tells most: v2 where the process sits below its root, else v1."""
    paths = {name: line.path for line in lines for name in (line.controllers or ("",))}
    candidates = (paths.get(name, "/") for name in ("", *_V1_ORDER))
    return next((path for path in candidates if path.strip("/.")), "/")
