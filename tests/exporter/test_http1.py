"""HTTP/1.1 heads, as an observer meets them: cut, folded, repeated, in any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.http1 import content_length, parse_request_head, parse_response_head

REQUEST = (
    b"POST /v1/chat/completions?api-version=1 HTTP/1.1\r\nHost: api.openai.com\r\nX-Stainless-Retry-Count: 2\r\n"
    b"Content-Length: 12\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"Keep-Alive: timeout=5, max=100\r\n\r\n"
)


def test_request_head_gives_method_path_and_headers():
    head = parse_request_head(REQUEST)
    assert head is not None
    assert (head.method, head.path, head.whole) == ("POST", "/v1/chat/completions", True)
    assert head.headers.first("host") == "api.openai.com"
    assert head.headers.first("x-stainless-retry-count") == "2"


@pytest.mark.parametrize("cut", range(len(REQUEST)))
def test_a_cut_request_head_says_nothing_wrong(cut):
    head = parse_request_head(REQUEST[:cut])
    if head is not None:
        assert head.path == "/v1/chat/completions"
        assert not head.whole
        assert head.headers.first("host") in {None, "api.openai.com"}
        assert head.headers.first("content-length") in {None, "12"}


@pytest.mark.parametrize("cut", range(len(RESPONSE)))
def test_a_cut_response_head_says_nothing_wrong(cut):
    head = parse_response_head(RESPONSE[:cut])
    if head is not None:
        assert (head.status, head.whole) == (200, False)
        assert head.headers.first("transfer-encoding") in {None, "chunked"}
        assert not head.ends_at_close


def test_header_names_ignore_case_and_duplicates_join():
    head = parse_response_head(b"HTTP/1.1 200 OK\nTRANSFER-encoding: gzip\nTransfer-Encoding:  Chunked \n\n")
    assert head is not None
    assert head.headers.joined("transfer-encoding") == "gzip, chunked"
    assert not head.ends_at_close


def test_folded_header_lines_and_foreign_bytes_are_kept():
    head = parse_response_head(b"HTTP/1.0 429\r\n : x\r\nA: b\r\n  c\r\nno colon\r\nServer: l\xff\r\n\r\nbody")
    assert head is not None
    assert (head.status, head.headers.first("a"), head.headers.first("server")) == (429, "b c", "l\xff")
    assert head.ends_at_close


SECRETS = (
    *("Authorization", "Proxy-Authorization", "api-key", "x-api-key", "X-Goog-Api-Key", "Cookie", "Set-Cookie"),
    *("Ocp-Apim-Subscription-Key", "X-Amz-Security-Token", "Helicone-Auth", "x-portkey-api-key", "x-client-secret"),
)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("fold", ["", "\r\n\t"])
def test_values_of_secret_fields_are_not_kept(name, fold):
    fields = f"Host: h\r\n{name}: Bearer {fold}sk-CANARY\r\nServer: s\r\n\r\n"
    asked = parse_request_head(f"POST /v1/chat/completions?key=sk-CANARY HTTP/1.1\r\n{fields}".encode())
    answered = parse_response_head(f"HTTP/1.1 200 OK\r\n{fields}".encode())
    for head in (asked, answered):
        assert head is not None
        assert "CANARY" not in repr(head)
        assert (head.headers.first(name.lower()), head.headers.first("server")) == ("", "s")


def test_interim_heads_are_passed_over():
    head = parse_response_head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n" + RESPONSE)
    assert head is not None
    assert head.status == 200
    only = parse_response_head(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert only is not None
    assert only.status == 100


@pytest.mark.parametrize("text", ["", "x", "-1", "1" * 19, "\xb2"])
def test_a_content_length_that_is_no_number_counts_as_absent(text):
    head = parse_response_head(f"HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n".encode("latin-1"))
    assert head is not None
    assert content_length(head.headers) is None
    assert head.ends_at_close


@given(st.binary(max_size=300))
def test_foreign_bytes_never_raise(data):
    parse_request_head(data)
    parse_request_head(b"POST /completions HTTP/1.1\r\n" + data)
    parse_response_head(data)
    parse_response_head(b"HTTP/1.1 200 OK\r\n" + data)
