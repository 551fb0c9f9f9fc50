"""Where our programs are attached: the node's tracepoints, and the sites of every TLS library in use."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable

from llmslo_exporter.errors import KernelError
from llmslo_exporter.libraries import FileKey, Libraries, Target
from llmslo_exporter.loaders.loader import Loader
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
        self._links: dict[FileKey, list[object]] = {}
        self._sites: dict[FileKey, tuple[Site, ...]] = {}
        self._tracepoints: list[str] = []
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
        """Attach to files; one that fails is offered again by `Libraries.see`."""
        for target in targets:
            links: list[object] = []
            try:
                for site in target.sites:
                    self._attach_site(target.path, site, links)
            except KernelError as error:
                for link in links:
                    self._loader.detach(link)
                self._libraries.failed(target.key)
                self.late += 1
                log.debug("attach failed", extra={"file": target.name, "reason": str(error)})
                continue
            self._links[target.key] = links
            self._sites[target.key] = target.sites
            log.info("probes attached", extra={"file": target.name, "probes": len(links)})

    def _attach_site(self, path: str, site: Site, links: list[object]) -> None:
        enter, leave = _programs(site)
        if leave:
            links.append(self._loader.attach_probe(leave, path, site.offset, is_return=True))
        if enter:
            links.append(self._loader.attach_probe(enter, path, site.offset, is_return=False))

    def detach(self, keys: Iterable[FileKey]) -> None:
        """Remove the probes of files that nobody uses any more, in the background: the kernel takes 0.1 s for each."""
        links: list[object] = []
        for key in keys:
            self._sites.pop(key, None)
            links += self._links.pop(key, [])
        if links:
            threading.Thread(target=self._remove, args=(links,), name="detach", daemon=True).start()

    def _remove(self, links: Iterable[object]) -> None:
        for link in links:
            self._loader.detach(link)

    def is_attached(self) -> bool:
        """Tell whether the node-wide hooks stand."""
        return len(self._tracepoints) > len(TRACEPOINTS)

    def attached(self) -> dict[str, float]:
        """Return the number of attached sites by hook."""
        counts: Counter[str] = Counter(dict.fromkeys((hook.value for hook in Hook), 0))
        counts.update(site.hook.value for sites in self._sites.values() for site in sites)
        counts.update(self._tracepoints)
        return dict(counts)

    def single_stepped(self) -> dict[str, float]:
        """Return the number of sites whose instruction the kernel must single-step, by hook."""
        counts: Counter[str] = Counter(dict.fromkeys((hook.value for hook in Hook), 0))
        counts.update(site.hook.value for sites in self._sites.values() for site in sites if not site.emulated)
        return dict(counts)
