"""Content codings opened piece by piece, within a bound."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.inflate import MAX_INFLATED_BYTES, Inflate, body_coding, coding

TEXT = b'{"usage":{"prompt_tokens":12}}' * 3
RAW = zlib.compressobj(wbits=-15)
ENCODED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "zlib": zlib.compress(TEXT),
    "raw": RAW.compress(TEXT) + RAW.flush(),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_bodies_open_whatever_the_read_sizes(kind):
    data = ENCODED[kind]
    for cut in range(len(data) + 1):
        inflate = Inflate("gzip" if kind == "gzip" else "deflate")
        assert inflate.feed(data[:cut]) + inflate.feed(data[cut:]) == TEXT
        assert not inflate.broken


def test_flushed_parts_come_out_with_the_piece_that_holds_them():
    packer = zlib.compressobj(wbits=31)
    inflate = Inflate("gzip")
    for part in (b"data: 1\n\n", b"data: 2\n\n"):
        assert inflate.feed(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)) == part


def test_gzip_members_follow_each_other_and_padding_is_ignored():
    inflate = Inflate("gzip")
    assert inflate.feed(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0") == b"ab"


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_bomb_stops_at_the_bound(name):
    packer = zlib.compressobj(wbits=31 if name == "gzip" else 15)
    bomb = packer.compress(bytes(MAX_INFLATED_BYTES + 1)) + packer.flush()
    inflate = Inflate(name)
    assert len(inflate.feed(bomb)) == MAX_INFLATED_BYTES
    assert inflate.overflowed
    assert inflate.feed(bomb) == b""


def test_a_body_of_exactly_the_bound_is_no_bomb():
    inflate = Inflate("gzip")
    assert len(inflate.feed(gzip.compress(bytes(MAX_INFLATED_BYTES)))) == MAX_INFLATED_BYTES
    assert not inflate.overflowed


def test_unsupported_codings_give_nothing_and_say_so():
    inflate = Inflate("br")
    assert inflate.feed(b"\x0b\x02\x80") == b""
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
    assert body_coding("", ENCODED["gzip"][:2]) == "gzip"
    assert body_coding("", TEXT) == body_coding("", b"") == "identity"
    assert body_coding("br", ENCODED["gzip"]) == "br"


@given(st.sampled_from(["gzip", "deflate"]), st.lists(st.binary(max_size=40), max_size=5))
def test_foreign_bytes_never_raise(name, parts):
    inflate = Inflate(name)
    for part in parts:
        inflate.feed(part)


@given(st.integers(0, 60), st.integers(0, 255))
def test_flipped_bytes_never_raise(at, byte):
    data = bytearray(ENCODED["gzip"])
    data[at % len(data)] = byte
    Inflate("gzip").feed(bytes(data))
