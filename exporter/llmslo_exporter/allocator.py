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
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(_M_MMAP_THRESHOLD, THRESHOLD_BYTES)
    mallopt(_M_ARENA_MAX, ARENAS)
