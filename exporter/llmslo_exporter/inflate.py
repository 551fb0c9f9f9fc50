"""Content codings: gzip and deflate bodies opened piece by piece, within a bound."""

from __future__ import annotations

import zlib

# An answer of the largest context windows (1 M tokens) is about 4 MB of JSON; a bomb must not fill the node.
MAX_INFLATED_BYTES = 8 * 1024 * 1024
# The codings worth a name of their own; the rest is "other", so that a label made of them stays bounded.
KNOWN_CODINGS = ("gzip", "deflate", "br", "zstd")
OTHER_CODING = "other"

_ALIASES = {"x-gzip": "gzip", "": "identity", "none": "identity"}
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 16 + zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2  # RFC 1950 2.2: CMF and FLG
_DEFLATE_METHOD = 8
_FCHECK_MODULUS = 31


def coding(content_encoding: str) -> str:
    """Return `identity`, one of KNOWN_CODINGS or `other` for a content-encoding; a chain of codings is `other`."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in (_ALIASES.get(name, name) for name in names) if name != "identity"]
    if not names:
        return "identity"
    return names[0] if len(names) == 1 and names[0] in KNOWN_CODINGS else OTHER_CODING


def body_coding(content_encoding: str, start: bytes) -> str:
    """Return a body's coding by its header field and its first bytes: a captured head may be cut before the field."""
    name = coding(content_encoding)
    return "gzip" if name == "identity" and start.startswith(_GZIP_MAGIC) else name


class Inflate:
    """Undo one content coding of a body fed in any pieces; an unsupported or broken one gives no bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start = bytearray()
        self._stream = zlib.decompressobj(_GZIP_WBITS) if name == "gzip" else None
        self._left = MAX_INFLATED_BYTES
        self.supported = name in {"identity", "gzip", "deflate"}
        self.broken = False  # the bytes are not what the coding's name says
        self.overflowed = False  # the bound was met; what came before it is right

    @property
    def opened(self) -> bool:
        """Tell whether the coding is one we know, and the bytes are in it."""
        return self.supported and not self.broken

    @property
    def readable(self) -> bool:
        """Tell whether everything fed so far could be opened."""
        return self.opened and not self.overflowed

    def feed(self, data: bytes) -> bytes:
        """Return what `data` opens to."""
        if not self.readable:
            return b""
        if self._name == "identity":
            return self._bounded(data)
        if self._stream is None:
            self._start += data
            if len(self._start) < _ZLIB_HEADER_BYTES:
                return b""
            data = bytes(self._start)
            self._stream = zlib.decompressobj(_deflate_wbits(data))
        try:
            return self._inflate(self._stream, data)
        except zlib.error:
            self.broken = True
            return b""

    def _inflate(self, stream: zlib._Decompress, data: bytes) -> bytes:
        out = bytearray()
        while data:
            if stream.eof:
                # A gzip file may have several members (RFC 1952 2.2); what follows a deflate stream is no body.
                if self._name != "gzip" or not data.startswith(b"\x1f"):
                    break
                stream = self._stream = zlib.decompressobj(_GZIP_WBITS)
            # One byte more than allowed tells a full body from one that is too large.
            out += stream.decompress(data, self._left - len(out) + 1)
            if len(out) > self._left:
                break
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
        return self._bounded(bytes(out))

    def _bounded(self, data: bytes) -> bytes:
        self.overflowed = len(data) > self._left
        data = data[: self._left]
        self._left -= len(data)
        return data


def _deflate_wbits(start: bytes) -> int:
    """Tell zlib from the raw deflate that some servers send under the same name (RFC 9110 8.4.1.2)."""
    is_zlib = start[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(start[:2], "big") % _FCHECK_MODULUS == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
