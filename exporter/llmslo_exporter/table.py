"""The automaton's tables as `make build` made them: compiling takes longer than loading and attaching the programs."""

from __future__ import annotations

import hashlib
import logging
import sys
import zlib
from collections.abc import Sequence

from llmslo_exporter.automaton import PACKED_BYTES, TABLES, compile_wires
from llmslo_exporter.dialects import DIALECTS
from llmslo_exporter.errors import SetupError
from llmslo_exporter.loaders.sources import TABLE, bpf_file
from llmslo_exporter.wire import Wire

log = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


def table() -> tuple[bytes, ...]:
    """Return each `struct automaton`: as built if that was of these dialects, else compiled now."""
    wires = [dialect.wire for dialect in DIALECTS]
    try:
        built = unpack(bpf_file(TABLE).read_bytes(), wires)
    except (OSError, SetupError):
        built = None
    if built is None:
        log.warning("no table of these dialects was built, compiling it", extra={"file": f"bpf/{TABLE}"})
        return compile_wires(wires).pack()
    return built


def pack(wires: Sequence[Wire]) -> bytes:
    """Return the file's bytes: a digest of the dialects, then the compressed table."""
    return _digest(wires) + zlib.compress(b"".join(compile_wires(wires).pack()), 9)


def unpack(data: bytes, wires: Sequence[Wire]) -> tuple[bytes, ...] | None:
    """Return the tables in a file's bytes; None where they are another's, of other dialects or damaged."""
    if data[:_DIGEST_BYTES] != _digest(wires):
        return None
    try:
        found = zlib.decompressobj().decompress(data[_DIGEST_BYTES:], TABLES * PACKED_BYTES)
    except zlib.error:
        return None
    if not found or len(found) % PACKED_BYTES:
        return None
    return tuple(found[at : at + PACKED_BYTES] for at in range(0, len(found), PACKED_BYTES))


def _digest(wires: Sequence[Wire]) -> bytes:
    return hashlib.sha256(repr(tuple(wires)).encode()).digest()


if __name__ == "__main__":
    sys.stdout.buffer.write(pack([dialect.wire for dialect in DIALECTS]))
