"""Trace files into one baseline, on every core: one process cuts, the others read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.gathering import Gathering
from llmslo_rulegen.baseline.period import ALWAYS, Period
from llmslo_rulegen.traces import files, reading
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.files import Tell
from llmslo_rulegen.traces.packing import Piece

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


def survey(paths: Sequence[Path], jobs: int, tell: Tell, period: Period = ALWAYS) -> Survey:
    """Read files with `jobs` processes beside this one (0: none); raises TraceFileError."""
    found = (piece for path in files.listed(paths) for piece in files.pieces(path, tell))
    return of_pieces(found, jobs, period)


def of_pieces(pieces: Iterable[Piece], jobs: int, period: Period = ALWAYS) -> Survey:
    """Read pieces with `jobs` processes beside this one (0: none); raises TraceFileError."""
    read = partial(_read, period)
    tasks = _tasks(pieces)
    return added(_spread(tasks, read, jobs) if jobs else (_read(period, task) for task in tasks))


def added(surveys: Iterable[Survey]) -> Survey:
    """Add surveys up as they come."""
    skipped: Counter[Skipped] = Counter()
    baselines: list[Baseline] = []
    for part in surveys:
        skipped.update(part.skipped)
        baselines.append(part.baseline)
        if len(baselines) > _WAITING * 8:
            baselines = [Baseline.merged(baselines)]
    return Survey(Baseline.merged(baselines), skipped)


def of_calls(calls: Iterable[Call | Skipped], period: Period = ALWAYS) -> Survey:
    """Sum up calls; those that began outside the period are skipped."""
    gathering, skipped = Gathering(), Counter[Skipped]()
    for call in calls:
        if not isinstance(call, Call):
            skipped[call] += 1
        elif period.is_whole or period.has(call.start_ns):
            gathering.add(call)
        else:
            skipped[Skipped.OUTSIDE] += 1
    return Survey(gathering.baseline(), skipped)


def _read(period: Period, task: list[Piece]) -> Survey:
    return of_calls((call for piece in task for call in reading.of_piece(piece)), period)


def _spread(tasks: Iterator[list[Piece]], read: partial[Survey], jobs: int) -> Iterator[Survey]:
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        under_way: list[Future[Survey]] = []
        for task in tasks:
            under_way.append(pool.submit(read, task))
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
