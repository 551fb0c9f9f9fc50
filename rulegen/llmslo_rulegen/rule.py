"""Prometheus rules as data: what a group holds, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]  # sorted by name


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """`record` gets the value of `expr` under the further `labels`."""

    record: str
    expr: str
    labels: Labels = ()
    comment: str = ""  # for whoever reads the file: what begins here


@dataclass(frozen=True, slots=True)
class AlertRule:
    """`alert` fires for each sample of `expr`; the two durations are in seconds, 0 for none."""

    alert: str
    expr: str
    labels: Labels = ()
    annotations: Labels = ()
    for_s: int = 0
    keep_firing_s: int = 0
    comment: str = ""


Rule = RecordingRule | AlertRule


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated one after the other; a rule sees what those above it recorded in the same evaluation."""

    name: str
    rules: tuple[Rule, ...]
    interval_s: int | None = None  # None: the server's own
