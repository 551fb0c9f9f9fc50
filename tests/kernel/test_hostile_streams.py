"""Streams that are legal, or at least met in the wild, and that no dialect's documentation names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.e2e.answers import (
    DONE,
    HEAD,
    ROLE,
    STOP,
    STREAM_HEADERS,
    After,
    Answer,
    Framing,
    Kind,
    Mark,
    Part,
    Truth,
    Write,
    answer,
    chat,
    chat_event,
    completion,
    event,
    json_answer,
    one_write,
    plain_truth,
    resplit,
    usage_event,
    usage_tokens,
    words,
)
from tests.e2e.clients import request_bytes
from tests.kernel.bench import ROLES, Bench, Met

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
COUNTED = Truth(tokens=None)
SHORT = chat(4, 3.0, usage=(3, 4))
PLAIN = [ROLE, *words(5, 3.0), STOP, DONE]
FILLER = tuple(f"x-filler-{number}: {'f' * 80}" for number in range(30))


def _laid(
    parts: Sequence[Part], wrap: Callable[[bytes], bytes], *, head: bytes, ending: bytes = b"", truth: Truth = COUNTED
) -> Answer:
    """An answer whose framing is the test's own: a part is found again inside of what `wrap` makes of it."""
    writes, marks, size = [Write(head)], [], len(head)
    for part in parts:
        wrapped = wrap(part.data)
        if part.kind is not Kind.NONE:
            end = wrapped.index(part.data) + len(part.data)
            marks.append(Mark(size + end, part.kind is Kind.OUTPUT))
        writes.append(Write(wrapped, part.before_ms))
        size += len(wrapped)
    if ending:
        writes.append(Write(ending))
    return Answer(tuple(writes), tuple(marks), truth, head_bytes=len(head))


def _chunked_head(*extra: str) -> bytes:
    return "\r\n".join((HEAD, *STREAM_HEADERS, *extra, "transfer-encoding: chunked", "", "")).encode()


def _choice(text: str, kind: Kind = Kind.OUTPUT) -> Part:
    return event('{"id":"c","object":"chat.completion.chunk","choices":[' + text + "]}", kind, 2.0)


def _spaced(part: Part) -> Part:
    return replace(part, data=part.data.replace(b'": ', b'"\t :  ').replace(b", ", b" ,\t"))


def _mac(part: Part) -> Part:
    return replace(part, data=part.data.replace(b"\n", b"\r"))


def _arguments(value: object) -> Part:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": value}}
    return chat_event({"tool_calls": [call]}, Kind.OUTPUT, before_ms=2.0)


def _split_in_lines(part: Part) -> Part:
    """One event over several data fields, cut between members: SSE joins them with a line feed, which JSON ignores."""
    return replace(
        part, data=part.data.replace(b'"choices"', b'\ndata: "choices"').replace(b'"delta"', b'\ndata: "delta"')
    )


