"""Is a parser's time in proportion to its input? Inputs are drawn out, and the CPU time of a long one is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

SHORT_BYTES = (2 * 1024, 16 * 1024)  # the first tells what would take minutes with the second
FACTOR = 8
# Four times the time of linear growth, half that of quadratic growth.
MOST = FACTOR * 4
# A shorter time is not worth a word, and drowns in noise.
MATTERS_S = 0.05
TRIES = 3


def drawn_out(data: bytes, size: int) -> Iterator[bytes]:
    """Yield inputs of about `size` bytes in which all or a part of `data` is repeated; its first byte stays."""
    first, rest = data[:1], data[1:]
    if not rest:
        return
    third = max(1, len(rest) // 3)
    for before, part, after in (
        (b"", rest, b""),
        (rest[:third], rest[third : 2 * third] or rest, rest[2 * third :]),
        (rest, rest[-1:], b""),
        (b"", rest[:1], rest),
    ):
        times = max(1, (size - len(before) - len(after)) // len(part))
        yield first + before + part * times + after


def disproportion(run: Callable[[bytes], None], data: bytes) -> str | None:
    """Say where the time of `run` grows faster than its input; None where it does not."""
    pairs = (
        pair for size in SHORT_BYTES for pair in zip(drawn_out(data, size), drawn_out(data, size * FACTOR), strict=True)
    )
    for short, long in pairs:
        if _cpu_s(run, long) < MATTERS_S:
            continue
        # Whatever else the machine does only adds: the least of several is nearest the truth.
        short_s = min(_cpu_s(run, short) for _ in range(TRIES))
        long_s = min(_cpu_s(run, long) for _ in range(TRIES))
        if long_s > MOST * short_s:
            took = f"{len(short)} bytes take {short_s * 1e3:.1f} ms, {len(long)} bytes {long_s * 1e3:.1f} ms"
            return f"{took}: {long[:60]!r}"
    return None


def _cpu_s(run: Callable[[bytes], None], data: bytes) -> float:
    began_s = time.thread_time()
    run(data)
    return time.thread_time() - began_s
