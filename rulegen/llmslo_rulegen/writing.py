"""Files below the output folder: all of them or none, only ours, nothing half written."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen.errors import OutputError
from llmslo_rulegen.file import File
from llmslo_rulegen.headers import MARK, sources_in
from llmslo_rulegen.placing import MOST_OF_NAME, TEMPORARY, create

FOLDERS = ("rules", "tests", "alertmanager", "runbooks", "prometheusrule", "vmrule", "mimir", "openslo")
_HEAD_BYTES = 4096  # a first line is shorter


@dataclass(frozen=True, slots=True)
class Written:
    """What changed below the folder; paths relative to it, sorted."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def _none(paths: Collection[str]) -> Iterable[str]:  # noqa: ARG001 -- nothing is stale, whatever is wanted
    return ()


def write(folder: Path, files: Iterable[File], stale: Callable[[Collection[str]], Iterable[str]] = _none) -> Written:
    """Bring `files` to `folder`, then take away what `stale` names, given all their paths.

    Every file is complete beside its target before the first one is renamed; an error before that changes nothing, and
    is raised as OutputError. A folder that is not there comes whole, by one rename.
    """
    change = _Change(folder)
    try:
        for file in files:
            change.add(file)
        removed = sorted(stale({*change.written, *change.unchanged}))
        change.make()
        for path in removed:
            (folder / path).unlink()
    except OSError as error:
        msg = f"cannot write {error.filename or folder}, {error.strerror}: make room for it, or give another --out"
        raise OutputError(msg) from error
    finally:
        change.clean()
    return Written(tuple(sorted(change.written)), tuple(sorted(change.unchanged)), tuple(removed))


class _Change:
    """What will be below a folder, beside it until `make`: a file's rename costs as much as the file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ending = f".{os.urandom(6).hex()}{TEMPORARY}"
        self._there: dict[Path, Path] = {}  # folder -> where its files are written
        self._waiting: dict[Path, Path] = {}  # written -> target; folders and files
        self.written: list[str] = []
        self.unchanged: list[str] = []

    def add(self, file: File) -> None:
        target = self._folder / file.path
        there = self._there.get(target.parent)
        if there is None:
            there = self._there[target.parent] = self._folder_for(target.parent)
        raw = "".join(file.chunks).encode()
        beside = there / target.name
        if there == target.parent:
            if _ours(target) == raw:
                self.unchanged.append(file.path)
                return
            beside = self._beside(target)
        create(beside, raw)
        self.written.append(file.path)

    def make(self) -> None:
        """Rename everything to its place."""
        for temporary, target in tuple(self._waiting.items()):
            temporary.rename(target)
            del self._waiting[temporary]

    def clean(self) -> None:
        """Remove what has not been renamed."""
        for left in self._waiting:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):  # it never came, or cannot go: what stopped the writing is what to say
                left.unlink()

    def _beside(self, target: Path) -> Path:
        found = target.with_name(f".{target.name[:MOST_OF_NAME]}{self._ending}")
        self._waiting[found] = target
        return found

    def _folder_for(self, parent: Path) -> Path:
        """Return `parent` where it is there, else its place in a new folder beside the first that is missing."""
        _stay_below(self._folder, parent)
        if parent.is_dir():
            return parent
        missing = parent
        while not _is_there(missing.parent):
            missing = missing.parent
        for wanted in (missing.parent, missing):
            if _is_there(wanted) and not wanted.is_dir():
                raise FileExistsError(errno.EEXIST, "a file stands where a folder is needed", str(wanted))
        below = parent.relative_to(missing)
        if ".." in (missing.name, *below.parts):  # what is above it is for the system to say
            parent.mkdir(parents=True)
            return parent
        staged = self._beside(missing) / below
        staged.mkdir(parents=True, exist_ok=True)
        return staged


def _stay_below(folder: Path, parent: Path) -> None:
    """Raise OutputError where a link leads out of `folder`, which may be one itself."""
    for step in (parent, *parent.parents):
        if step == folder:
            return
        if step.is_symlink():
            msg = f"{step} is a link, what is written there would stand elsewhere: take it away or give another --out"
            raise OutputError(msg)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def ours(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield path and sources of each file below `folder` that carries our header."""
    for name in FOLDERS:
        for path in sorted((folder / name).glob("**/*")):
            if path.is_file() and not path.is_symlink() and not path.name.endswith(TEMPORARY):
                sources = sources_of(path)
                if sources is not None:
                    yield path.relative_to(folder).as_posix(), sources


def sources_of(path: Path) -> tuple[str, ...] | None:
    """Return what our header says a file was rendered from; None: it is not ours."""
    with path.open("rb") as file:
        return _sources(file.read(_HEAD_BYTES))


def _sources(head: bytes) -> tuple[str, ...] | None:
    return sources_in(head.split(b"\n", 1)[0].decode(errors="replace"))


def _ours(target: Path) -> bytes | None:
    """Return the content of the file of ours that stands there, None for nothing; raise OutputError otherwise."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        raw = target.read_bytes()
        if _sources(raw[:_HEAD_BYTES]) is not None:
            return raw
    what = f"does not begin with `{MARK}`, so it is not ours" if stat.S_ISREG(mode) else "is no file"
    what = "is a link, not a file of ours" if stat.S_ISLNK(mode) else what
    msg = f"{target} {what}: move it away or give another --out"
    raise OutputError(msg)
