"""Files below the output folder: all of them or none, only ours, nothing half written."""

from __future__ import annotations

import filecmp
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen.errors import OutputError
from llmslo_rulegen.file import File
from llmslo_rulegen.headers import MARK, sources_in

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
    is raised as OutputError.
    """
    waiting: dict[str, Path] = {}
    unchanged: list[str] = []
    try:
        for file in files:
            target = folder / file.path
            is_there = _is_ours(target)
            waiting[file.path] = _beside(target, file.chunks)
            if is_there and filecmp.cmp(target, waiting[file.path], shallow=False):
                waiting.pop(file.path).unlink()
                unchanged.append(file.path)
        removed = sorted(stale({*waiting, *unchanged}))
        written = sorted(waiting)
        for path in written:
            waiting[path].replace(folder / path)
            del waiting[path]
        for path in removed:
            (folder / path).unlink()
    except OSError as error:
        msg = f"cannot write {error.filename or folder}, {error.strerror}: make room for it, or give another --out"
        raise OutputError(msg) from error
    finally:
        for left in waiting.values():
            left.unlink(missing_ok=True)
    return Written(tuple(written), tuple(sorted(unchanged)), tuple(removed))


def write_one(target: Path, text: str) -> None:
    """Write one file that a user named, whole or not at all; raise OutputError."""
    waiting: Path | None = None
    try:
        waiting = _beside(target, [text])
        waiting.replace(target)
    except OSError as error:
        if waiting is not None:
            waiting.unlink(missing_ok=True)
        msg = f"cannot write {target}, {error.strerror}: give another --out"
        raise OutputError(msg) from error


def ours(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield path and sources of each file below `folder` that carries our header."""
    for name in FOLDERS:
        for path in sorted((folder / name).glob("**/*")):
            # What begins with a dot is not yet a file of ours: it stands beside the one that it will be.
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                sources = sources_of(path)
                if sources is not None:
                    yield path.relative_to(folder).as_posix(), sources


def sources_of(path: Path) -> tuple[str, ...] | None:
    """Return what our header says a file was rendered from; None: it is not ours."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).split(b"\n", 1)[0].decode(errors="replace")
    return sources_in(head)


def _is_ours(target: Path) -> bool:
    """Return whether a file of ours stands there; raise OutputError for anything else, False is for nothing."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode) and sources_of(target) is not None:
        return True
    what = f"does not begin with `{MARK}`, so it is not ours" if stat.S_ISREG(mode) else "is no file"
    what = "is a link, not a file of ours" if stat.S_ISLNK(mode) else what
    msg = f"{target} {what}: move it away or give another --out"
    raise OutputError(msg)


def _beside(target: Path, chunks: Iterable[str]) -> Path:
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    path = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 -- a descriptor has no path
            file.writelines(chunks)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
