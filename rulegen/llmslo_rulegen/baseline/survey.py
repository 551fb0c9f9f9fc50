"""Trace files into one baseline, on every core: one process says what is read by which other, or cuts it for them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.gathering import Gathering
from llmslo_rulegen.baseline.period import ALWAYS, Period
from llmslo_rulegen.traces import files, ranges, reading
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.files import Tell, TraceFileError
from llmslo_rulegen.traces.packing import Piece
from llmslo_rulegen.traces.ranges import Range

_TASK_BYTES = 8 << 20
_WAITING = 2  # tasks a worker has in store
T = TypeVar("T")


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
    found = files.listed(paths)
    if not jobs:
        return of_pieces((piece for path in found for piece in files.pieces(path, tell)), period)
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        crew = _Crew(pool, jobs, period, tell)
        return added(part for path in found for part in crew.read(path))


def of_pieces(pieces: Iterable[Piece], period: Period = ALWAYS) -> Survey:
    """Read pieces in this process; raises TraceFileError."""
    return added(_of_task(period, task) for task in _tasks(pieces))


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
    is_whole, add = period.is_whole, gathering.add
    for call in calls:
        if isinstance(call, Skipped):
            skipped[call] += 1
        elif is_whole or period.has(call.start_ns):
            add(call)
        else:
            skipped[Skipped.OUTSIDE] += 1
    return Survey(gathering.baseline(), skipped)


class _Crew:
    """Processes that read; a file that can be read in ranges is read by them alone."""

    def __init__(self, pool: Executor, jobs: int, period: Period, tell: Tell) -> None:
        self._pool, self._most = pool, jobs * _WAITING
        self._period, self._tell = period, tell

    def read(self, path: Path) -> Iterator[Survey]:
        """Yield a file's parts; raises TraceFileError."""
        try:
            # Added up first: what was read of ranges that are none does not count.
            yield added(self._spread(_of_range, self._ranges(path)))
        except (TraceFileError, OSError):
            yield from self._spread(_of_task, _tasks(files.pieces(path, self._tell)))

    def _ranges(self, path: Path) -> Iterator[Range]:
        found = ranges.ranges(path)
        if not found:
            raise TraceFileError
        for one in found:
            self._tell(str(path), one.begin)
            yield one

    def _spread(self, read: Callable[[Period, T], Survey], tasks: Iterator[T]) -> Iterator[Survey]:
        under_way: deque[Future[Survey]] = deque()
        for task in tasks:
            under_way.append(self._pool.submit(read, self._period, task))
            if len(under_way) >= self._most:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _of_task(period: Period, task: Iterable[Piece]) -> Survey:
    return of_calls((call for piece in task for call in reading.of_piece(piece)), period)


def _of_range(period: Period, found: Range) -> Survey:
    try:
        return _of_task(period, ranges.pieces(found))
    except DocumentError as error:
        raise TraceFileError(str(error)) from error


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