STREAMS: dict[str, Answer] = {
    "HTTP/1.0, until the connection ends": answer(
        PLAIN, COUNTED, Framing(kind="close", head="HTTP/1.0 200 OK", headers=STREAM_HEADERS)
    ),
    "HTTP/1.0 with a length": answer(PLAIN, COUNTED, Framing(kind="length", head="HTTP/1.0 200 OK")),
    "shouted headers without blanks": _laid(
        PLAIN,
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        head=b"HTTP/1.1 200 OK\r\nCONTENT-TYPE:TEXT/EVENT-STREAM\r\nTRANSFER-ENCODING:CHUNKED\r\n\r\n",
        ending=b"0\r\n\r\n",
    ),
    "headers with tabs and trailing blanks": _laid(
        PLAIN,
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        head=b"HTTP/1.1 200 OK \r\ncontent-type:\t text/event-stream ;charset=utf-8 \t\r\n"
        b"transfer-encoding:  \t chunked \t\r\n\r\n",
        ending=b"0\r\n\r\n",
    ),
    "a head that ends its lines with LF alone": _laid(
        PLAIN,
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        head=b"HTTP/1.1 200 OK\ncontent-type: text/event-stream\ntransfer-encoding: chunked\n\n",
        ending=b"0\r\n\r\n",
    ),
    "framing headers behind 2.5 kB of others": answer(
        PLAIN, COUNTED, Framing(kind="length", headers=(*STREAM_HEADERS, *FILLER))
    ),
    "everything telling behind 5 kB of others": _laid(
        PLAIN,
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        head="\r\n".join((HEAD, *FILLER, *FILLER, *STREAM_HEADERS, "transfer-encoding: chunked", "", "")).encode(),
        ending=b"0\r\n\r\n",
    ),
    "names that only resemble framing headers": answer(
        PLAIN,
        COUNTED,
        Framing(headers=(*STREAM_HEADERS, "x-content-length: 3", "content-length-hint: 4", "content-encodings: gzip")),
    ),
    "content-encoding: identity": answer(
        PLAIN, COUNTED, Framing(headers=(*STREAM_HEADERS, "content-encoding: identity"))
    ),
    "early hints before the head": answer(
        PLAIN, COUNTED, Framing(head="HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK")
    ),
    "chunk sizes in capitals with zeros in front": _laid(
        PLAIN, lambda data: b"0000%X\r\n%s\r\n" % (len(data), data), head=_chunked_head(), ending=b"00000\r\n\r\n"
    ),
    "chunk extensions": _laid(
        PLAIN,
        lambda data: b'%x ; name="a;b" ;sig=0f\r\n%s\r\n' % (len(data), data),
        head=_chunked_head(),
        ending=b"0;last\r\n\r\n",
    ),
    "trailers that look like a stream": _laid(
        PLAIN,
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        head=_chunked_head("trailer: digest"),
        ending=b"0\r\ndigest: 5\r\ndata: x\r\n\r\n",
    ),
    "an event over several data lines": answer([_split_in_lines(part) for part in PLAIN], COUNTED),
    "events without data": answer(
        [part for word in PLAIN for part in (Part(b"event: note\nid: 7\n\n"), Part(b"retry: 3\n\n"), word)], COUNTED
    ),
    "lines that end with CR": answer([_mac(part) for part in [ROLE, *words(5), STOP, DONE]], COUNTED),
    "a byte order mark": answer([replace(ROLE, data=b"\xef\xbb\xbf" + ROLE.data), *PLAIN[1:]], COUNTED),
    "blanks and tabs between all tokens": answer([_spaced(part) for part in PLAIN], COUNTED),
    "delta before index": answer(
        [
            *(_choice('{"finish_reason":null,"delta":{"content":"x","role":"assistant"},"index":0}') for _ in range(4)),
            _choice('{"finish_reason":"stop","delta":{},"index":0}', Kind.NONE),
            DONE,
        ],
        COUNTED,
    ),
    "content as a list of parts": answer(
        [
            *(_choice('{"index":0,"delta":{"content":[{"type":"text","text":"Hi"}]}}') for _ in range(4)),
            _choice('{"index":0,"delta":{"content":[{"type":"text","text":""}]}}', Kind.NONE),
            _choice('{"index":0,"delta":{"content":[]},"finish_reason":"stop"}', Kind.NONE),
            DONE,
        ],
        COUNTED,
    ),
    "quotes, backslashes and escapes at the edges": answer(
        [
            ROLE,
            *(
                chat_event({"content": text}, Kind.OUTPUT, before_ms=1.0)
                for text in (
                    "\\",
                    "\\\\",
                    '"',
                    '\\"',
                    '"\\',
                    '":"',
                    "\n",
                    "\u0000",
                    "\u00e9\ud83c\udf88",
                    "\\u0022",
                    ",",
                    "{",
                    "}]",
                )
            ),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "a text that quotes keys": answer(
        [
            ROLE,
            chat_event({"content": '"finish_reason":"stop"'}, Kind.OUTPUT),
            chat_event({"content": "data: [DONE]\n\ndata: [DONE]"}, Kind.OUTPUT),
            chat_event({"content": "content"}, Kind.OUTPUT),
            chat_event({"name": "content", "content": "", "role": "content"}),
            chat_event({"content": 'finish_reason":"length","error":{"code":500}'}, Kind.OUTPUT),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "one event of 300 kB in many pieces": resplit(
        answer(
            [ROLE, *words(2), chat_event({"content": "long " * 60_000}, Kind.OUTPUT), *words(2), STOP, DONE], COUNTED
        ),
        range(0, 310_000, 1_111),
    ),
    "tool arguments as objects": answer(
        [
            ROLE,
            _arguments({"content": "x", "error": "y", "finish_reason": "stop", "deep": [{"error": {"a": [1, [2]]}}]}),
            _arguments({"text": "z", "index": 4}),
            chat_event({}, finish="tool_calls"),
            DONE,
        ],
        replace(COUNTED, finishes=("tool_calls",)),
    ),
    "tool arguments with a polygon": answer(
        [
            ROLE,
            _arguments({"shape": [[[[0, 1], [1, 2]], [[3, 4]]]], "error": "none", "index": 3, "finish_reason": "stop"}),
            chat_event({}, finish="tool_calls"),
            DONE,
        ],
        replace(COUNTED, finishes=("tool_calls",)),
    ),
    "numbered citations": answer(
        [
            ROLE,
            *words(3, 2.0),
            chat_event({"content": "x"}, Kind.OUTPUT, extra={"citations": [{"index": 3, "url": "u"}, {"index": 12}]}),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "search results with a text": answer(
        [
            replace(
                chat_event({"content": ""}, extra={"search_results": [{"title": "t", "date": "d", "index": 1}]}),
                kind=Kind.NONE,
            ),
            *words(3, 3.0),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "empty finish reasons": answer(
        [ROLE, *(chat_event({"content": "x"}, Kind.OUTPUT, finish="") for _ in range(4)), STOP, DONE], COUNTED
    ),
    "the finish reason again with the usage": answer(
        [
            ROLE,
            *words(3, 2.0),
            STOP,
            chat_event({}, finish="stop", extra={"usage": {"prompt_tokens": 2, "completion_tokens": 3}}),
            DONE,
        ],
        Truth(tokens=usage_tokens(2, 3)),
    ),
    "twice [DONE]": answer([*PLAIN, DONE], COUNTED),
    "an error that is null, false or empty": answer(
        [
            *(
                chat_event({"content": "x"}, Kind.OUTPUT, extra={"error": nothing}, before_ms=1.0)
                for nothing in (None, False, "", 0)
            ),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "2 MB at once and in a hurry": one_write(
        answer(
            [ROLE, *words(6000), *(chat_event({"content": "w" * 900}, Kind.OUTPUT) for _ in range(600)), STOP, DONE],
            COUNTED,
        )
    ),
}


# What is known to be told wrongly, and why.
@BOTH
@pytest.mark.parametrize("name", list(STREAMS))
def test_stream_is_told_as_it_was(bench: Bench, name: str, *, tls: bool) -> None:
    bench.meet(STREAMS[name], tls=tls)


@BOTH
def test_interim_heads_in_writes_of_their_own(bench: Bench, *, tls: bool) -> None:
    whole = answer(PLAIN, COUNTED, Framing(early_head_ms=30.0))
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"
    model = bench.lab.model("hints")
    steps = [["w", "HTTP/1.1 102 Processing\r\n\r\n"], ["w", hints.decode()], *whole.steps()]
    bench.lab.publish_steps(model, steps)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    early = len(b"HTTP/1.1 102 Processing\r\n\r\n") + len(hints)
    while early:
        early -= len(conn.sock.recv(early))
    assert conn.read(len(whole.data)) == whole.data
    conn.close()
    bench.check(Met(model, whole, tls, conn.flight, pid=os.getpid()), roles=("client",))


_EMPTY = Truth(stream=False, stream_outcome=None, finishes=(), tokens=())


@BOTH
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answer_that_never_has_a_body(bench: Bench, status: str, *, tls: bool) -> None:
    empty = Answer((Write(f"HTTP/1.1 {status}\r\ncontent-length: 77\r\n\r\n".encode()),), (), _EMPTY)
    conn = bench.connect(tls=tls)
    model = bench.lab.new("bodyless", empty)
    conn.send(*request_bytes(model))
    conn.read(len(empty.data))
    met = bench.ask(conn, SHORT, tls=tls)
    conn.close()
    bench.check(met)
    for role in ROLES:
        (line,) = bench.exporter.expect(model, role)
        assert line["status"] == int(status[:3])


@BOTH
def test_answer_that_is_no_http_leaves_the_next_exchange_alone(bench: Bench, *, tls: bool) -> None:
    garbage = Answer((Write(b"\x16\x03\x01 what is this?\r\n\r\ndata: x\n\n" * 20),), (), _EMPTY, After.FIN)
    model = bench.lab.new("garbage", garbage)
    before = bench.exporter.metric("llm_exporter_parse_errors_total")
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(len(garbage.data) + 1)
    conn.close()
    bench.meet(SHORT, tls=tls)
    assert bench.exporter.metric("llm_exporter_parse_errors_total") == before + 2
    assert not [line for role in ROLES for line in bench.exporter.lines(model, role) if line["outcome"] == "ok"]


# Requests.


@BOTH
def test_answer_whose_json_is_cut_by_records(bench: Bench, *, tls: bool) -> None:
    """A write larger than a TLS record (16 kB), in the server's role."""
    whole = one_write(json_answer(completion((5, 6), "word " * 100_000), plain_truth((5, 6))))
    bench.meet(whole, tls=tls, stream=False)


@BOTH
def test_usage_behind_the_end_is_not_needed(bench: Bench, *, tls: bool) -> None:
    whole = answer(
        [ROLE, *words(3, 2.0), STOP, usage_event(4, 3), DONE, Part(b": bye\n\n")], Truth(tokens=usage_tokens(4, 3))
    )
    bench.meet(whole, tls=tls)
