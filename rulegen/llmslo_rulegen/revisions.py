"""SLO files of another time: of a revision of git, as its own program gives them."""

from __future__ import annotations

import shutil
from pathlib import Path

from llmslo_rulegen import programs
from llmslo_rulegen.errors import InputError, ToolError
from llmslo_rulegen.finding import Finding, Level

_LIMIT_S = 60.0
_DO = "install git, or compare two files"
_CHECK = "file/read"
_NO_FILE = "git knows no such file: look at `git log` and `git ls-tree`"


def read(given: str, limit_bytes: int) -> tuple[str, bytes]:
    """Return name and content of a file, or of `REVISION:path` where there is no such file; at most a byte too many."""
    path = Path(given)
    revision, colon, inner = given.partition(":")
    if colon and revision and inner and not path.exists():
        return given, at(revision, inner, limit_bytes)
    try:
        with path.open("rb") as file:
            return given, file.read(limit_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        text = f"cannot be read: {reason}; give a file, or REVISION:path for one of git"
        raise _error(given, text) from error


def at(revision: str, path: str, limit_bytes: int) -> bytes:
    """Return the content of a path at a revision: from the root of the repository, or with `./` from here."""
    found = at_or_none(revision, path, limit_bytes)
    if found is None:
        name = f"{revision}:{path}"
        raise _error(name, _NO_FILE)
    return found


def at_or_none(revision: str, path: str, limit_bytes: int) -> bytes | None:
    """Return the content of a path at a revision that has to exist; None: the path did not."""
    if _git(["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]) is None:
        raise _error(revision, "git knows no such revision here: write one as main, HEAD~1 or v1.2")
    size = _git(["cat-file", "-s", f"{revision}:{path}"])
    if size is not None and int(size) > limit_bytes:
        name = f"{revision}:{path}"
        text = f"the file has {int(size)} bytes, at most {limit_bytes} are read: split it"
        raise _error(name, text)
    return None if size is None else _git(["cat-file", "blob", f"{revision}:{path}"])


def _git(words: list[str]) -> bytes | None:
    """Return what git gives; None where it refuses."""
    git = shutil.which("git")
    if git is None:
        msg = f"git is not found: {_DO}"
        raise ToolError(msg)
    if words[-1].startswith("-") or "\0" in words[-1]:
        return None
    found = programs.call([git, *words], _LIMIT_S, _DO)
    return found.output if found.code == 0 else None


def _error(file: str, text: str) -> InputError:
    return InputError([Finding(_CHECK, file, 0, Level.ERROR, text)])
