"""Where our programs are attached: the node's tracepoints, and the sites of every TLS library in use."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from llmslo_exporter.errors import KernelError
from llmslo_exporter.libraries import FileKey, Libraries, Target
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.retiring import Retiring
from llmslo_exporter.sites import Hook, Site

log = logging.getLogger(__name__)

# Since about Linux 6.3. Where they are missing, one program at the exit of every system call stands in; BCC has none.
SOCKET_TRACEPOINTS = (("socket_sent", "sock_send_length"), ("socket_received", "sock_recv_length"))
FALLBACK = ("syscall_exit", "sys_exit")
TRACEPOINTS = (
    ("socket_state", "inet_sock_set_state"),
    ("socket_gone", "tcp_destroy_sock"),
    ("socket_reset", "tcp_receive_reset"),
    ("socket_failed", "inet_sk_error_report"),
    ("process_exec", "sched_process_exec"),
    ("process_exit", "sched_process_exit"),
)
# By the argument that points to the length; None: it is returned.
_READS = {None: "tls_read_enter", 4: "tls_read4_enter"}
_WRITES = {None: "tls_write_enter", 4: "tls_write4_enter", 5: "tls_write5_enter"}
# Program at the entry, program at the return.
_PROGRAMS: dict[Hook, tuple[str | None, str | None]] = {
    Hook.HANDSHAKE: ("tls_handshake_enter", "tls_handshake_return"),
    Hook.SHUTDOWN: ("tls_shutdown_enter", None),
    Hook.FREE: ("tls_free_enter", None),
    Hook.CTRL: ("tls_ctrl_enter", None),
    Hook.GET_ERROR: (None, "tls_get_error_return"),
}


# Called with every piece of data; the others once a connection, so they may stand for every process at any time.
_FREQUENT = frozenset((Hook.READ, Hook.WRITE, Hook.GET_ERROR))


@dataclass(slots=True)
class _Standing:
    """The probes of one file. Those of frequent calls stand for every process or for some: never for both for long."""

    descriptor: int  # of the file, to attach to later: the process it was found in may be gone
    name: str
    sites: tuple[Site, ...]
    rare: list[object] = field(default_factory=list)
    wide: list[object] = field(default_factory=list)
    by_process: dict[int, list[object]] | None = None  # None: for every process
    since_s: float = 0.0  # when all of them stood

    @property
    def path(self) -> str:
        """A path to the inode, as long as it stands."""
        return f"/proc/self/fd/{self.descriptor}"

    def links(self) -> Iterator[object]:
        """Yield everything that is attached."""
        yield from self.rare
        yield from self.wide
        for links in (self.by_process or {}).values():
            yield from links


def _programs(site: Site) -> tuple[str | None, str | None]:
    if site.hook is Hook.READ:
        return _READS[site.length_at], "tls_data_return"
    if site.hook is Hook.WRITE:
        return _WRITES[site.length_at], "tls_data_return"
    return _PROGRAMS[site.hook]


class Probes:
    """Attaches and detaches; counts what stands where."""

    def __init__(self, loader: Loader, libraries: Libraries) -> None:
        self._loader = loader
        self._libraries = libraries
        self._standing: dict[FileKey, _Standing] = {}
        self._tracepoints: list[str] = []
        self._retiring = Retiring(loader.detach)
        self.late = 0  # processes that ended before the attach to their library

    def attach_tracepoints(self) -> None:
        """Attach the node-wide hooks. Raises KernelError when one is missing and nothing stands in for it."""
        for program, tracepoint in TRACEPOINTS:
            self._attach_tracepoint(program, tracepoint)
        try:
            for program, tracepoint in SOCKET_TRACEPOINTS:
                self._attach_tracepoint(program, tracepoint)
        except KernelError as error:
            log.warning("every system call is watched: a tracepoint is missing", extra={"reason": str(error)})
            self._attach_tracepoint(*FALLBACK)

    def _attach_tracepoint(self, program: str, tracepoint: str) -> None:
        self._loader.attach_tracepoint(program, tracepoint)
        self._tracepoints.append(tracepoint)

    def attach(self, targets: Iterable[Target]) -> None:
        """Attach to files; one that fails is offered again by `Libraries.see`, and hinders no other."""
        for target in targets:
            self.detach((target.key,))  # its bytes were written over: what stands there is of the old ones
            try:
                standing = self._attached(target)
            except (KernelError, OSError) as error:
                self._libraries.failed(target.key)
                self.late += 1
                log.debug("attach failed", extra={"file": target.name, "reason": str(error)})
                continue
            self._standing[target.key] = standing
            log.info("probes attached", extra={"file": target.name, "probes": len(list(standing.links()))})

    def _attached(self, target: Target) -> _Standing:
        descriptor = os.open(target.path, os.O_PATH | os.O_CLOEXEC)
        standing = _Standing(descriptor, target.name, target.sites)
        try:
            self._attach_sites(standing, standing.rare, is_frequent=False)
            self._attach_sites(standing, standing.wide, is_frequent=True)
        except BaseException:
            self._retire(standing)
            raise
        standing.since_s = time.monotonic()
        return standing

    def _attach_sites(self, standing: _Standing, links: list[object], *, is_frequent: bool, pid: int = 0) -> None:
        """Attach to the frequent or the rare calls; what stands is in `links`, also where one fails."""
        for site in standing.sites:
            if (site.hook in _FREQUENT) is not is_frequent:
                continue
            enter, leave = _programs(site)
            for program in filter(None, (leave, enter)):
                is_return = program is leave
                link = self._loader.attach_probe(program, standing.path, site.offset, is_return=is_return, pid=pid)
                links.append(link)

    def detach(self, keys: Iterable[FileKey]) -> None:
        """Remove the probes of files that nobody uses any more."""
        for key in keys:
            standing = self._standing.pop(key, None)
            if standing is not None:
                self._retire(standing)

    def _retire(self, standing: _Standing) -> None:
        self._retiring.add(standing.links())
        os.close(standing.descriptor)

    def for_all(self, key: FileKey) -> bool:
        """Let the frequent calls of a file be seen in every process that maps it; False: it failed, all as before."""
        standing = self._standing.get(key)
        if standing is None or standing.by_process is None:
            return True
        links: list[object] = []
        try:
            self._attach_sites(standing, links, is_frequent=True)
        except KernelError as error:
            self._retiring.add(links)
            self._libraries.refused["attach"] += 1
            log.warning("attach failed", extra={"file": standing.name, "reason": str(error)})
            return False
        for held in standing.by_process.values():
            self._retiring.add(held)
        standing.wide, standing.by_process = links, None
        return True

    def only_for(self, key: FileKey, pids: Collection[int]) -> bool:
        """Let the frequent calls of a file be seen in these processes alone; False: it failed, all as before.

        Attaches before it detaches, so nobody who stays misses a call.
        """
        standing = self._standing.get(key)
        if standing is None:
            return True
        held = dict(standing.by_process or {})
        for pid in set(pids) - held.keys():
            links: list[object] = []
            try:
                self._attach_sites(standing, links, is_frequent=True, pid=pid)
            except KernelError as error:
                self._retiring.add(links)
                if not _is_alive(pid):
                    continue
                log.warning("attach failed", extra={"file": standing.name, "reason": str(error)})
                self._libraries.refused["attach"] += 1
                self._give_back(standing, held)
                return False
            held[pid] = links
        self._retiring.add(standing.wide)
        for pid in held.keys() - set(pids):
            self._retiring.add(held.pop(pid))
        standing.wide, standing.by_process = [], held
        return True

    def _give_back(self, standing: _Standing, held: dict[int, list[object]]) -> None:
        """Let go what was attached to for processes on the way to a failure."""
        for pid in held.keys() - (standing.by_process or {}).keys():
            self._retiring.add(held[pid])

    def since_s(self, key: FileKey) -> float:
        """Return since when a file is probed for whoever maps it; now where that is some processes only, or none."""
        standing = self._standing.get(key)
        return time.monotonic() if standing is None or standing.by_process is not None else standing.since_s

    def is_by_process(self, key: FileKey) -> bool:
        """Tell whether the frequent calls of a file are seen in some processes only."""
        standing = self._standing.get(key)
        return standing is not None and standing.by_process is not None

    @property
    def retiring(self) -> int:
        """How many probes wait to be removed."""
        return len(self._retiring)

    def close(self) -> None:
        """Let the files go; the loader removes what stands."""
        self._retiring.close()
        for standing in self._standing.values():
            os.close(standing.descriptor)
        self._standing.clear()

    def is_attached(self) -> bool:
        """Tell whether the node-wide hooks stand."""
        return len(self._tracepoints) > len(TRACEPOINTS)

    def attached(self) -> dict[str, float]:
        """Return the number of attached sites by hook; one that stands for some processes only counts once."""
        counts: Counter[str] = Counter(dict.fromkeys((hook.value for hook in Hook), 0))
        counts.update(site.hook.value for standing in self._standing.values() for site in standing.sites)
        counts.update(self._tracepoints)
        return dict(counts)

    def single_stepped(self) -> dict[str, float]:
        """Return the number of sites whose instruction the kernel must single-step, by hook."""
        counts: Counter[str] = Counter(dict.fromkeys((hook.value for hook in Hook), 0))
        counts.update(
            site.hook.value for standing in self._standing.values() for site in standing.sites if not site.emulated
        )
        return dict(counts)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
