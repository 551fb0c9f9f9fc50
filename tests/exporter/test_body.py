"""Bodies with their framing and coding undone, also behind a head that was cut."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.body import Body
from llmslo_exporter.http1 import parse_response_head

TEXT = b'{"a":1}'
PACKED = gzip.compress(TEXT, mtime=0)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED)


def body_of(fields, first=b""):
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n" + fields)
    assert head is not None
    return Body(head, first)


def test_chunked_gzip_opens_at_every_cut():
    for cut in range(len(CHUNKED) + 1):
        body = body_of(b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED[:cut])
        assert body.feed(CHUNKED[:cut]) + body.feed(CHUNKED[cut:]) == TEXT
        assert body.complete
        assert body.readable


def test_content_length_ends_the_body():
    body = body_of(b"Content-Length: 7\r\n\r\n")
    assert body.feed(TEXT[:3]) == TEXT[:3]
    assert not body.complete
    assert body.feed(TEXT[3:] + b"HTTP/1.1 200 OK") == TEXT[3:]
    assert body.complete


def test_a_head_cut_before_its_fields_is_made_up_for_by_the_bytes():
    body = body_of(b"Content-Ty", CHUNKED)
    assert body.feed(CHUNKED) == TEXT
    assert body.coding == "gzip"


def test_an_unsupported_coding_is_not_readable():
    body = body_of(b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\n")
    assert body.feed(b"abc") == b""
    assert body.complete
    assert not body.readable


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from([b"", b"Transfer-Encoding: chunked\r\n"]))
def test_foreign_bytes_never_raise(parts, fields):
    body = body_of(fields + b"Content-Encoding: gzip\r\n\r\n", parts[0] if parts else b"")
    for part in parts:
        body.feed(part)
