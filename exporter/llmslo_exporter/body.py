"""A response body as the application sees it: transfer coding, then content coding, undone piece by piece."""

from __future__ import annotations

import re

from llmslo_exporter.http1 import Chunked, ResponseHead
from llmslo_exporter.inflate import OTHER_CODING, Inflate, coding

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,8}(;[^\n]{0,64})?\r\n")


class Body:
    """Decode a body from the pieces read or written; `first` is its first piece, to be fed like the others.

    A head that was cut before its framing or coding fields is made up for by the first bytes.
    """

    def __init__(self, head: ResponseHead, first: bytes = b"") -> None:
        self.coding = coding(head.headers.joined("content-encoding"))
        framed = head.is_chunked or head.content_length is not None
        chunk_line = _CHUNK_LINE.match(first)
        is_chunked = head.is_chunked or (not head.whole and not framed and chunk_line is not None)
        payload = first[chunk_line.end() :] if is_chunked and chunk_line else first
        if not head.whole and self.coding == "identity" and payload.startswith(_GZIP_MAGIC):
            self.coding = "gzip"
        self._chunked = Chunked() if is_chunked else None
        self._length = head.content_length
        self._seen = 0
        self._inflate = Inflate(self.coding)

    def feed(self, data: bytes) -> bytes:
        """Return the content in `data`; nothing when the coding is not supported or the bytes break it."""
        if self._chunked is not None:
            data = self._chunked.feed(data)
        elif self._length is not None:
            data = data[: self._length - self._seen]
            self._seen += len(data)
        return self._inflate.feed(data)

    @property
    def complete(self) -> bool:
        """Tell whether the framing says that this was the whole body."""
        if self._chunked is not None:
            return self._chunked.complete
        return self._length is not None and self._seen >= self._length

    @property
    def readable(self) -> bool:
        """Tell whether everything fed so far could be opened."""
        whole_frames = self._chunked is None or not self._chunked.broken
        return whole_frames and self._inflate.supported and not self._inflate.broken and not self._inflate.overflowed

    @property
    def supported(self) -> bool:
        """Tell whether the content coding is one that can be opened here."""
        return self._inflate.supported and self.coding != OTHER_CODING
