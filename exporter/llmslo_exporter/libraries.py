"""Which files on the node hold TLS code to probe, and which processes use them.

Every executable file mapping of a process is looked at once per inode, whatever its name: OpenSSL also lives in node,
in libpython and in extension modules. The file is opened through /proc/PID/map_files, which is the very inode the
process has mapped, in its own mount namespace, replaced or deleted; without the capability for it, through
/proc/PID/root.
"""

from __future__ import annotations

import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmslo_exporter.builds import Builds, Findings
from llmslo_exporter.elf import ElfError, UnreadableError, opened_read
from llmslo_exporter.mappings import Mapping, parse, read_maps
from llmslo_exporter.sites import Site

MAX_TARGETS = 512  # files probed at once; each takes up to 11 probes
MAX_PROCESSES = 65_536
# A file keeps its probes so long without a user: the next short-lived process is then seen from its first byte. Not
# longer: a probe holds the inode, and the mount it was found in.
LINGER_S = 5.0
_CROWDED = MAX_TARGETS * 3 // 4  # from here on nothing lingers
_MAX_VERDICTS = 16_384  # files known to hold no TLS; about 200 bytes each, twice
_MAX_ATTEMPTS = 16  # attaches of one file that may fail in a row before it is left alone
_MAX_FAILED = 1_024
_MIN_EXECUTABLE = 1 << 20  # bytes; a static libssl and libcrypto alone are over 4 MiB

# TLS libraries the exporter has no hooks for, by the name of the library file.
_UNHOOKED = re.compile(r"lib(gnutls|nss3|mbedtls|wolfssl|rustls|s2n|botan)\b")
_LIBRARY_FOLDERS = (
    "lib",
    "lib64",
    "usr/lib",
    "usr/lib64",
    "usr/local/lib",
    "usr/local/lib64",
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
)


@dataclass(frozen=True, slots=True)
class FileKey:
    """The identity of a file: a uprobe belongs to an inode."""

    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Target:
    """A file to attach to now: `path` leads to its inode as long as the process it was found in lives."""

    key: FileKey
    path: str
    name: str
    sites: tuple[Site, ...]


_Content = tuple[int, int]  # size, time of the last write: instructions are copied from a file once, at the attach


@dataclass(slots=True)
class _Tracked:
    """A file that is probed; `prepared` is the path for whose sake it is kept without users."""

    content: _Content
    users: set[int] = field(default_factory=set)
    prepared: Path | None = None
    idle_s: float | None = None  # since when it has had neither


@dataclass(slots=True)
class _User:
    keys: set[FileKey] = field(default_factory=set)
    unhooked: set[str] = field(default_factory=set)


_Stamp = tuple[int, int, int, int]  # device, inode, size, change time: an inode number is used again after deletion


