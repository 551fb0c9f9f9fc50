"""Kill a started and attached exporter again and again, and compare what the kernel holds before and after.

`python -m tests.kernel.crash --times 100 [--loader libbpf|bcc]`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Exporter, NotSeenError, kernel_is_open

# Programs and maps are freed by a worker of the kernel after the last descriptor is closed.
SETTLE_S = 2.0
KINDS = ("prog", "map", "link")
UPROBES = Path("/sys/kernel/tracing/uprobe_events")
# Not ours: other tenants of the machine load theirs while we look, cgroup programs of systemd for example.
FOREIGN_TYPES = {"cgroup_device", "cgroup_skb"}

Held = Mapping[str, Counter[str]]


def _listed(kind: str) -> list[dict[str, Any]]:
    out = subprocess.run(["bpftool", "--json", kind, "list"], capture_output=True, text=True, check=True).stdout
    found: list[dict[str, Any]] = json.loads(out or "[]")
    return found


def held(kinds: Sequence[str] = KINDS) -> Held:
    """Ids of the programs, maps, links and named probes that the kernel holds, by kind."""
    found = {
        kind: Counter(str(item["id"]) for item in _listed(kind) if item.get("type") not in FOREIGN_TYPES)
        for kind in kinds
    }
    text = UPROBES.read_text() if UPROBES.exists() else ""
    return {**found, "probe": Counter(text.splitlines())}


def left_over(before: Held, after: Held) -> dict[str, list[str]]:
    """What the kernel holds now and did not before."""
    return {kind: sorted(after[kind] - before[kind]) for kind in after if after[kind] - before[kind]}


def settled(before: Held) -> dict[str, list[str]]:
    """The left-overs once the kernel had time to free what nobody holds.

    It gets that time without anybody looking: bpftool opens every map and every map of a program that it lists, and an
    array of programs that is opened while the kernel clears it, after its owner's end, is never freed (seen on 6.18).
    """
    time.sleep(SETTLE_S)
    return left_over(before, held())


def trial(loader: str, times: int, folder: Path) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Start it, wait for the probes, kill it without warning, `times` times: what it held, what is left after all."""
    before = held()
    most: dict[str, int] = {}
    for number in range(times):
        exporter = Exporter(loader, folder)
        try:
            exporter.wait_ready()
            most = most or {kind: len(ids) for kind, ids in left_over(before, held()).items()}
        finally:
            exporter.kill()
        time.sleep(SETTLE_S)
        if sys.stderr.isatty():
            print(f"\r{loader}: {number + 1} of {times}", end="", file=sys.stderr)
    return most, settled(before)


def _show(loader: str, times: int, most: Mapping[str, int], left: Mapping[str, Sequence[str]]) -> None:
    had = ", ".join(f"{count} {kind}s" for kind, count in sorted(most.items()))
    rest = ", ".join(f"{len(left.get(kind, ()))} {kind}s" for kind in (*KINDS, "probe"))
    print(f"{loader}: {times} x start, attach, kill -9; held while running: {had or 'nothing'}; left: {rest}")


def main() -> int:
    """Run the trial; 0 when nothing is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--loader", choices=("libbpf", "bcc", "both"), default="libbpf")
    args = parser.parse_args()
    closed = kernel_is_open()
    if closed:
        print(f"cannot run: {closed}", file=sys.stderr)
        return 2
    clean = True
    for loader in ("libbpf", "bcc") if args.loader == "both" else (args.loader,):
        with tempfile.TemporaryDirectory() as folder:
            most, left = trial(loader, args.times, Path(folder))
        _show(loader, args.times, most, left)
        clean = clean and not left and bool(most)
    return 0 if clean else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotSeenError as failure:
        sys.exit(str(failure))
