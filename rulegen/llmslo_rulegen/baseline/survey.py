"""Trace files into one baseline, on every core: one process cuts, the others read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.gathering import Gathering
from llmslo_rulegen.traces import files, readers
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.files import Piece, Tell, TraceFileError

_TASK_BYTES = 8 << 20
_WAITING = 2  # tasks a worker has in store


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read: the calls as a baseline, and how many spans gave none, by reason."""

    baseline: Baseline
    skipped: Counter[Skipped]

    @property
    def spans(self) -> int:
        return self.baseline.count + self.skipped.total()


def survey(paths: Sequence[Path], jobs: int, tell: Tell) -> Survey:
    """Read files with `jobs` processes beside this one (0: none); raises TraceFileError."""
    found = (piece for path in files.listed(paths) for piece in files.pieces(path, tell))
    results = _spread(_tasks(found), jobs) if jobs else map(_read, _tasks(found))
    skipped: Counter[Skipped] = Counter()
    baselines: list[Baseline] = []
    for part in results:
        skipped.update(part.skipped)
        baselines.append(part.baseline)
        if len(baselines) > _WAITING * 8:
            baselines = [Baseline.merged(baselines)]
    return Survey(Baseline.merged(baselines), skipped)


def _spread(tasks: Iterator[list[Piece]], jobs: int) -> Iterator[Survey]:
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        under_way: list[Future[Survey]] = []
        for task in tasks:
            under_way.append(pool.submit(_read, task))
            if len(under_way) >= jobs * _WAITING:
                yield under_way.pop(0).result()
        yield from (future.result() for future in under_way)


def _tasks(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece.data)
        if size >= _TASK_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _read(task: list[Piece]) -> Survey:
    gathering, skipped = Gathering(), Counter[Skipped]()
    for piece in task:
        try:
            for call in readers.calls(piece.format, piece.data):
                if isinstance(call, Call):
                    gathering.add(call)
                else:
                    skipped[call] += 1
        except DocumentError as error:
            msg = f"{piece.file}: {error}"
            raise TraceFileError(msg) from error
    return Survey(gathering.baseline(), skipped)
