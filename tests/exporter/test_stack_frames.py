"""The object's functions within the stack that older kernels give all functions of a call chain together."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict

from llmslo_exporter.loaders.sources import OBJECT, bpf_file

STACK_BYTES = 512
ROUNDED_TO = 32  # Linux 6.1 rounds each frame up to it; the kernels after 6.12 no longer add frames up
CALLED_BACK = "step_once"  # bpf_loop gets it by its address in .text
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
FRAME = re.compile(r"r10 - (0x[0-9a-f]+|\d+)|r\d+ \+= -(0x[0-9a-f]+|\d+)")
CALL = re.compile(r"R_BPF_64_(?:32|64)\s+(\S+)")


def _output(*command: str) -> list[str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


def _functions() -> tuple[dict[str, int], dict[str, set[str]]]:
    """Every function's frame in bytes, and what it calls."""
    path = str(bpf_file(OBJECT))
    fields = (line.split() for line in _output("llvm-nm", path))
    names = {name for _, kind, name in fields if kind in "Tt" and not name.startswith("LBB")}
    frames: dict[str, int] = defaultdict(int)
    calls: dict[str, set[str]] = defaultdict(set)
    here = ""
    for line in _output("llvm-objdump", "-dr", "--no-show-raw-insn", path):
        if started := FUNCTION.match(line):
            here = started[1] if started[1] in names else here
            continue
        for found in FRAME.finditer(line):
            frames[here] = max(frames[here], int(found[1] or found[2], 0))
        if called := CALL.search(line):
            name = CALLED_BACK if called[1] == ".text" else called[1]
            calls[here] |= {name} & names
    return frames, calls


def test_every_chain_of_calls_fits_the_stack_of_older_kernels():
    frames, calls = _functions()

    def deepest(name: str) -> tuple[int, tuple[str, ...]]:
        own = -(-max(frames[name], 1) // ROUNDED_TO) * ROUNDED_TO
        below, chain = max((deepest(callee) for callee in calls[name]), default=(0, ()))
        return own + below, (name, *chain)

    chains = [deepest(name) for name in tuple(frames)]
    assert {"tls_data_return", "step_once", "scan_stream"} <= {name for _, chain in chains for name in chain}
    assert [(size, chain) for size, chain in chains if size > STACK_BYTES] == []
