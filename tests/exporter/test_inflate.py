"""Content codings opened piece by piece, within a bound."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.inflate import MAX_CODINGS, MAX_INFLATED_BYTES, MAX_MEMBERS, Inflate, body_codings, coding, codings

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b'{"usage":{"prompt_tokens":12}}' * 3


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zlib": zlib.compress,
    "raw": raw_deflate,
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstd.compress,
}
NAMES = {"zlib": "deflate", "raw": "deflate"}
ENCODED = {kind: pack(TEXT) for kind, pack in PACKERS.items()}


def opening(kind: str) -> Inflate:
    return Inflate((NAMES.get(kind, kind),))


@pytest.mark.parametrize("kind", ENCODED)
def test_bodies_open_whatever_the_read_sizes(kind):
    data = ENCODED[kind]
    for cut in range(len(data) + 1):
        inflate = opening(kind)
        assert inflate.feed(data[:cut]) + inflate.feed(data[cut:]) == TEXT
        assert inflate.readable


@pytest.mark.parametrize("kind", ENCODED)
def test_bodies_open_byte_by_byte(kind):
    inflate = opening(kind)
    assert b"".join(inflate.feed(bytes([byte])) for byte in ENCODED[kind]) == TEXT


def test_flushed_parts_come_out_with_the_piece_that_holds_them():
    gz, br, zs = zlib.compressobj(wbits=31), brotli.Compressor(), zstd.ZstdCompressor()
    packers = {
        "gzip": lambda part: gz.compress(part) + gz.flush(zlib.Z_SYNC_FLUSH),
        "br": lambda part: br.process(part) + br.flush(),
        "zstd": lambda part: zs.compress(part, zstd.ZstdCompressor.FLUSH_BLOCK),
    }
    for kind, pack in packers.items():
        inflate = opening(kind)
        for part in (b"data: 1\n\n", b"data: 2\n\n"):
            assert inflate.feed(pack(part)) == part


def test_gzip_members_follow_each_other_and_padding_is_ignored():
    inflate = opening("gzip")
    assert inflate.feed(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0") == b"ab"


def test_zstd_frames_follow_each_other_also_skippable_ones():
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0xyz"
    inflate = opening("zstd")
    assert inflate.feed(zstd.compress(b"a") + skippable + zstd.compress(b"b")) == b"ab"
    assert inflate.readable


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_stops_at_the_bound(kind):
    bomb = PACKERS[kind](bytes(MAX_INFLATED_BYTES + 1))
    inflate = opening(kind)
    assert len(inflate.feed(bomb)) == MAX_INFLATED_BYTES
    assert inflate.overflowed
    assert inflate.feed(bomb) == b""


@pytest.mark.parametrize("kind", PACKERS)
def test_a_body_of_exactly_the_bound_is_no_bomb(kind):
    inflate = opening(kind)
    assert len(inflate.feed(PACKERS[kind](bytes(MAX_INFLATED_BYTES)))) == MAX_INFLATED_BYTES
    assert inflate.readable


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_takes_no_more_memory_than_the_bound(kind):
    bomb = PACKERS[kind](bytes(8 * MAX_INFLATED_BYTES))
    tracemalloc.start()
    inflate = opening(kind)
    inflate.feed(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert inflate.overflowed
    assert peak < 4 * MAX_INFLATED_BYTES


def test_codings_are_undone_in_the_reverse_of_their_order():
    assert codings("gzip, br ,identity") == ("gzip", "br")
    assert Inflate(("gzip", "br")).feed(brotli.compress(gzip.compress(TEXT))) == TEXT
    assert Inflate(("br", "gzip")).feed(gzip.compress(brotli.compress(TEXT))) == TEXT


def test_the_bound_holds_for_a_coding_inside_another():
    """The outer one opens to gigabytes of which the inner one makes nothing."""
    nothing = b"\x50\x2a\x4d\x18\xff\xff\x1f\0" + bytes(0x1FFFFF)  # a skippable frame
    inflate = Inflate(("zstd", "gzip"))
    assert inflate.feed(gzip.compress(nothing * 5)) == b""
    assert inflate.overflowed


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_members_without_end_are_given_up(kind):
    inflate = opening(kind)
    inflate.feed(PACKERS[kind](b"") * (MAX_MEMBERS - 1))
    assert inflate.readable
    inflate.feed(PACKERS[kind](b"") * 2)
    assert inflate.broken


def test_a_list_of_codings_that_is_too_long_is_not_opened():
    assert Inflate(("gzip",) * MAX_CODINGS).supported
    assert not Inflate(("gzip",) * (MAX_CODINGS + 1)).supported


def test_a_zstd_window_over_the_standard_of_content_codings_is_refused():
    wide = {zstd.CompressionParameter.window_log: 24, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=wide)
    inflate = opening("zstd")
    assert inflate.feed(packer.compress(bytes(20 << 20)) + packer.flush()) == b""
    assert inflate.broken


def test_unsupported_codings_give_nothing_and_say_so():
    inflate = Inflate(("compress",))
    assert inflate.feed(b"\x1f\x9d\x80") == b""
    assert not inflate.readable


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "identity"),
        ("Identity", "identity"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("identity, br", "br"),
        ("gzip, br", "other"),
        ("CANARY", "other"),
    ],
)
def test_coding_names_are_a_closed_list(value, name):
    assert coding(value) == name


def test_a_head_cut_before_its_coding_is_made_up_for_by_the_bytes():
    assert body_codings("", ENCODED["gzip"][:2]) == ("gzip",)
    assert body_codings("", ENCODED["zstd"][:4]) == ("zstd",)
    assert body_codings("", TEXT) == body_codings("", b"") == ()
    assert body_codings("br", ENCODED["gzip"]) == ("br",)


@given(st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd"]), max_size=3), st.lists(st.binary(), max_size=5))
def test_foreign_bytes_never_raise(names, parts):
    inflate = Inflate(tuple(names))
    for part in parts:
        inflate.feed(part)


@given(st.sampled_from(sorted(ENCODED)), st.integers(0, 60), st.integers(0, 255))
def test_flipped_bytes_never_raise(kind, at, byte):
    data = bytearray(ENCODED[kind])
    data[at % len(data)] = byte
    opening(kind).feed(bytes(data))
