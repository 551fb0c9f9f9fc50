"""Which processes the owner of the node leaves out of TLS probing, by executable or by cgroup."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

CGROUP = "cgroup:"
MAX_CHARACTERS = 256  # longer than a cgroup path of Kubernetes


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Patterns with the wildcards of a shell.

    `nginx` is the base name of an executable, `/usr/sbin/*` its whole path, `cgroup:/system.slice/postgres*` the path
    of the cgroup; `*` takes slashes too.
    """

    patterns: tuple[str, ...] = ()

    def excludes(self, executable: str, cgroup: str) -> bool:
        """Tell whether a process is left out; both are absolute paths, empty where unknown."""
        return any(_matches(pattern, executable, cgroup) for pattern in self.patterns)


def parse_exclusion(text: str) -> str:
    """Return `text` if it is a pattern; raise ValueError with the reason."""
    bare = text.removeprefix(CGROUP)
    if not bare.strip() or not text.isprintable() or len(text) > MAX_CHARACTERS:
        msg = f"{text[:MAX_CHARACTERS]!r}: want NAME, /PATH or {CGROUP}/PATH, at most {MAX_CHARACTERS} characters"
        raise ValueError(msg)
    if (text.startswith(CGROUP) or "/" in bare) and not bare.startswith(("/", "*")):
        msg = f"{text!r}: want a path that begins with / or *, or the bare name of an executable"
        raise ValueError(msg)
    return text


def _matches(pattern: str, executable: str, cgroup: str) -> bool:
    if pattern.startswith(CGROUP):
        return bool(cgroup) and fnmatchcase(cgroup, pattern.removeprefix(CGROUP))
    if "/" in pattern:
        return bool(executable) and fnmatchcase(executable, pattern)
    return bool(executable) and fnmatchcase(executable.rpartition("/")[2], pattern)
