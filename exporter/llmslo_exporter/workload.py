"""From the facts of a process to the workload it belongs to, without Kubernetes: container, systemd unit, process."""

from __future__ import annotations

import re

from llmslo_exporter.identity import Workload
from llmslo_exporter.processes import Process

MAX_NAME = 63  # a Kubernetes label value's limit, so that both kinds of name fit the same columns
UNKNOWN = "_other"  # the contract's overflow value: the process was never read

_CONTAINER_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def workload(process: Process | None) -> Workload:
    """Return the workload of `process`; its namespace is empty, its name printable and at most 63 characters."""
    if process is None:
        return Workload("", UNKNOWN)
    named = container(process.cgroup) or unit(process.cgroup) or process.name
    return Workload("", _sane(named) or UNKNOWN)


def container(path: str) -> str | None:
    """Return the name of the container, where the path holds it: LXC, Incus and systemd-nspawn.

    Docker, podman and the CRI write an id of 64 digits, which means nothing on a dashboard.
    """
    for before, part in zip(("", *_parts(path)), _parts(path), strict=False):
        if part.startswith("lxc.payload."):
            return part.removeprefix("lxc.payload.")
        if before == "lxc":
            return part
        if part.startswith("systemd-nspawn@") and part.endswith(".service"):
            return _unescape(part.removeprefix("systemd-nspawn@").removesuffix(".service"))
    return None


def unit(path: str) -> str | None:
    """Return the systemd service the path lies in; None in a login session, a scope or a container without a name.

    The service that started a container runtime is not the container's: only what stands below the container's id
    counts, except where podman runs the container for the unit itself (Quadlet).
    """
    found: str | None = None
    for part in _parts(path):
        if _CONTAINER_ID.search(part):
            found = found if part.startswith("libpod-payload-") else None
        elif part.endswith(".scope") or part.startswith("user@"):
            found = None
        elif part.endswith(".service"):
            found = _unescape(part)
    return found


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", "..")]


def _unescape(name: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)


def _sane(name: str) -> str:
    return "".join(char if char.isprintable() else "_" for char in name[:MAX_NAME])
