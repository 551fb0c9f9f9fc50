"""Who speaks TLS by its own means, by names and by bytes."""

from __future__ import annotations

import pytest

from llmslo_exporter.tls_marks import ALL, OVERLAP, BlindSpot, found, named, spoken


@pytest.mark.parametrize(
    ("file", "implementation"),
    [
        ("libgnutls.so.30.34.3", "GnuTLS"),
        ("libssl3.so", "NSS"),
        ("libnss3.so", "NSS"),
        ("libmbedtls.so.14", "mbedTLS"),
        ("libjvm.so", "Java JSSE"),
        ("libs2n.so.1", "s2n"),
        ("beam.smp", "Erlang ssl"),
        ("libssl.so.3", None),
        ("libnss_files.so.2", None),
        ("libnss3s.so", None),
        ("python3.11", None),
    ],
)
def test_a_library_is_known_by_its_name(file, implementation):
    assert named(file) == implementation


GO = b"\xff Go buildinf:\x08\x02", b"...crypto/tls.(*Conn).Read..."


@pytest.mark.parametrize(
    ("content", "implementations"),
    [
        (GO, ["Go crypto/tls"]),
        (GO[:1], []),
        (GO[1:], []),
        ((b"/cargo/registry/src/index/rustls-0.23.12/src/conn.rs",), ["rustls"]),
        ((b"rustls-native-certs-0.7.1",), []),
        ((b"../../third_party/boringssl/src/ssl/ssl_lib.cc",), ["BoringSSL"]),
        ((b"../ssl/ssl_lib.c\0",), ["OpenSSL without symbols"]),
        ((b"OpenSSL 3.0.11 19 Sep 2023",), []),
        ((b"GnuTLS internal error.",), ["GnuTLS"]),
        ((*GO, b"rustls-0.21"), ["Go crypto/tls", "rustls"]),
        ((b"",), []),
    ],
)
def test_a_program_is_known_by_what_stays_when_it_is_stripped(content, implementations):
    literals = found([b"\0" * 100, *content, b"\0" * 100])
    assert list(spoken(literals)) == implementations


@pytest.mark.parametrize("literal", ALL)
def test_a_literal_is_found_wherever_the_file_is_cut(literal):
    data = b"x" * (OVERLAP + 3) + literal + b"y" * OVERLAP
    for at in range(len(data) + 1):
        assert found([data[:at], data[at:]]) == {literal}


def test_a_blind_spot_says_what_would_help():
    assert "proxy" in BlindSpot("Go crypto/tls", "prometheus", 1).todo
    assert "proxy" in BlindSpot("something new", "x", 1).todo
