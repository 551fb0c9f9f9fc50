"""What malloc keeps of memory that was given back to it: little, so that a peak does not stay for a daemon's life."""

from __future__ import annotations

import ctypes

# malloc.h. By default glibc keeps one heap for each of eight threads a processor, and with the first large block that
# is freed it raises the size from which blocks go back to the kernel at once, from 128 KiB up to 32 MiB, and what
# it keeps at the top of a heap to twice of that. Measured with fifty libraries and four processes a library: 71 MB
# resident by default, 60 MB so (`python -m tests.e2e.churn`).
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
THRESHOLD_BYTES = 128 * 1024
ARENAS = 2  # few wait for one another: under the interpreter's lock one thread allocates at a time


def keep_little() -> None:
    """Set it for this process. Where malloc is not glibc's, everything stays as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, THRESHOLD_BYTES)
        mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the kernel the free pages within heaps, too, which glibc does only when it is asked.

    After answers of 2 MB of brackets, whose JSON takes 20 times that, 131 MB were resident, 69 MB behind it; it took
    9 ms (`python -m tests.e2e.hostile --only answers`).
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(ctypes.c_size_t(0))
