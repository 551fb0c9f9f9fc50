"""Every format of what `check` found, by its name on the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen import codes
from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.reports import github, gitlab, junit, sarif, text

TEXT = "text"
FORMATS = (TEXT, "github", "gitlab", "sarif", "junit")


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found, what comments ignore with their reasons, and the text of a line of a file."""

    findings: Sequence[Finding]
    ignored: Sequence[tuple[Finding, str]]
    line_of: Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True)
class Report:
    """How findings are told: `failing` levels end a pipeline; paths are told from `root` on."""

    files: tuple[str, ...]
    failing: Collection[Level]
    version: str
    root: Path


def write(name: str, checked: Checked, report: Report) -> Iterable[str]:
    """Return the text of a report, in pieces."""
    found = checked.findings

    def relative(file: str) -> str:
        return _relative(file, report.root)

    if name == "github":
        return (f"{line}\n" for line in github.lines(found))
    if name == "gitlab":
        return (gitlab.text(found, relative),)
    if name == "sarif":
        return (sarif.text(found, checked.ignored, codes.titles(), relative, report.version),)
    if name == "junit":
        return (junit.text(found, report.files, report.failing),)
    return (f"{line}\n" for line in text.lines(found, checked.line_of))


def _relative(file: str, root: Path) -> str:
    """Return a path below `root` with slashes, as a repository names it; another one as it was given."""
    path = Path(file)
    whole = path if path.is_absolute() else root / path
    try:
        return Path(*_without_dots(whole)).relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def _without_dots(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts[1:] = parts[1:-1]
        elif part != ".":
            parts.append(part)
    return parts