class Libraries:
    """Plan attaches: `see` a process, attach what it returns; when it is `gone`, detach what `lapsed` returns.

    `refused` counts by reason what a limit or an error kept out.
    """

    def __init__(self, proc: Path = Path("/proc"), builds: Builds | None = None) -> None:
        self._proc = proc
        self._builds = builds or Builds()
        self._tracked: dict[FileKey, _Tracked] = {}
        self._users: dict[int, _User] = {}
        self._nothing: OrderedDict[_Stamp, str] = OrderedDict()  # no sites; the value: a TLS it holds without hooks
        self._plain: OrderedDict[tuple[int, int, int, int], None] = OrderedDict()  # the same, as the kernel names them
        self._attempts: dict[FileKey, int] = {}
        self._idle: dict[FileKey, None] = {}  # in the order in which they lost their last user
        self._rewritten: list[FileKey] = []
        self.missed = 0  # files that may hold TLS of processes that were gone before they could be read
        self.refused = dict.fromkeys(("targets_full", "processes_full", "maps_cut", "unreadable", "attach"), 0)

    @property
    def pids(self) -> frozenset[int]:
        """The processes seen and not gone: for a sweep of those whose end was missed."""
        return frozenset(self._users)

    def prepare(self, paths: Iterable[Path]) -> tuple[Target, ...]:
        """Return targets for those of the files at `paths` that hold TLS code; they are kept without users too."""
        return tuple(target for path in paths for target in self._prepared(path))

    def see(self, pid: int) -> tuple[Target, ...]:
        """Note what the process has mapped now and return the files nobody had before.

        Call it again after an exec or a dlopen; files the process no longer maps are held until it is gone.
        """
        try:
            text, is_cut = read_maps(self._proc, pid)
        except (FileNotFoundError, ProcessLookupError):
            return ()  # gone, or a kernel thread
        except OSError:
            self.refused["unreadable"] += 1  # no right, or no descriptor left
            return ()
        self.refused["maps_cut"] += is_cut
        return self.mapped(pid, *parse(text))

    def mapped(self, pid: int, *mappings: Mapping) -> tuple[Target, ...]:
        """Note that the process has these mapped, beside what was seen, and return the files nobody had before."""
        user = self._users.get(pid)
        if user is None:
            if len(self._users) >= MAX_PROCESSES:
                self.refused["processes_full"] += 1
                return ()
            user = self._users[pid] = _User()
        return tuple(target for mapping in mappings for target in self._seen(pid, user, mapping))

    def gone(self, pid: int, now_s: float) -> None:
        """Forget an ended process; files that lost their last user with it lapse after a while."""
        user = self._users.pop(pid, None)
        for key in user.keys if user else ():
            tracked = self._tracked.get(key)
            if tracked is not None:
                tracked.users.discard(pid)
                self._leave_idle(key, tracked, now_s)

    def lapsed(self, now_s: float) -> tuple[FileKey, ...]:
        """Return the files to detach from: nobody has used them for `LINGER_S`, or their bytes were written over."""
        released, self._rewritten = self._rewritten, []
        for key in tuple(self._idle):
            since_s = self._tracked[key].idle_s
            is_crowded = len(self._tracked) >= _CROWDED
            if since_s is not None and now_s - since_s < LINGER_S and not is_crowded:
                break
            self._drop(key)
            released.append(key)
        return tuple(released)

    def unprepare(self, now_s: float) -> None:
        """Keep no file for processes to come whose path leads to another one by now: a package was renewed."""
        for key, tracked in self._tracked.items():
            if tracked.prepared is not None and not _leads_to(tracked.prepared, key):
                tracked.prepared = None
                self._leave_idle(key, tracked, now_s)

    def users(self, key: FileKey) -> frozenset[int]:
        """Return the processes that have the file mapped."""
        tracked = self._tracked.get(key)
        return frozenset(tracked.users) if tracked else frozenset()

    def keys(self, pid: int) -> frozenset[FileKey]:
        """Return the probed files that the process has mapped."""
        user = self._users.get(pid)
        return frozenset(user.keys) & self._tracked.keys() if user else frozenset()

    def _leave_idle(self, key: FileKey, tracked: _Tracked, now_s: float) -> None:
        if not tracked.users and tracked.prepared is None:
            tracked.idle_s = now_s
            self._idle[key] = None

    def _drop(self, key: FileKey) -> None:
        self._tracked.pop(key, None)
        self._idle.pop(key, None)
        self._attempts.pop(key, None)  # it was attached

    def failed(self, key: FileKey) -> None:
        """Take back a target whose attach failed: the next `see` offers it again, up to a limit.

        One failure proves little: a short-lived process takes the path to its file with it.
        """
        self._tracked.pop(key, None)
        self._idle.pop(key, None)
        if len(self._attempts) >= _MAX_FAILED:
            self._attempts.clear()
        self._attempts[key] = self._attempts.get(key, 0) + 1
        self.refused["attach"] += 1

    def unhooked(self, pid: int) -> frozenset[str]:
        """Names of the TLS implementations without hooks that were seen in the process ("gnutls", "go", ...)."""
        user = self._users.get(pid)
        return frozenset(user.unhooked) if user else frozenset()

    def _prepared(self, path: Path) -> Iterator[Target]:
        try:
            found = path.stat()
        except OSError:
            return
        key = FileKey(found.st_dev, found.st_ino)
        if key not in self._tracked:
            yield from self._offer(found, str(path), path.name)
        if key in self._tracked:
            self._tracked[key].prepared = path

    def _seen(self, pid: int, user: _User, mapping: Mapping) -> Iterator[Target]:
        if named := _UNHOOKED.match(mapping.name):
            user.unhooked.add(named[1].removesuffix("3"))
        if mapping.inode in self._plain:
            return
        found, path = self._located(pid, mapping)
        if found is None:
            self.refused["unreadable"] += 1
            # Of a process that is gone: its other files, unless this is the first sight of one, hold no TLS.
            self.missed += mapping.inode is None or "ssl" in mapping.name
            return
        key = FileKey(found.st_dev, found.st_ino)
        users = {pid}
        if key in self._tracked and self._tracked[key].content != _content(found):
            users |= self._tracked[key].users
            self._drop(key)
            self._rewritten.append(key)
        if key not in self._tracked:
            yield from self._offer(found, path, mapping.name)
        if key in self._tracked:
            self._tracked[key].users |= users
            self._tracked[key].idle_s = None
            self._idle.pop(key, None)
            user.keys.add(key)
        elif held := self._nothing.get(_stamp(found)):
            user.unhooked.add(held)
        elif held is not None and mapping.inode is not None:
            self._plain[mapping.inode] = None
            if len(self._plain) > _MAX_VERDICTS:
                self._plain.popitem(last=False)

    def _located(self, pid: int, mapping: Mapping) -> tuple[os.stat_result | None, str]:
        process = f"{self._proc}/{pid}"
        paths = [f"{process}/map_files/{mapping.span}"]
        if not mapping.is_deleted:
            paths.append(f"{process}/root{mapping.path}")
        for path in paths:
            try:
                found = Path(path).stat()
            except (OSError, ValueError):
                continue
            if stat.S_ISREG(found.st_mode):
                return found, path
        return self._located_here(mapping)

    def _located_here(self, mapping: Mapping) -> tuple[os.stat_result | None, str]:
        """Find the file of a process that is gone, where it lies at the same path for us: the next one will use it."""
        try:
            found = Path(mapping.path).stat()
        except (OSError, ValueError):
            return None, ""
        here = os.major(found.st_dev), os.minor(found.st_dev), found.st_ino
        is_same = mapping.inode is not None and here == mapping.inode[:3] and stat.S_ISREG(found.st_mode)
        return (found, mapping.path) if is_same else (None, "")

    def _offer(self, found: os.stat_result, path: str, name: str) -> Iterator[Target]:
        stamp = _stamp(found)
        key = FileKey(found.st_dev, found.st_ino)
        if stamp in self._nothing or self._attempts.get(key, 0) >= _MAX_ATTEMPTS:
            return
        try:
            findings = self._examined(path)
        except UnreadableError:
            self.refused["unreadable"] += 1  # not remembered: the process may have ended under our hands
            self.missed += 1
            return
        if not findings.sites:
            self._nothing[stamp] = "go" if findings.is_go else ""
            if len(self._nothing) > _MAX_VERDICTS:
                self._nothing.popitem(last=False)
        elif len(self._tracked) >= MAX_TARGETS:
            self.refused["targets_full"] += 1
        else:
            self._tracked[key] = _Tracked(_content(found))
            if key in self._rewritten:
                self._rewritten.remove(key)  # who attaches to it again lets the old probes go
            yield Target(key, path, name, findings.sites)

    def _examined(self, path: str) -> Findings:
        try:
            with opened_read(path) as read:
                return self._builds.examine(read)
        except UnreadableError:
            raise
        except ElfError:
            return Findings((), is_go=False)


def installed(search_path: str, root: Path = Path("/")) -> Iterator[Path]:
    """Yield what may hold TLS code for processes to come: libssl in the usual folders, large executables in the PATH.

    `search_path` is that PATH; `root` the mount namespace it belongs to (/proc/1/root for the host's).
    """
    for folder in _LIBRARY_FOLDERS:
        yield from _entries(root / folder, _is_libssl)
    for name in dict.fromkeys(filter(os.path.isabs, search_path.split(os.pathsep))):
        yield from _entries(root / name.lstrip("/"), _is_large_executable)


def _entries(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(Path(entry.path) for entry in entries if wanted(entry))
    except OSError:
        return


def _is_libssl(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith("libssl") and ".so" in entry.name


def _is_large_executable(entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mode & 0o111 != 0 and found.st_size >= _MIN_EXECUTABLE


def _content(found: os.stat_result) -> _Content:
    return found.st_size, found.st_mtime_ns


def _leads_to(path: Path, key: FileKey) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return FileKey(found.st_dev, found.st_ino) == key


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns
