"""Memory that was given back to malloc goes back to the kernel."""

from __future__ import annotations

import re
import subprocess
import sys

# Blocks of 2 kB are malloc's, not Python's own; each fiftieth stays and keeps the heap from shrinking at its end.
PROGRAM = """
import re, sys
from pathlib import Path
from llmslo_exporter.allocator import give_back, keep_little

def resident_kb():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

keep_little()
before = resident_kb()
blocks = [bytes(2000) for _ in range(25_000)]
most = resident_kb()
kept = blocks[::50]
del blocks
give_back()
print(most - before, resident_kb() - before)
"""


def test_a_peak_does_not_stay_although_some_of_it_is_kept():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    most_kb, left_kb = map(int, re.findall(r"-?\d+", done.stdout))
    assert most_kb > 40_000
    assert left_kb < most_kb / 3
