"""The first line of every rendered file: what rendered it from what, and by which we know our own files."""

from __future__ import annotations

import re
from functools import lru_cache

MARK = "Rendered by llmslo-rulegen"
_LINE = re.compile(rf"(?:# |<!-- ){MARK} \S+ from (?P<sources>[^: ]+(?:, [^: ]+)*): ")
_UNFIT = re.compile(r"[^\w./@+=-]", re.ASCII)  # could end the comment, the name or the line


def header(path: str, version: str, sources: tuple[str, ...]) -> str:
    """Return the first line of the file `path`; no time and no folder of a machine is in it."""
    line = f"{MARK} {version} from {_names(sources)}: edit there, render again."
    return f"<!-- {line} -->\n" if path.endswith(".md") else f"# {line}\n"


@lru_cache(maxsize=64)  # a thousand runbooks name the same files
def _names(sources: tuple[str, ...]) -> str:
    return ", ".join(sorted({name_of(source) for source in sources}))


def sources_in(line: str) -> tuple[str, ...] | None:
    """Return what a first line says the file was rendered from; None: it is not ours."""
    match = _LINE.match(line)
    return tuple(match["sources"].split(", ")) if match else None


def name_of(source: str) -> str:
    """Return how a header names a file: by the last part of its path, because what is above it differs by machine."""
    return _UNFIT.sub(_escaped, source.rsplit("/", 1)[-1])


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogateescape"))
