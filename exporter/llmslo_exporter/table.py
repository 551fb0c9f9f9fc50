"""The automaton's tables as `make build` made them: compiling takes longer than loading and attaching the programs."""

from __future__ import annotations

import hashlib
import logging
import sys
import zlib
from collections.abc import Iterator, Sequence

from llmslo_exporter.automaton import PACKED_BYTES, compile_wires
from llmslo_exporter.dialects import WIRES
from llmslo_exporter.errors import SetupError
from llmslo_exporter.loaders.sources import TABLE, bpf_file
from llmslo_exporter.wire import Wire

log = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


def tables() -> Iterator[bytes]:
    """Yield each `struct automaton`, one at a time: as built if that was of these dialects, else compiled now."""
    try:
        built = unpack(bpf_file(TABLE).read_bytes(), WIRES)
    except (OSError, SetupError):
        built = None
    if built is None:
        log.warning("no table of these dialects was built, compiling it", extra={"file": f"bpf/{TABLE}"})
        yield from compile_wires(WIRES).pack()
    else:
        yield from built


def pack(wires: Sequence[Wire]) -> bytes:
    """Return the file's bytes: a digest of the dialects and the tables, then the compressed tables."""
    body = zlib.compress(b"".join(compile_wires(wires).pack()), 9)
    return _digest(wires, body) + body


def unpack(data: bytes, wires: Sequence[Wire]) -> Iterator[bytes] | None:
    """Return the tables in a file's bytes; None where they are another's, of other dialects or damaged."""
    body = data[_DIGEST_BYTES:]
    return _inflated(body) if data[:_DIGEST_BYTES] == _digest(wires, body) else None


def _inflated(body: bytes) -> Iterator[bytes]:
    # All at once they would take 6 MB, which the C library keeps.
    stream = zlib.decompressobj()
    while part := stream.decompress(body, PACKED_BYTES):
        yield part
        body = stream.unconsumed_tail


def _digest(wires: Sequence[Wire], body: bytes) -> bytes:
    return hashlib.sha256(repr(tuple(wires)).encode() + body).digest()


if __name__ == "__main__":
    sys.stdout.buffer.write(pack(WIRES))
