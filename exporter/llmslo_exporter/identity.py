"""Whose process it is: the two labels by which a team finds its own traffic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload a process belongs to; `namespace` is empty without Kubernetes."""

    namespace: str
    workload: str
