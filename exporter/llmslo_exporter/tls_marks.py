"""By what bytes a program shows that it speaks TLS itself: strings that stay when symbols are stripped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# By the name of a mapped file: libraries (and one runtime) that bring a TLS of their own.
_LIBRARIES = (
    (re.compile(r"libgnutls\b"), "GnuTLS"),
    (re.compile(r"lib(nss3|ssl3)\b"), "NSS"),
    (re.compile(r"libmbedtls\b"), "mbedTLS"),
    (re.compile(r"libwolfssl\b"), "wolfSSL"),
    (re.compile(r"librustls\b"), "rustls"),
    (re.compile(r"libs2n\b"), "s2n"),
    (re.compile(r"libbotan\b"), "Botan"),
    (re.compile(r"libjvm\.so"), "Java JSSE"),
    (re.compile(r"beam\.smp$"), "Erlang ssl"),
)
_GO = b"\xff Go buildinf:", b"crypto/tls.(*Conn)"  # the toolchain's mark, and a name in its function table
# Paths that error records and panics name; libcrypto alone, without libssl, has none of them.
_LITERALS = (
    (b"rustls-0.", "rustls"),
    (b"/rustls/src/", "rustls"),
    (b"ssl/ssl_lib.cc", "BoringSSL"),
    (b"boringssl/src/ssl/", "BoringSSL"),
    (b"ssl/ssl_lib.c\0", "OpenSSL without symbols"),
    (b"GnuTLS internal error.", "GnuTLS"),
    (b"SSL - The peer notified us that the connection is going to be closed", "mbedTLS"),
)
ALL = (*_GO, *(literal for literal, _ in _LITERALS))
OVERLAP = max(map(len, ALL)) - 1

_HINTS = {
    "Go crypto/tls": "no hooks for Go yet; a plaintext hop (a proxy on this node) is seen",
    "Java JSSE": "no hooks for Java yet; netty-tcnative or a proxy with OpenSSL is seen",
    "OpenSSL without symbols": "ship it with its dynamic or static symbol table (do not strip -s)",
}
_HINT = "no hooks for it; a build with OpenSSL, or a proxy with OpenSSL before it, is seen"


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Processes of one name that may speak TLS where nothing listens."""

    implementation: str
    process: str
    count: int

    @property
    def todo(self) -> str:
        """What would let their calls be seen."""
        return _HINTS.get(self.implementation, _HINT)


def named(file: str) -> str | None:
    """Return whose TLS a mapped file of this base name brings; None: none that is known without its content."""
    return next((name for pattern, name in _LIBRARIES if pattern.match(file)), None)


def found(blocks: Iterable[bytes]) -> frozenset[bytes]:
    """Return which of ALL occur in a file that comes in blocks, also across two of them."""
    missing = set(ALL)
    tail = b""
    for block in blocks:
        text = tail + block
        missing -= {literal for literal in missing if literal in text}
        if not missing:
            break
        tail = text[-OVERLAP:]
    return frozenset(ALL) - missing


def spoken(literals: frozenset[bytes]) -> Iterator[str]:
    """Yield whose TLS a file without hooks holds, by its literals, each once."""
    if literals.issuperset(_GO):
        yield "Go crypto/tls"
    names = {name for literal, name in _LITERALS if literal in literals}
    # BoringSSL's own paths end like OpenSSL's.
    yield from sorted(names - ({"OpenSSL without symbols"} if "BoringSSL" in names else set()))
