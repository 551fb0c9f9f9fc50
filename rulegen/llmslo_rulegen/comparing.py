"""Both sides of a comparison: two files, two revisions, or files and what was rendered of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmslo_rulegen import outline, outline_rendered, reading, rendering, revisions, rule_files, writing
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.finding import Finding, has_errors
from llmslo_rulegen.headers import name_of
from llmslo_rulegen.located import MAX_BYTES
from llmslo_rulegen.outline import More, Outline
from llmslo_rulegen.slo import Slo, Window

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Ways:
    """How files are read and rendered: as `render` got it."""

    snap: bool = False
    more: More = field(default_factory=More)
    sloth_period: Window | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """What was and what is."""

    before: tuple[Outline, ...]
    after: tuple[Outline, ...]


def of_two(before: str, after: str, ways: Ways) -> Sides:
    """Compare two files, each a path or `REVISION:path`."""
    old, new = (dict([revisions.read(one, MAX_BYTES)]) for one in (before, after))
    return _of_files(old, new, ways)


def of_revisions(span: str, files: Sequence[Path], ways: Ways) -> Sides:
    """Compare `A..B`, or `A` with the working tree, of each of `files`; one that was not there is empty."""
    old, dots, new = span.partition("..")
    before = _present((path, revisions.at_or_none(old, _from_here(path), MAX_BYTES)) for path in files)
    if dots:
        after = _present((path, revisions.at_or_none(new or "HEAD", _from_here(path), MAX_BYTES)) for path in files)
    else:
        after = dict(revisions.read(str(path), MAX_BYTES) for path in files if path.exists())
    return _of_files(before, after, ways)


def of_rendered(folder: Path, files: Sequence[Path], ways: Ways) -> Sides:
    """Compare what was rendered of `files` below `folder` with what they give now."""
    slos = _slos(dict(revisions.read(str(path), MAX_BYTES) for path in files), ways)
    names, services = {name_of(str(path)) for path in files}, {rendering.rule_path(slo.service) for slo in slos}
    before: list[Outline] = []
    for path, sources in writing.ours(folder):
        if path in services or (path.startswith(f"{rendering.RULES}/") and names.intersection(sources)):
            raw = (folder / path).read_bytes()
            before += outline_rendered.of_groups(rule_files.rendered(raw, str(folder / path)), str(folder / path))
    after = [one for slo in slos for one in outline_rendered.of_groups(ways.more.groups(slo), str(slo.place))]
    return Sides(tuple(before), tuple(after))


def _of_files(before: Files, after: Files, ways: Ways) -> Sides:
    old, new = (tuple(outline.of_slo(slo, ways.more) for slo in _slos(one, ways)) for one in (before, after))
    return Sides(old, new)


def _slos(files: Files, ways: Ways) -> tuple[Slo, ...]:
    found = reading.read(files, snap=ways.snap, sloth_period=ways.sloth_period)
    if has_errors(found.findings):
        raise InputError(_errors(found.findings))
    return found.slos


def _errors(findings: Sequence[Finding]) -> Iterator[Finding]:
    return (one for one in findings if has_errors([one]))


def _present(files: Iterator[tuple[Path, bytes | None]]) -> Files:
    return {str(path): raw for path, raw in files if raw is not None}


def _from_here(path: Path) -> str:
    return path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
