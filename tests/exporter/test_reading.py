"""From a kernel's summary to an exchange: the contract's rules, one by one."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.exchange import ClosedBy, Exchange, Fault, Outcome, StreamOutcome, Tokens, TokenSource
from llmslo_exporter.reading import MAX_PARSED_BYTES, read
from llmslo_exporter.summary import Closer, End, FinishReason, Piece, Role, Summary, Transport

FIXTURES = Path(__file__).parent / "fixtures" / "openai"
CHAT_SSE = (FIXTURES / "chat_with_usage.sse").read_bytes()
CHAT_JSON = (FIXTURES / "chat.json").read_bytes()
USAGE = Tokens(TokenSource.USAGE, input=12, output=3, cache_read=4, reasoning=1)

REQUEST_HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer CANARY-KEY\r\n"
    b"x-stainless-retry-count: 0\r\nContent-Length: %d\r\n\r\n"
)
REQUEST = b'{"messages":[{"role":"user","content":"CANARY-PROMPT"}],"model":"gpt-4o-mini","stream":true}'
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ONE_STOP = (1, 0, 0, 0, 0, 0, 0, 0)

STREAM = Summary(
    key=1,
    role=Role.CLIENT,
    transport=Transport.TLS,
    pid=7,
    cgroup=8,
    comm="python",
    sni="api.openai.com",
    peer="10.0.0.9:443",
    handshake_s=0.03,
    start_s=100.0,
    first_byte_s=100.25,
    first_token_s=100.5,
    first_output_s=100.75,
    last_token_s=102.0,
    end_s=102.5,
    max_gap_s=0.5,
    content_events=3,
    reads=9,
    writes=2,
    bytes_in=2000,
    bytes_out=400,
    choices_seen=1,
    finishes=ONE_STOP,
    stream=True,
    encoded=False,
    error_seen=False,
    terminal_seen=True,
    response_complete=False,
    scan_lost=False,
    pieces_lost=False,
    end=End.TERMINAL,
    closer=Closer.NONE,
    request_head=REQUEST_HEAD % len(REQUEST),
    request_body=REQUEST,
    request_tail=REQUEST,
    response_head=SSE_HEAD + b"\r\n",
    response_body=CHAT_SSE[:1024],
    response_tail=CHAT_SSE[-2048:],
    pieces=(),
)
# What the kernel says of a stream that it did not, or could not, count.
UNCOUNTED = {
    "first_token_s": None,
    "first_output_s": None,
    "last_token_s": None,
    "max_gap_s": None,
    "content_events": 0,
    "choices_seen": 0,
    "finishes": (0,) * 8,
    "terminal_seen": False,
    "response_body": b"",
    "response_tail": b"",
}
CUT = replace(STREAM, finishes=(0,) * 8, terminal_seen=False, response_tail=b"", response_body=b"", end=End.CLOSED)


def pieces(*parts, start=100.3, step=0.1):
    return tuple(Piece(round(start + step * number, 6), part) for number, part in enumerate(parts))


def whole(body, head=JSON_HEAD, status=b"200 OK", **changes):
    head = head.replace(b"200 OK", status) + b"Content-Length: %d\r\n\r\n" % len(body)
    values = UNCOUNTED | {"stream": False, "response_complete": True, "end": End.BODY} | changes
    return replace(STREAM, response_head=head, pieces=pieces(body[:7], body[7:]), **values)


def encoded(data, coding=b"gzip", **changes):
    head = SSE_HEAD + b"Content-Encoding: " + coding + b"\r\n\r\n"
    values = UNCOUNTED | {"encoded": True, "response_complete": True, "end": End.BODY} | changes
    return replace(STREAM, response_head=head, pieces=data, **values)


def exchange(summary, **provider_map) -> Exchange:
    found = read(summary, provider_map=provider_map, process="python3.11")
    assert found is not None
    return found


def test_a_counted_stream_becomes_an_exchange():
    assert exchange(STREAM) == Exchange(
        role=Role.CLIENT,
        provider="openai",
        model="gpt-4o-mini",
        operation="chat",
        stream=True,
        retry=False,
        status=200,
        outcome=Outcome.OK,
        stream_outcome=StreamOutcome.COMPLETED,
        closed_by=ClosedBy.NONE,
        duration_s=2.5,
        first_byte_s=0.25,
        first_token_s=0.5,
        first_output_s=0.75,
        last_token_s=2.0,
        max_gap_s=0.5,
        content_events=3,
        ttft_unknown=False,
        tokens=(USAGE,),
        finishes=(FinishReason.STOP,),
        handshake_s=0.03,
        encoding=None,
    )


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /v1/chat/completions HTTP/1.1\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completi",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_other_requests_are_no_exchange(head):
    assert read(replace(STREAM, request_head=head), provider_map={}, process="") is None


def test_a_body_of_another_api_is_no_exchange():
    summary = replace(STREAM, request_body=b"a=1", request_tail=b"a=1")
    assert read(summary, provider_map={}, process="") is None


@pytest.mark.parametrize("extra", [0, 600, 1100, 1500, 200_000])
@pytest.mark.parametrize("first", [True, False])
def test_the_requests_model_is_found_around_any_prompt(extra, first):
    words = {"model": "gpt-4o-mini", "n": 1, "stream": True}
    prompt = {"messages": [{"content": '"model":"fool"' + "\\x" * (extra // 2)}]}
    body = json.dumps(words | prompt if first else prompt | words).encode()
    summary = replace(
        STREAM, request_head=REQUEST_HEAD % len(body), request_body=body[:1024], request_tail=body[-1024:]
    )
    assert exchange(summary).model == "gpt-4o-mini"


def test_the_model_comes_from_the_path_then_from_the_answer():
    blind = replace(STREAM, request_body=b'{"messages":[{"content":"', request_tail=b"")
    assert exchange(blind).model == "gpt-4o-mini-2024-07-18"
    head = REQUEST_HEAD.replace(b"/v1/", b"/openai/deployments/mine/")
    assert exchange(replace(blind, request_head=head)).model == "mine"


def test_a_models_name_is_printable_and_bounded():
    body = json.dumps({"model": " a\n\x00\u202e\ud800b" + "c" * 500}).encode()
    found = exchange(replace(STREAM, request_head=REQUEST_HEAD % len(body), request_body=body, request_tail=body))
    assert found.model == "ab" + "c" * 126


@pytest.mark.parametrize(("count", "retry"), [(b"0", False), (b"1", True), (b"12", True), (b"x", False), (b"", False)])
def test_retries_are_told_by_their_header(count, retry):
    head = STREAM.request_head.replace(b"count: 0", b"count: " + count)
    assert exchange(replace(STREAM, request_head=head)).retry is retry


def test_done_without_a_finish_reason_is_truncated():
    found = exchange(replace(STREAM, finishes=(0,) * 8, response_tail=b"data: [DONE]\n\n", response_body=b""))
    assert (found.stream_outcome, found.outcome) == (StreamOutcome.TRUNCATED, Outcome.STREAM_INTERRUPTED)


def test_the_end_of_the_body_without_done_is_completed():
    found = exchange(replace(STREAM, terminal_seen=False, response_complete=True, end=End.BODY))
    assert found.stream_outcome is StreamOutcome.COMPLETED


def test_the_next_request_on_the_connection_ends_the_body():
    found = exchange(replace(STREAM, terminal_seen=False, end=End.NEXT))
    assert found.stream_outcome is StreamOutcome.COMPLETED


def test_a_body_that_ends_with_the_connection_is_ended_by_the_server_only():
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    summary = replace(STREAM, terminal_seen=False, end=End.CLOSED, response_head=head, closer=Closer.PEER)
    assert exchange(summary).stream_outcome is StreamOutcome.COMPLETED
    assert exchange(replace(summary, closer=Closer.THIS)).stream_outcome is StreamOutcome.CLIENT_CANCELLED


def test_every_choice_needs_its_finish_reason():
    two = json.dumps({"model": "m", "n": 2, "messages": []}).encode()
    asked = replace(STREAM, request_head=REQUEST_HEAD % len(two), request_body=two, request_tail=two)
    assert exchange(asked).stream_outcome is StreamOutcome.TRUNCATED
    assert exchange(replace(STREAM, choices_seen=2)).stream_outcome is StreamOutcome.TRUNCATED
    both = exchange(replace(asked, choices_seen=2, finishes=(1, 1, 0, 0, 0, 0, 0, 0)))
    assert both.stream_outcome is StreamOutcome.COMPLETED
    assert both.finishes == (FinishReason.STOP, FinishReason.LENGTH)


def test_a_repeated_finish_reason_counts_once_a_choice():
    assert exchange(replace(STREAM, finishes=(2, 0, 0, 0, 0, 0, 0, 0))).finishes == (FinishReason.STOP,)
    assert exchange(replace(STREAM, finishes=(1, 0, 1, 0, 0, 0, 0, 0))).finishes == (FinishReason.TOOL_CALLS,)
    assert exchange(replace(STREAM, finishes=(2**31, 0, 0, 0, 0, 0, 0, 0))).finishes == (FinishReason.STOP,)


@pytest.mark.parametrize(
    ("role", "closer", "end", "outcome", "closed_by"),
    [
        (Role.CLIENT, Closer.PEER, End.CLOSED, "truncated", "server"),
        (Role.CLIENT, Closer.THIS, End.CLOSED, "client_cancelled", "client"),
        (Role.CLIENT, Closer.THIS, End.EXITED, "client_cancelled", "client"),
        (Role.CLIENT, Closer.NETWORK, End.CLOSED, "truncated", "network"),
        (Role.CLIENT, Closer.NONE, End.SWEPT, "truncated", "none"),
        (Role.SERVER, Closer.PEER, End.CLOSED, "client_cancelled", "client"),
        (Role.SERVER, Closer.THIS, End.EXITED, "truncated", "server"),
    ],
)
def test_a_cut_stream_says_who_cut_it(role, closer, end, outcome, closed_by):
    found = exchange(replace(CUT, role=role, closer=closer, end=end))
    assert (found.stream_outcome, found.closed_by) == (StreamOutcome(outcome), ClosedBy(closed_by))
    assert found.first_token_s == 0.5
    assert found.tokens == (Tokens(TokenSource.CHUNKS, output=3),)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("vllm_error_then_done", "server_error"),
        ("tgi_error", "stream_interrupted"),
        ("openrouter_error", "rate_limited"),
        ("llama_cpp_old_error", "server_error"),
        ("llama_cpp_error", "invalid_request"),
    ],
)
@pytest.mark.parametrize("seen", [True, False])
def test_an_in_stream_error_takes_its_own_class_whatever_follows(name, outcome, seen):
    data = (FIXTURES / f"{name}.sse").read_bytes()
    found = exchange(replace(STREAM, error_seen=seen, response_body=data[:1024], response_tail=data))
    assert (found.stream_outcome, found.outcome) == (StreamOutcome.ERROR_EVENT, Outcome(outcome))


def test_an_error_longer_than_the_tail_is_classed_by_its_end():
    tail = b'..quoted","type":"overloaded_error","param":null,"code":null}}\n\ndata: [DONE]\n\n'
    assert exchange(replace(STREAM, error_seen=True, response_tail=tail)).outcome is Outcome.OVERLOADED
    assert exchange(replace(STREAM, response_tail=tail)).outcome is Outcome.OK


def test_timings_stand_in_for_usage_and_chunks_for_both():
    data = (FIXTURES / "llama_cpp.sse").read_bytes()
    found = exchange(replace(STREAM, response_body=data[:1024], response_tail=data[-2048:]))
    assert found.tokens == (Tokens(TokenSource.TIMINGS, input=12, output=2, cache_read=5),)
    both = data.replace(b',"timings"', b',"usage":{"prompt_tokens":12,"completion_tokens":2},"timings"')
    found = exchange(replace(STREAM, response_body=both[:1024], response_tail=both[-2048:]))
    assert found.tokens == (Tokens(TokenSource.USAGE, input=12, output=2),)


def test_where_bytes_were_not_scanned_no_instant_is_guessed():
    found = exchange(replace(STREAM, scan_lost=True, choices_seen=0, finishes=(0,) * 8, response_tail=b""))
    assert found.ttft_unknown
    assert (found.first_token_s, found.first_output_s, found.last_token_s, found.max_gap_s) == (None,) * 4
    assert found.stream_outcome is StreamOutcome.COMPLETED
    assert exchange(replace(CUT, scan_lost=True)).tokens == ()


def test_a_whole_answer_gives_its_usage():
    found = exchange(whole(CHAT_JSON))
    assert (found.outcome, found.stream_outcome, found.tokens) == (Outcome.OK, None, (USAGE,))
    assert (found.finishes, found.stream, found.first_token_s) == ((FinishReason.STOP,), False, None)
    assert (found.content_events, found.encoding, found.ttft_unknown) == (0, None, False)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_answer_gives_its_usage_at_every_cut(coding):
    body = gzip.compress(CHAT_JSON, mtime=0) if coding == "gzip" else zlib.compress(CHAT_JSON)
    head = JSON_HEAD + b"Transfer-Encoding: chunked\r\nContent-Encoding: " + coding.encode() + b"\r\n\r\n"
    for cut in range(0, len(body), 7):
        summary = replace(whole(b""), response_head=head, encoded=True, pieces=pieces(body[:cut], body[cut:]))
        assert exchange(summary).tokens == (USAGE,)


def test_of_a_huge_answer_both_ends_are_read():
    vectors = [{"index": 0, "embedding": [0.0] * 600_000}]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    body = json.dumps({"object": "list", "data": vectors, "model": "e", "usage": usage}).encode()
    assert len(body) > MAX_PARSED_BYTES
    found = exchange(whole(gzip.compress(body, 1), GZIPPED))
    assert (found.outcome, found.tokens[0].input, found.faults) == (Outcome.OK, 9, frozenset())


def test_a_bomb_of_empty_lists_takes_little_memory():
    bomb = gzip.compress(b"[" + b"[]," * 2_700_000 + b"[]]", 1)
    tracemalloc.start()
    found = exchange(whole(bomb, GZIPPED))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.outcome is Outcome.OK
    assert peak < 64 * 2**20


def test_lost_pieces_leave_what_the_others_hold():
    summary = replace(whole(CHAT_JSON), pieces=pieces(CHAT_JSON[:100], CHAT_JSON[-400:]), pieces_lost=True)
    assert exchange(summary).tokens == (USAGE,)
    packed = gzip.compress(CHAT_JSON)
    summary = replace(whole(packed, JSON_HEAD + b"Content-Encoding: gzip\r\n"), pieces=pieces(packed[-50:]))
    assert exchange(summary).tokens == ()
    assert exchange(replace(whole(CHAT_JSON), pieces=(), pieces_lost=True)).tokens == ()


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("error_401", b"401 Unauthorized", "auth"),
        ("error_quota", b"429 Too Many Requests", "quota_exhausted"),
        ("error_vllm_404", b"404 Not Found", "not_found"),
        ("error_vllm_404", b"400 Bad Request", "not_found"),
        ("error_tgi_429", b"429 Too Many Requests", "overloaded"),
    ],
)
def test_error_answers_are_classed_by_their_bodies(name, status, outcome):
    found = exchange(whole((FIXTURES / f"{name}.json").read_bytes(), status=status))
    assert (found.outcome, found.tokens, found.stream_outcome) == (Outcome(outcome), (), None)


def test_an_error_status_before_a_stream_is_no_stream():
    summary = replace(STREAM, response_head=STREAM.response_head.replace(b"200 OK", b"503 Busy"))
    found = exchange(summary)
    assert (found.outcome, found.stream_outcome) == (Outcome.OVERLOADED, None)


def test_an_unreadable_error_body_leaves_the_status():
    assert exchange(whole(b"<html>", status=b"502 Bad Gateway")).outcome is Outcome.SERVER_ERROR
    assert exchange(whole(b"", status=b"404 Not Found")).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("role", "closer", "outcome"),
    [
        (Role.CLIENT, Closer.PEER, Outcome.STREAM_INTERRUPTED),
        (Role.CLIENT, Closer.THIS, Outcome.CLIENT_CANCELLED),
        (Role.SERVER, Closer.PEER, Outcome.CLIENT_CANCELLED),
        (Role.SERVER, Closer.THIS, Outcome.STREAM_INTERRUPTED),
    ],
)
def test_an_answer_cut_half_way_is_not_ok(role, closer, outcome):
    summary = whole(CHAT_JSON, response_complete=False, end=End.CLOSED, role=role, closer=closer)
    summary = replace(summary, pieces=pieces(CHAT_JSON[:50]))
    assert exchange(summary).outcome is outcome


def test_the_kernel_says_whether_the_framing_of_an_answer_ended():
    cut = whole(CHAT_JSON, response_complete=False, end=End.CLOSED, closer=Closer.PEER)
    assert exchange(cut).outcome is Outcome.STREAM_INTERRUPTED
    assert exchange(replace(cut, end=End.NEXT)).outcome is Outcome.OK
    # Its pieces may be lost: the framing ended all the same.
    assert exchange(replace(cut, response_complete=True, pieces=(), pieces_lost=True)).outcome is Outcome.OK


def test_an_answer_that_ends_with_the_connection_is_whole_when_its_json_is():
    summary = whole(CHAT_JSON, response_complete=False, end=End.CLOSED, closer=Closer.PEER)
    summary = replace(summary, response_head=JSON_HEAD + b"\r\n")
    assert exchange(summary).outcome is Outcome.OK
    assert exchange(replace(summary, pieces=pieces(CHAT_JSON[:-9]))).outcome is Outcome.STREAM_INTERRUPTED


@pytest.mark.parametrize(
    ("role", "closer", "outcome"),
    [
        (Role.CLIENT, Closer.PEER, Outcome.CONNECTION_ERROR),
        (Role.CLIENT, Closer.NETWORK, Outcome.CONNECTION_ERROR),
        (Role.CLIENT, Closer.THIS, Outcome.TIMEOUT),
        (Role.SERVER, Closer.PEER, Outcome.CLIENT_CANCELLED),
        (Role.SERVER, Closer.THIS, Outcome.CONNECTION_ERROR),
    ],
)
def test_a_request_without_a_response_byte_is_an_exchange_too(role, closer, outcome):
    values = UNCOUNTED | {"stream": False, "first_byte_s": None, "response_head": b"", "end": End.CLOSED}
    found = exchange(replace(STREAM, role=role, closer=closer, **values))
    assert (found.outcome, found.status, found.first_byte_s) == (outcome, None, None)
    assert found.stream  # it asked for one


def compressed(coding=b"gzip", events=CHAT_SSE):
    """One piece per event, flushed, as servers with compression on send them."""
    packer = zlib.compressobj(wbits={b"gzip": 31, b"deflate": 15, b"raw": -15}[coding])
    parts = [packer.compress(e + b"\n\n") + packer.flush(zlib.Z_SYNC_FLUSH) for e in events.split(b"\n\n")[:-1]]
    return pieces(*parts, packer.flush())


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"raw"])
def test_a_compressed_stream_is_measured_from_its_pieces(coding):
    found = exchange(encoded(compressed(coding), b"gzip" if coding == b"gzip" else b"deflate"))
    assert (found.stream_outcome, found.encoding) == (
        StreamOutcome.COMPLETED,
        "gzip" if coding == b"gzip" else "deflate",
    )
    instants = (found.first_token_s, found.first_output_s, found.last_token_s, found.max_gap_s, found.duration_s)
    assert instants == pytest.approx((0.4, 0.4, 0.6, 0.1, 0.9))
    assert (found.content_events, found.ttft_unknown, found.tokens) == (3, False, (USAGE,))
    assert found.finishes == (FinishReason.STOP,)


def test_a_compressed_stream_byte_by_byte_is_the_same():
    data = b"".join(piece.data for piece in compressed())
    found = exchange(encoded(tuple(Piece(101.0, data[at : at + 1]) for at in range(len(data)))))
    assert (found.content_events, found.max_gap_s, found.first_token_s) == (3, 0.0, 1.0)
    assert found.stream_outcome is StreamOutcome.COMPLETED


def test_reasoning_in_a_compressed_stream_is_no_output():
    data = (FIXTURES / "deepseek_reasoning.sse").read_bytes()
    found = exchange(encoded(compressed(events=data)))
    assert (found.first_token_s, found.first_output_s) == pytest.approx((0.4, 0.6))


def test_an_error_in_a_compressed_stream_is_seen():
    data = (FIXTURES / "vllm_error_then_done.sse").read_bytes()
    found = exchange(encoded(compressed(events=data)))
    assert (found.stream_outcome, found.outcome) == (StreamOutcome.ERROR_EVENT, Outcome.SERVER_ERROR)
    assert found.content_events == 1


@pytest.mark.parametrize(
    ("coding", "name"), [(b"br", "br"), (b"zstd", "zstd"), (b"gzip, br", "other"), (b"x", "other")]
)
def test_a_stream_that_cannot_be_opened_is_counted_not_guessed(coding, name):
    found = exchange(encoded(pieces(b"\xff\x2f\x00\x00"), coding))
    assert (found.ttft_unknown, found.first_token_s, found.encoding, found.tokens) == (True, None, name, ())
    assert found.stream_outcome is StreamOutcome.COMPLETED  # its framing ended properly


def test_a_compressed_stream_cut_half_way_is_truncated():
    summary = encoded(compressed()[:3], response_complete=False, end=End.CLOSED, closer=Closer.PEER)
    found = exchange(summary)
    assert (found.stream_outcome, found.closed_by, found.content_events) == (
        StreamOutcome.TRUNCATED,
        ClosedBy.SERVER,
        2,
    )
    assert found.first_token_s == pytest.approx(0.4)


def test_lost_pieces_of_a_compressed_stream_leave_what_came_before():
    data = compressed()
    found = exchange(encoded(data[:2], pieces_lost=True))
    assert (found.first_token_s, found.ttft_unknown) == (pytest.approx(0.4), False)
    assert (found.last_token_s, found.max_gap_s, found.tokens) == (None, None, ())
    found = exchange(encoded(data[2:], pieces_lost=True))
    assert (found.first_token_s, found.ttft_unknown) == (None, True)


def test_the_configured_provider_comes_first():
    assert exchange(STREAM, **{"api.openai.com": "mine"}).provider == "mine"


@pytest.mark.parametrize("summary", [STREAM, whole(CHAT_JSON), encoded(compressed()), CUT])
def test_no_text_of_a_user_is_in_an_exchange(summary):
    assert "CANARY" not in repr(exchange(summary))


FOREIGN = st.binary(max_size=200)
MAYBE_S = st.none() | st.floats(min_value=0, max_value=1e6)


@st.composite
def summaries(draw):
    packed = draw(st.sampled_from([b"", CHAT_JSON, b"".join(piece.data for piece in compressed()), CHAT_SSE]))
    cuts = draw(st.lists(st.integers(0, len(packed)), max_size=3).map(sorted))
    parts = [packed[a:b] for a, b in zip([0, *cuts], [*cuts, len(packed)], strict=True)] + [draw(FOREIGN)]
    values = {
        field.name: draw(MAYBE_S) for field in fields(Summary) if field.name.endswith("_s") and "_s:" not in field.name
    }
    values |= {"start_s": draw(st.floats(0, 1e6)), "end_s": draw(st.floats(0, 1e6))}
    for name in ("stream", "encoded", "error_seen", "terminal_seen", "response_complete", "scan_lost", "pieces_lost"):
        values[name] = draw(st.booleans())
    return replace(
        STREAM,
        **values,
        role=draw(st.sampled_from(Role)),
        end=draw(st.sampled_from(End)),
        closer=draw(st.sampled_from(Closer)),
        finishes=tuple(draw(st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8))),
        choices_seen=draw(st.integers(0, 10)),
        request_head=STREAM.request_head[: draw(st.integers(0, 200))] + draw(FOREIGN),
        request_body=draw(FOREIGN),
        request_tail=draw(FOREIGN),
        response_head=draw(st.sampled_from([b"", SSE_HEAD, JSON_HEAD + b"Content-Encoding: gzip\r\n"])) + draw(FOREIGN),
        response_body=draw(FOREIGN),
        response_tail=draw(FOREIGN),
        pieces=pieces(*parts),
    )


@given(summaries(), st.text())
def test_foreign_summaries_never_raise_and_durations_are_never_negative(summary, process):
    found = read(summary, provider_map={"x": "y"}, process=process)
    if found is not None:
        durations = [getattr(found, field.name) for field in fields(found) if field.name.endswith("_s")]
        assert all(value is None or value >= 0 for value in durations)
        assert (found.stream_outcome is StreamOutcome.COMPLETED) <= (found.outcome is Outcome.OK)


GZIPPED = JSON_HEAD + b"Content-Encoding: gzip\r\n"
ODD_EVENT = b"data: {not json}\n\n"
FAULTY = {
    "an answer that is a page": (whole(b"<html>welcome</html>"), {Fault.JSON}),
    "an answer that says gzip and is none": (whole(b"\x1f\x8bnothing", GZIPPED), {Fault.ENCODING}),
    "an answer in another coding": (whole(b"\xff\x2f", JSON_HEAD + b"Content-Encoding: br\r\n"), {Fault.ENCODING}),
    "a stream that cannot be opened": (encoded(pieces(b"\xff\x2f\x00\x00"), b"br"), {Fault.ENCODING}),
    "an odd event": (replace(STREAM, response_body=ODD_EVENT + CHAT_SSE[:1024]), {Fault.EVENT}),
    "an odd event, compressed": (encoded(compressed(events=ODD_EVENT + CHAT_SSE)), {Fault.EVENT}),
    "an answer without a status line": (
        replace(CUT, response_head=b"HTCPCP/1.0 418\r\n\r\n", first_byte_s=None),
        {Fault.HEAD},
    ),
}
FAULTLESS = {
    "a stream": STREAM,
    "an answer": whole(CHAT_JSON),
    "an error page of what stands in between": whole(b"<html>bad gateway</html>", status=b"502 Bad Gateway"),
    "an answer cut half-way": whole(CHAT_JSON[:40], response_complete=False, end=End.CLOSED, closer=Closer.PEER),
    "an answer with a piece lost": whole(b"\x1f\x8bnothing", GZIPPED, pieces_lost=True),
    "no answer": replace(CUT, response_head=b"", first_byte_s=None),
    "half a status line": replace(CUT, response_head=b"HTTP/1.1 20", first_byte_s=None),
    "a captured end that begins within an event": replace(STREAM, response_tail=CHAT_SSE[-2048:][7:]),
    "pings without data": replace(STREAM, response_body=b"event: ping\ndata:\n\n: hello\n\n" + CHAT_SSE[:512]),
}


@pytest.mark.parametrize(("summary", "faults"), FAULTY.values(), ids=FAULTY)
def test_what_cannot_be_read_is_named(summary, faults):
    assert exchange(summary).faults == faults


@pytest.mark.parametrize("summary", FAULTLESS.values(), ids=FAULTLESS)
def test_what_was_merely_cut_is_no_fault(summary):
    assert not exchange(summary).faults
