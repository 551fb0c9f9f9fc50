"""One target under atheris: `python -m tests.fuzz.worker TARGET INPUTS SEED FOLDER`.

libFuzzer mutates towards branches of the parsers that no input has reached. Prints JSON lines: progress, and at the
end the inputs that took longest for their size. A finding is a file in FOLDER and exit code 77.
"""

from __future__ import annotations

import heapq
import json
import os
import resource
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["llmslo_exporter", "llmslo_rulegen.traces", "llmslo_rulegen.baseline"]):
    from tests.fuzz.targets import TARGETS, Target

MEMORY_MB = 1024
REPORT_S = 1.0
SLOWEST = 5
# Below this the time of a call says more about the machine than about the input.
SLOW_S = 0.001


class Watch:
    """Calls a target, counts, and remembers which inputs took longest."""

    def __init__(self, target: Target, inputs: int) -> None:
        self._run = target.run
        self._inputs = inputs
        self._count = 0
        self._said_s = time.monotonic()
        self._slow: list[tuple[float, bytes]] = []

    def __call__(self, data: bytes) -> None:
        began_s = time.perf_counter()
        self._run(data)
        taken_s = time.perf_counter() - began_s
        self._count += 1
        if taken_s > SLOW_S and (len(self._slow) < SLOWEST or taken_s > self._slow[0][0]):
            heapq.heappush(self._slow, (taken_s, data))
            if len(self._slow) > SLOWEST:
                heapq.heappop(self._slow)
        if time.monotonic() - self._said_s > REPORT_S:
            self._said_s = time.monotonic()
            self.say()
        if self._count == self._inputs:
            self.say(slowest=[data.hex() for _, data in self._slow], done=True)
            os._exit(0)  # libFuzzer would end it likewise, after a page of statistics

    def say(self, **more: object) -> None:
        """Print how far it is."""
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sys.stdout.write(json.dumps({"inputs": self._count, "peak_mb": peak_kb / 1024, **more}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Run one target; libFuzzer ends the process."""
    name, inputs, seed, folder = sys.argv[1:]
    target = TARGETS[name]
    corpus = Path(folder) / f"{name}-corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data[: target.most_bytes])
    words = Path(folder) / f"{name}-words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words or (b"a",)))  # libFuzzer refuses none
    options = [
        f"-seed={seed}",
        f"-max_len={target.most_bytes}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-timeout=20",
        f"-dict={words}",
        f"-artifact_prefix={folder}/{name}-",
        "-verbosity=0",
        "-print_final_stats=0",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], Watch(target, int(inputs)))
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
