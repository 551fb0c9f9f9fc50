"""Both sides of a comparison: two files, two revisions, or files and what was rendered of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen import outline, outline_rendered, reading, rendering, revisions, rule_files, writing
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, has_errors
from llmslo_rulegen.groups import groups
from llmslo_rulegen.headers import name_of
from llmslo_rulegen.located import MAX_BYTES
from llmslo_rulegen.outline import Outline
from llmslo_rulegen.slo import Slo

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Sides:
    """What was and what is."""

    before: tuple[Outline, ...]
    after: tuple[Outline, ...]


def of_two(before: str, after: str, *, snap: bool, sloth: bool) -> Sides:
    """Compare two files, each a path or `REVISION:path`."""
    sides = [dict([revisions.read(one, MAX_BYTES)]) for one in (before, after)]
    return _of_files(*sides, snap=snap, sloth=sloth)


def of_revisions(span: str, files: Sequence[Path], *, snap: bool, sloth: bool) -> Sides:
    """Compare `A..B`, or `A` with the working tree, of each of `files`; one that was not there is empty."""
    old, dots, new = span.partition("..")
    before = _present((path, revisions.at_or_none(old, _from_here(path), MAX_BYTES)) for path in files)
    if dots:
        after = _present((path, revisions.at_or_none(new or "HEAD", _from_here(path), MAX_BYTES)) for path in files)
    else:
        after = dict(revisions.read(str(path), MAX_BYTES) for path in files if path.exists())
    return _of_files(before, after, snap=snap, sloth=sloth)


def of_rendered(folder: Path, files: Sequence[Path], *, snap: bool, sloth: bool) -> Sides:
    """Compare what was rendered of `files` below `folder` with what they give now."""
    slos = _slos(dict(revisions.read(str(path), MAX_BYTES) for path in files), snap=snap)
    names, services = {name_of(str(path)) for path in files}, {rendering.rule_path(slo.service) for slo in slos}
    before: list[Outline] = []
    for path, sources in writing.ours(folder):
        if path in services or (path.startswith(f"{rendering.RULES}/") and names.intersection(sources)):
            raw = (folder / path).read_bytes()
            before += outline_rendered.of_groups(rule_files.rendered(raw, str(folder / path)), str(folder / path))
    after = [one for slo in slos for one in outline_rendered.of_groups(groups(slo, sloth=sloth), str(slo.place))]
    return Sides(tuple(before), tuple(after))


def _of_files(before: Files, after: Files, *, snap: bool, sloth: bool) -> Sides:
    sides = [tuple(outline.of_slo(slo, sloth=sloth) for slo in _slos(one, snap=snap)) for one in (before, after)]
    return Sides(*sides)


def _slos(files: Files, *, snap: bool) -> tuple[Slo, ...]:
    found = reading.read(files, snap=snap)
    if has_errors(found.findings):
        raise InputError(_errors(found.findings))
    return found.slos


def _errors(findings: Sequence[Finding]) -> Iterator[Finding]:
    return (one for one in findings if has_errors([one]))


def _present(files: Iterator[tuple[Path, bytes | None]]) -> Files:
    return {str(path): raw for path, raw in files if raw is not None}


def _from_here(path: Path) -> str:
    return path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
