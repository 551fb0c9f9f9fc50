"""Content codings as servers write them: flushed behind each event, so that it can leave at once."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS = ("gzip", "deflate", "br", "zstd", "gzip, br")
_WBITS = {"gzip": 31, "deflate": 15}


def packed(parts: Sequence[bytes], coding: str) -> list[bytes]:
    """Each of `parts` coded and flushed; the last one with the end of the coding. A list is applied in its order."""
    found = list(parts)
    for name in coding.split(", "):
        found = _packed(found, name)
    return found


def _packed(parts: Sequence[bytes], name: str) -> list[bytes]:
    if name == "br":
        coder = brotli.Compressor()
        runs, end = [coder.process(part) + coder.flush() for part in parts], coder.finish()
    elif name == "zstd":
        frames = zstd.ZstdCompressor()
        runs, end = [frames.compress(part, zstd.ZstdCompressor.FLUSH_BLOCK) for part in parts], frames.flush()
    else:
        packer = zlib.compressobj(wbits=_WBITS[name])
        runs = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts]
        end = packer.flush()
    return [*runs[:-1], runs[-1] + end]
