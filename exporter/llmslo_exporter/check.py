"""`check`: what this machine can and cannot do, and what to do about it."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from llmslo_exporter import machine
from llmslo_exporter.arguments import Invocation
from llmslo_exporter.blind_spots import Survey, View
from llmslo_exporter.columns import harmless
from llmslo_exporter.condition import Condition, Level
from llmslo_exporter.errors import ExporterError
from llmslo_exporter.host import Host
from llmslo_exporter.loaders import bcc, libbpf, uprobe_multi
from llmslo_exporter.loading import load
from llmslo_exporter.neighbour import Neighbour, look
from llmslo_exporter.options import Options
from llmslo_exporter.probes import SOCKET_TRACEPOINTS
from llmslo_exporter.written import written

log = logging.getLogger(__name__)

CANNOT_RUN = 1
_LOADERS = ("libbpf", "bcc")
_WIDTH = 22


@dataclass(frozen=True, slots=True)
class Report:
    """All that `check` found."""

    conditions: tuple[Condition, ...]
    view: View
    neighbour: Neighbour | None  # the exporter that runs at the configured address

    @property
    def can_run(self) -> bool:
        """Whether nothing stands in the exporter's way."""
        return not any(condition.level is Level.FAIL for condition in self.conditions)


def run(options: Options, asked: Invocation) -> int:
    """Print what was found; return 0 when the exporter can run, else 1."""
    conditions = [*Host().conditions(), *_kernel_parts(), *_loaders(options.loader, is_wanted=asked.loads)]
    neighbour = look(options.address.host, options.address.port)
    report = Report((*conditions, _address(options, neighbour)), Survey(options.tls_exclude).view(), neighbour)
    written(sys.stdout, _json(report) if asked.is_json else "".join(f"{line}\n" for line in _text(report)))
    return 0 if report.can_run else CANNOT_RUN


def _kernel_parts() -> Iterator[Condition]:
    """Yield what the kernel has of what makes probes cheap."""
    try:
        has_all = all(machine.has_tracepoint(tracepoint) for _, tracepoint in SOCKET_TRACEPOINTS)
    except OSError as error:
        yield Condition("tracepoints", Level.UNKNOWN, f"BTF cannot be read: {error.strerror}", "run it as root")
        return
    if has_all:
        yield Condition("tracepoints", Level.OK, "of sockets")
    else:
        todo = "every system call of the node is watched, 50 to 100 ns each; Linux 6.1 has better ones"
        yield Condition("tracepoints", Level.WARN, "none of sockets", todo)
    if uprobe_multi.is_supported():
        yield Condition("probes", Level.OK, "removed side by side")
    else:
        yield Condition("probes", Level.WARN, "removed one by one", "an end takes seconds before Linux 6.6")


def _loaders(chosen: str, *, is_wanted: bool) -> Iterator[Condition]:
    """Try both loaders: load the programs, let the kernel verify them, unload."""
    versions = {"libbpf": libbpf.installed_version(), "bcc": bcc.installed_version()}
    if not is_wanted or os.geteuid() != 0:
        for name in _LOADERS:
            found = f"version {versions[name]}" if versions[name] else "not installed"
            yield Condition(f"loader {name}", Level.UNKNOWN, f"{found}; not tried", "run it as root, without --no-load")
        return
    tried = [_tried(name, versions[name]) for name in _LOADERS]
    works = any(condition.level is Level.OK for condition in tried)
    for name, condition in zip(_LOADERS, tried, strict=True):
        if condition.level is Level.OK or (works and name != chosen):
            yield condition
        else:
            todo = "choose the other --loader" if works else "see the lines that begin with fail or warn"
            yield Condition(condition.name, Level.FAIL, condition.found, todo)


def _tried(name: str, version: str | None) -> Condition:
    began_s = time.monotonic()
    try:
        load(name).close()
    except ExporterError as error:
        return Condition(f"loader {name}", Level.WARN, " ".join(str(error).split()), "the other loader will do")
    spent_ms = (time.monotonic() - began_s) * 1000
    return Condition(f"loader {name}", Level.OK, f"version {version}: loads and verifies in {spent_ms:.0f} ms")


def _address(options: Options, neighbour: Neighbour | None) -> Condition:
    address = str(options.address)
    if neighbour is None:
        return Condition("address", Level.OK, f"{address} is free")
    if neighbour.is_exporter:
        return Condition("address", Level.OK, f"{address}: an exporter runs there ({neighbour.what})")
    return Condition("address", Level.WARN, f"{address}: {neighbour.what}", "choose another --web.listen-address")


def _text(report: Report) -> Iterator[str]:
    for condition in report.conditions:
        yield _line(condition.level.value, condition.name, condition.found, condition.todo)
    yield from _seen(report.view)
    yield from _blind(report.view)
    if report.neighbour is not None and report.neighbour.losses:
        yield ""
        yield "What the running exporter did not see or left out, since its start:"
        yield from (f"  {name} {value:g}" for name, value in report.neighbour.losses)
    yield ""
    if report.can_run:
        yield "The exporter can run here."
    else:
        yield "The exporter cannot run here: see each line that begins with `fail`."


def _line(level: str, name: str, found: str, todo: str) -> str:
    line = f"{level:<8}{name:<{_WIDTH}}{harmless(found)}"
    return f"{line}\n{'':{8 + _WIDTH}}-> {harmless(todo)}" if todo else line


def _seen(view: View) -> Iterator[str]:
    yield ""
    yield f"Processes: {view.processes}; with OpenSSL that is seen: {_listed(view.seen) or 'none'}"
    if view.excluded:
        yield f"Left out by tls.exclude: {_listed(view.excluded)}"
    if view.closed:
        why = "run it as root" if os.geteuid() != 0 else "a security module, or another user namespace, forbids it"
        yield f"Processes that could not be looked into: {view.closed} ({why})"
    if view.files_left:
        yield f"Files that were not looked into, for lack of time: {view.files_left}"


def _blind(view: View) -> Iterator[str]:
    if not view.blind_spots:
        yield "No process was found that speaks TLS unseen."
        return
    yield ""
    yield "May speak TLS that is not seen:"
    for implementation in dict.fromkeys(spot.implementation for spot in view.blind_spots):
        spots = [spot for spot in view.blind_spots if spot.implementation == implementation]
        yield _line("  blind", implementation, _listed((spot.process, spot.count) for spot in spots), spots[0].todo)


def _listed(names: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{harmless(name)} ({number})" if number > 1 else harmless(name) for name, number in names)


def _json(report: Report) -> str:
    view = report.view
    data = {
        "can_run": report.can_run,
        "conditions": [asdict(condition) | {"level": condition.level.value} for condition in report.conditions],
        "processes": view.processes,
        "seen": [{"process": name, "count": number} for name, number in view.seen],
        "excluded": [{"process": name, "count": number} for name, number in view.excluded],
        "closed": view.closed,
        "files_left": view.files_left,
        "blind_spots": [asdict(spot) | {"todo": spot.todo} for spot in view.blind_spots],
        "running": None
        if report.neighbour is None
        else {"what": report.neighbour.what, "losses": dict(report.neighbour.losses)},
    }
    return json.dumps(data, indent=2) + "\n"
