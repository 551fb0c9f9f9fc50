"""Which of our files belong to no SLO any more. In doubt a file stays: rendering some of a team's files is usual."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmslo_rulegen import reading, writing
from llmslo_rulegen.finding import Level
from llmslo_rulegen.located import MAX_BYTES

FOREIGN = "convert/"  # what findings about documents of others begin with


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Our files that the SLOs do not give: `stale` ones may go, `kept` ones have a source elsewhere."""

    stale: tuple[str, ...]
    kept: tuple[str, ...]


def leftovers(folder: Path, wanted: Collection[str], given: Sequence[Path]) -> Leftovers:
    """Judge each file of ours below `folder` that is not `wanted`.

    It stays when a file of the name in its header, which was not given, stands near those given and still promises it.
    """
    stale: list[str] = []
    kept: list[str] = []
    promised: dict[Path, frozenset[str] | None] = {}
    for path, sources in writing.ours(folder):
        if path in wanted:
            continue
        others = {other for source in sources for other in _near(source, given)}
        for other in others - promised.keys():
            promised[other] = _promised(other)
        (kept if any(_belongs(path, promised[other]) for other in others) else stale).append(path)
    return Leftovers(tuple(stale), tuple(kept))


def _near(source: str, given: Sequence[Path]) -> set[Path]:
    """Return files called `source` that were not given: in a folder of those given or above it, or in one beside it."""
    resolved = {path.resolve() for path in given}
    found = {folder / source for path in resolved for folder in path.parents}
    found |= {other for path in resolved for other in path.parent.parent.glob(f"*/{source}")}
    return {path for path in found if path.is_file() and path.resolve() not in resolved}


def _promised(file: Path) -> frozenset[str] | None:
    """Return the names that files rendered from `file` have, services and ids of SLOs; None: nobody can read it."""
    try:
        with file.open("rb") as opened:
            found = reading.read({file.name: opened.read(MAX_BYTES + 1)})
    except OSError:
        return None
    if any(one.level is Level.ERROR and one.check.startswith(FOREIGN) for one in found.findings):
        return None  # a document of others may refer to what stands in another file
    return frozenset(name for slo in found.slos for name in (slo.service, slo.id))


def _belongs(path: str, names: frozenset[str] | None) -> bool:
    return names is None or PurePosixPath(path).stem in names
