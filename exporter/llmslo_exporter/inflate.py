"""Content codings: bodies in gzip, deflate, Brotli and Zstandard opened piece by piece, within bounds."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# An answer of the largest context windows (1 M tokens) is about 4 MB of JSON; a bomb must not fill the node.
MAX_INFLATED_BYTES = 8 * 1024 * 1024
# A proxy may compress what its upstream has compressed; a longer list is an attack on its reader.
MAX_CODINGS = 3
# The codings worth a name of their own; the rest is "other", so that a label made of them stays bounded.
KNOWN_CODINGS = ("gzip", "deflate", "br", "zstd")
OTHER_CODING = "other"

# Members of a gzip file, frames of Zstandard: one, or one a flush. Each costs a start.
MAX_MEMBERS = 10_000

_ALIASES = {"x-gzip": "gzip", "": "identity", "none": "identity"}
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # neither begins an answer that is not compressed
_GZIP_WBITS = 16 + zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2  # RFC 1950 2.2: CMF and FLG
_DEFLATE_METHOD = 8
_FCHECK_MODULUS = 31
_WINDOW_LOG = 23  # RFC 9659: a content coding's window is at most 8 MB, and what asks for more is refused
_BLOCK = 64 * 1024
_SLICE = 4096  # the decoders copy what they leave of their input: a whole body each time would take quadratic time
_ERRORS = (zlib.error, brotli.error, zstd.ZstdError, MemoryError)


def codings(content_encoding: str) -> tuple[str, ...]:
    """Return the codings of a content-encoding in the order in which they were applied, lower case."""
    names = (name.strip().lower() for name in content_encoding.split(","))
    return tuple(name for name in (_ALIASES.get(name, name) for name in names) if name != "identity")


def coding(content_encoding: str) -> str:
    """Return `identity`, one of KNOWN_CODINGS or `other` for a content-encoding; a chain of codings is `other`."""
    names = codings(content_encoding)
    if not names:
        return "identity"
    return names[0] if len(names) == 1 and names[0] in KNOWN_CODINGS else OTHER_CODING


def body_codings(content_encoding: str, start: bytes) -> tuple[str, ...]:
    """Return a body's codings by its header field and its first bytes: a captured head may be cut before the field."""
    return codings(content_encoding) or tuple(name for magic, name in _MAGIC.items() if start.startswith(magic))


class _Stage(Protocol):
    """One coding under way; `feed` yields blocks of what the data opens to and raises one of _ERRORS."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """gzip, whose members may follow each other (RFC 1952 2.2)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WBITS)
        self._members = 1

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._stream.eof:
                if not data.startswith(b"\x1f"):
                    return  # padding
                self._members = _counted(self._members)
                self._stream = zlib.decompressobj(_GZIP_WBITS)
            block = self._stream.decompress(data, _BLOCK)
            yield block
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not data and len(block) < _BLOCK:
                return


class _Deflate:
    """deflate in zlib's wrapping, or the raw one that some servers send under the same name (RFC 9110 8.4.1.2)."""

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._start + data
            self._start = data
            if len(data) < _ZLIB_HEADER_BYTES:
                return
            is_zlib = data[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(data[:2], "big") % _FCHECK_MODULUS == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        block = bytes(_BLOCK)
        while (data or len(block) >= _BLOCK) and not self._stream.eof:  # what follows the stream is no body
            block = self._stream.decompress(data, _BLOCK)
            yield block
            data = self._stream.unconsumed_tail


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self._stream.is_finished():
            block = self._stream.process(data, output_buffer_limit=_BLOCK)
            if not block:
                return
            yield block
            data = b""


class _Zstd:
    """Zstandard, whose frames may follow each other (RFC 8878 3.1)."""

    def __init__(self) -> None:
        self._stream = self._frame()
        self._frames = 1

    @staticmethod
    def _frame() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._stream.needs_input or self._stream.eof):
            if self._stream.eof:
                self._frames = _counted(self._frames)
                self._stream = self._frame()
            yield self._stream.decompress(data, _BLOCK)
            data = self._stream.unused_data if self._stream.eof else b""


def _counted(members: int) -> int:
    if members >= MAX_MEMBERS:
        msg = f"more than {MAX_MEMBERS} members"
        raise zlib.error(msg)
    return members + 1


_STAGES: Mapping[str, Callable[[], _Stage]] = {"gzip": _Gzip, "deflate": _Deflate, "br": _Brotli, "zstd": _Zstd}


class Inflate:
    """Undo the content codings of a body fed in any pieces; unsupported or broken ones give no bytes."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Take the codings in the order in which they were applied."""
        self.supported = len(names) <= MAX_CODINGS and all(name in _STAGES for name in names)
        self._stages = [_STAGES[name]() for name in reversed(names)] if self.supported else []
        self._left = [MAX_INFLATED_BYTES] * max(1, len(self._stages))
        self.broken = False  # the bytes are not what the coding's name says
        self.overflowed = False  # the bound was met; what came before it is right

    @property
    def opened(self) -> bool:
        """Tell whether the codings are ones we know, and the bytes are in them."""
        return self.supported and not self.broken

    @property
    def readable(self) -> bool:
        """Tell whether everything fed so far could be opened."""
        return self.opened and not self.overflowed

    def feed(self, data: bytes) -> bytes:
        """Return what `data` opens to."""
        if not self.readable:
            return b""
        if not self._stages:
            return self._bounded(0, iter((data,)))
        # The bound holds for each coding: one may open to gigabytes of nothing for the next.
        for number, stage in enumerate(self._stages):
            slices = (data[at : at + _SLICE] for at in range(0, len(data), _SLICE))
            data = self._bounded(number, chain.from_iterable(map(stage.feed, slices)))
        return data

    def _bounded(self, number: int, blocks: Iterator[bytes]) -> bytes:
        out = bytearray()
        left = self._left[number]
        try:
            for block in blocks:
                out += block
                if len(out) > left:
                    self.overflowed = True
                    break
        except _ERRORS:
            self.broken = True
        self._left[number] = max(0, left - len(out))
        return bytes(out[:left])
