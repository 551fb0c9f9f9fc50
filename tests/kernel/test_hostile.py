"""Bytes and connections that are legal, or at least met in the wild, and that no dialect's documentation names."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
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
    cut_after,
    error_truth,
    event,
    json_answer,
    one_write,
    plain_truth,
    resplit,
    usage_event,
    usage_tokens,
    words,
)
from tests.e2e.clients import PATIENCE_S, Raw, context_for, request_bytes
from tests.e2e.daemon import ROOT
from tests.e2e.verdict import TIMES
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


def _json_request(model: str, text: bytes, *headers: str, path: str = "/v1/chat/completions") -> tuple[bytes, bytes]:
    return request_bytes(model, body=text.replace(b"MODEL", model.encode()), headers=headers, path=path)


REQUESTS: dict[str, Callable[[str], Sequence[bytes]]] = {
    "absolute form": lambda model: request_bytes(model, path="http://localhost:80/v1/chat/completions?x=y"),
    "double slash": lambda model: request_bytes(model, path="//v1//chat/completions"),
    "trailing slash": lambda model: request_bytes(model, path="/v1/chat/completions/"),
    "a long query": lambda model: request_bytes(model, path="/v1/chat/completions?x=" + "y" * 1500),
    "a long prefix": lambda model: request_bytes(model, path="/" + "p" * 600 + "/v1/chat/completions"),
    "an empty line before": lambda model: (b"\r\n" + b"".join(request_bytes(model)),),
    "an empty line behind": lambda model: (b"".join(request_bytes(model)) + b"\r\n",),
    "three bytes at a time": lambda model: [
        b"".join(request_bytes(model))[at : at + 3] for at in range(0, sum(map(len, request_bytes(model))), 3)
    ],
    "shouted headers": lambda model: (
        request_bytes(model)[0].replace(b"content-length:", b"CONTENT-LENGTH:   ").replace(b"host:", b"HOST:"),
        request_bytes(model)[1],
    ),
    "length behind 5 kB of headers": lambda model: request_bytes(model, headers=(*FILLER, *FILLER)),
    "pretty JSON": lambda model: _json_request(
        model, b'\n\t{\n  "messages" : [ ] ,\r\n  "model"\t:\n  "MODEL",\n  "stream" : true }\n'
    ),
    "decoys in inner objects": lambda model: _json_request(
        model,
        b'{"metadata":{"model":"decoy","stream":false},"messages":[{"role":"user","content":"\\"model\\":\\"decoy\\""}],'
        b'"tools":[{"model":"decoy"}],"model":"MODEL","stream":true,"user":"\\\\"}',
    ),
    "an escaped model name": lambda model: _json_request(
        model,
        b'{"stream":true,"messages":[],"model":"' + model.replace("~", "\\u007e").encode() + b'"}',
    ),
    "a byte order mark": lambda model: _json_request(
        model, b'\xef\xbb\xbf{"model":"MODEL","stream":true,"messages":[]}', f"x-script: {model}"
    ),
    "HTTP/1.0": lambda model: (
        request_bytes(model)[0].replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"host:", b"connection: keep-alive\r\nhost:"),
        request_bytes(model)[1],
    ),
}


@BOTH
@pytest.mark.parametrize("name", list(REQUESTS))
def test_request_is_understood(bench: Bench, name: str, *, tls: bool) -> None:
    bench.meet(SHORT, tls=tls, request=REQUESTS[name])


@BOTH
def test_compressed_request_is_named_by_its_answer(bench: Bench, *, tls: bool) -> None:
    script = bench.lab.model("zipped")
    served = bench.lab.model("served-name")
    parts = [replace(part, data=part.data.replace(b'"served"', f'"{served}"'.encode())) for part in PLAIN]
    bench.lab.publish(script, whole := answer(parts, COUNTED))
    packed = gzip.compress(json.dumps({"model": script, "messages": [], "stream": True}).encode())
    head, body = request_bytes(script, body=packed, headers=(f"x-script: {script}", "content-encoding: gzip"))
    conn = bench.connect(tls=tls)
    conn.send(head, body)
    conn.read(len(whole.data))
    conn.close()
    for role in ROLES:
        (line,) = bench.exporter.expect(served, role)
        assert (line["outcome"], line["content_events"]) == ("ok", 5)


@BOTH
def test_refused_expectation(bench: Bench, *, tls: bool) -> None:
    refusal = Answer((Write(b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n"),), (), _EMPTY, After.FIN)
    with _served(bench, tls=tls, body=b"", data=refusal.data) as (port, _):
        model = bench.lab.model("refused")
        conn = Raw(port, bench.lab.cert if tls else None)
        conn.send(request_bytes(model, headers=("expect: 100-continue",))[0])
        conn.read(len(refusal.data) + 1)
        conn.close()
        found = [_by_status(bench, 417, role) for role in ROLES]
    assert all(line["first_token"] is False for line in found)


def _by_status(bench: Bench, status: int, role: str) -> dict[str, object]:
    """The only exchange with a status that nothing else here has."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        bench.exporter.metric("llm_exporter_ttft_unknown_total")  # a scrape reads the ring
        lines = [
            json.loads(raw) for raw in list(bench.exporter.raw) if '"exchange"' in raw and f'"status": {status}' in raw
        ]
        mine = [line for line in lines if line.get("role") == role and line["pid"] == os.getpid()]
        if mine:
            found: dict[str, object] = mine[-1]
            return found
        time.sleep(0.05)
    pytest.fail(f"no exchange with status {status} as {role}")


@contextlib.contextmanager
def _served(
    bench: Bench,
    *,
    tls: bool,
    data: bytes,
    body: bytes | None = None,
    family: socket.AddressFamily = socket.AF_INET,
    cut: bool = False,
) -> Iterator[tuple[int, threading.Thread]]:
    """A server in this process for one connection: it reads a request (with `body` only its head), answers, ends."""
    listener = socket.create_server(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0), family=family)

    def serve() -> None:
        conn, _ = listener.accept()
        with contextlib.suppress(OSError):
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(bench.lab.cert, str(bench.lab.folder / "key.pem"))
                conn = context.wrap_socket(conn, server_side=True)
            got = b""
            while b"\r\n\r\n" not in got:
                got += conn.recv(65_536)
            while body is None and not got.endswith(b"}"):
                got += conn.recv(65_536)
            conn.sendall(data)
            if cut:
                time.sleep(0.2)
        conn.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], thread
    finally:
        thread.join(PATIENCE_S)
        listener.close()


# Not strict: over TLS it depends on which side of the reset the client's last write falls.
@BOTH
def test_early_refusal_of_a_large_body_is_the_answer(bench: Bench, *, tls: bool) -> None:
    """The server says 413 and closes while the client still writes; the client then reads what is there."""
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    model = bench.lab.model("too-large")
    with _served(bench, tls=tls, body=b"", data=refusal, cut=True) as (port, _):
        conn = Raw(port, bench.lab.cert if tls else None)
        head, body = request_bytes(model, prompt="x" * 30_000_000)
        with contextlib.suppress(OSError):
            conn.send(head + body[:3000], body[3000:])
        try:
            got = conn.read(len(refusal))
        except OSError:
            got = b""
        conn.close()
        (line,) = bench.exporter.expect(model, "client")
        if got:
            assert (line["status"], line["outcome"]) == (413, "invalid_request")
        else:
            assert line["outcome"] == "connection_error"


@BOTH
def test_answer_before_the_body_was_sent(bench: Bench, *, tls: bool) -> None:
    """A whole answer to half a request: the rest of the body is no exchange and disturbs none."""
    refusal = json_answer(
        {"error": {"message": "no", "type": "x"}}, error_truth(429, "rate_limited"), status="429 Slow"
    )
    model = bench.lab.model("half")
    with _served(bench, tls=tls, body=b"", data=refusal.data, cut=True) as (port, _):
        conn = Raw(port, bench.lab.cert if tls else None)
        head, body = request_bytes(model, prompt="POST /v1/chat/completions HTTP/1.1 " * 300, model_first=True)
        conn.send(head + body[:4000])
        assert conn.read(len(refusal.data)) == refusal.data
        with contextlib.suppress(OSError):
            conn.more(body[4000:])
        conn.close()
    (line,) = bench.exporter.expect(model, "client")
    assert (line["status"], line["outcome"]) == (429, "rate_limited")


@BOTH
def test_pipelined_requests_are_not_mixed_up(bench: Bench, *, tls: bool) -> None:
    """Two requests in one write: the first is right, the second is counted as lost, none is invented."""
    first, second = bench.lab.new("piped", SHORT), bench.lab.new("piped", SHORT)
    before = bench.exporter.metric("llm_exporter_parse_errors_total")
    mid = bench.exporter.metric("llm_exporter_unparsed_connections_total", reason="mid_stream")
    conn = bench.connect(tls=tls)
    conn.send(b"".join((*request_bytes(first), *request_bytes(second))))
    assert conn.read(2 * len(SHORT.data)) == 2 * SHORT.data
    after = bench.lab.new("piped", SHORT)  # and what follows on the connection is seen again
    conn.send(*request_bytes(after))
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    for role in ROLES:
        for model in (first, after):
            (line,) = bench.exporter.expect(model, role)
            assert (line["outcome"], line["content_events"]) == ("ok", 4)
    lost = 2 - sum(len(bench.exporter.lines(second, role)) for role in ROLES)
    assert bench.exporter.metric("llm_exporter_parse_errors_total") - before >= lost
    assert bench.exporter.metric("llm_exporter_unparsed_connections_total", reason="mid_stream") == mid


@pytest.mark.parametrize("buffers", [60, 200, 900])
def test_answer_from_many_buffers(bench: Bench, buffers: int) -> None:
    """The writelines of asyncio hand up to 1 024 buffers to one sendmsg."""
    whole = answer([ROLE, *words(buffers // 2), STOP, DONE], COUNTED)
    data = whole.data
    step = -(-len(data) // buffers)
    pieces = [data[at : at + step].decode("latin-1") for at in range(0, len(data), step)]
    model = bench.lab.model("vector")
    bench.lab.publish_steps(model, [["v", pieces], ["keep"]])
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    assert conn.read(len(data)) == data
    conn.close()
    bench.check(Met(model, whole, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


def test_request_from_many_buffers(bench: Bench) -> None:
    model = bench.lab.new("vector", SHORT)
    whole = b"".join(request_bytes(model, prompt="x" * 900, model_first=False))
    conn = bench.connect(tls=False)
    conn.send_vector(*(whole[at : at + 3] for at in range(0, len(whole), 3)))
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


# Connections.


@BOTH
def test_client_that_closes_its_half_after_the_request(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.new("half-close", SHORT)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    raw = socket.socket(fileno=os.dup(conn.sock.fileno()))
    raw.shutdown(socket.SHUT_WR)
    raw.close()
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, tls, conn.flight, pid=os.getpid()))


@BOTH
def test_ipv6(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.model("six")
    with _served(bench, tls=tls, data=SHORT.data, family=socket.AF_INET6) as (port, _):
        sock = socket.create_connection(("::1", port))
        conn = context_for(bench.lab.cert).wrap_socket(sock, server_hostname="localhost") if tls else sock
        conn.sendall(b"".join(request_bytes(model)))
        got = b""
        while len(got) < len(SHORT.data):
            got += conn.recv(65_536)
        conn.close()
    for role in ROLES:
        (line,) = bench.exporter.expect(model, role)
        assert (line["outcome"], line["content_events"], line["tokens"][0]["output"]) == ("ok", 4, 4)


def test_unix_socket_is_a_blind_spot_and_no_more(bench: Bench) -> None:
    model = bench.lab.model("unix")
    one, two = socket.socketpair()
    one.sendall(b"".join(request_bytes(model)))
    two.recv(65_536)
    two.sendall(SHORT.data)
    one.recv(65_536)
    one.close()
    two.close()
    bench.meet(SHORT, tls=False)
    assert not [line for role in ROLES for line in bench.exporter.lines(model, role)]


def test_empty_receive_is_no_end(bench: Bench) -> None:
    """recv() of no bytes returns 0 and says nothing about the peer."""
    long = chat(30, 10.0)
    model = bench.lab.new("empty-recv", long)
    conn = bench.connect(tls=False)
    conn.send(*request_bytes(model))
    conn.read(long.marks[3].at)
    conn.sock.recv(0)
    conn.close()
    bench.check(Met(model, long, False, conn.flight, leaves=True, pid=os.getpid()), roles=("client",))  # noqa: FBT003


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumed_session(bench: Bench, version: ssl.TLSVersion) -> None:
    context = context_for(bench.lab.cert)
    context.maximum_version = version
    session = None
    for _ in range(2):
        model = bench.lab.new("resumed", SHORT)
        sock = socket.create_connection(("127.0.0.1", bench.lab.server.tls))
        with context.wrap_socket(sock, server_hostname="localhost", session=session) as conn:
            conn.sendall(b"".join(request_bytes(model)))
            got = b""
            while len(got) < len(SHORT.data):
                got += conn.recv(65_536)
            session = conn.session
        bench.check(Met(model, SHORT, True, None, pid=os.getpid()))  # noqa: FBT003 - TLS


def test_connection_handed_to_another_process(bench: Bench) -> None:
    """SCM_RIGHTS: one process asks, the other reads the answer."""
    model = bench.lab.new("handed", SHORT)
    conn = bench.connect(tls=False)
    conn.sock.setblocking(True)  # noqa: FBT003 - a time limit makes the shared description non-blocking
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reader = (
        "import socket,sys; s=socket.socket(fileno=int(sys.argv[1])); _,fds,_,_=socket.recv_fds(s,9,1)\n"
        "c=socket.socket(fileno=fds[0]); n=0\n"
        "while n<int(sys.argv[2]): n+=len(c.recv(65536))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(theirs.fileno()), str(len(SHORT.data))], pass_fds=(theirs.fileno(),)
    ) as child:
        conn.send(*request_bytes(model))
        socket.send_fds(mine, [b"x"], [conn.sock.fileno()])
        conn.close()
        assert child.wait(PATIENCE_S) == 0
    mine.close()
    theirs.close()
    bench.check(Met(model, SHORT, False, None))  # noqa: FBT003 - plaintext


@BOTH
def test_proxy_in_one_thread_counts_once_per_role_and_side(bench: Bench, *, tls: bool) -> None:
    """Client and server of the same exchange in one thread: both of its exchanges are told, each with its own end."""
    long = chat(40, 5.0)
    cut = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)
    planned = cut_after(long, 12, After.FIN, cut)
    model = bench.lab.new("proxied", planned)
    listener = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        down, _ = listener.accept()
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(bench.lab.cert, str(bench.lab.folder / "key.pem"))
            down = context.wrap_socket(down, server_side=True)
        request = down.recv(65_536)
        up = Raw(bench.lab.server.port(tls=tls), bench.lab.cert if tls else None)
        up.send(request)
        while data := up.sock.recv(65_536):
            down.sendall(data)
        up.close()
        down.close()

    thread = threading.Thread(target=proxy)
    thread.start()
    conn = Raw(listener.getsockname()[1], bench.lab.cert if tls else None)
    conn.send(b"".join(request_bytes(model)))
    conn.read(len(planned.data) + 1)
    conn.close()
    thread.join()
    listener.close()
    for role in ROLES:
        lines = bench.exporter.expect(model, role, 2)
        told = [(line["stream_outcome"], line["closed_by"], line["content_events"]) for line in lines]
        assert told == [("truncated", "server", len(planned.marks))] * 2, role


@BOTH
def test_200_connections_at_once(bench: Bench, *, tls: bool) -> None:
    whole = chat(20, 8.0, usage=(2, 20))
    models = [bench.lab.new("crowd", whole) for _ in range(200)]
    asyncio.run(_crowd(bench, models, len(whole.data), tls=tls))
    # 400 threads' own stamps on a busy machine prove nothing.
    bench.check(*(Met(model, whole, tls, None, pid=os.getpid()) for model in models), skip=(*TIMES, "duration_s"))


async def _crowd(bench: Bench, models: Sequence[str], size: int, *, tls: bool) -> None:
    context = context_for(bench.lab.cert) if tls else None

    async def one(model: str) -> None:
        port = bench.lab.server.port(tls=tls)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost" if tls else None
        )
        writer.write(b"".join(request_bytes(model)))
        await reader.readexactly(size)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    await asyncio.gather(*(one(model) for model in models))


UVLOOP = """
import asyncio, json, ssl, sys
import uvloop
from tests.e2e.clients import context_for, request_bytes

async def main(port, cert, jobs):
    context = context_for(cert) if cert else None
    ready = [await asyncio.open_connection("localhost", port, ssl=context) for _ in jobs]
    for (_, writer), (model, _) in zip(ready, jobs):  # in one turn of the loop: it sends at the end of the turn
        writer.write(b"".join(request_bytes(model)))
    async def read(reader, writer, size):
        await reader.readexactly(size)
        writer.close()
    await asyncio.gather(*(read(*pair, size) for pair, (_, size) in zip(ready, jobs)))

uvloop.install()
asyncio.run(main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
"""


@BOTH
def test_uvloop_that_sends_for_many_connections_in_one_turn(bench: Bench, *, tls: bool) -> None:
    """Some are whole, some are left in the middle: no connection's end may end another's exchange."""
    pytest.importorskip("uvloop", reason="no uvloop")
    long = chat(60, 8.0)
    jobs, met = [], []
    for number in range(12):
        model = bench.lab.new("uvloop", long)
        leaves = number % 2 == 0
        jobs.append((model, long.marks[number].at if leaves else len(long.data)))
        met.append((model, leaves))
    _child(UVLOOP, str(bench.lab.server.port(tls=tls)), bench.lab.cert if tls else "", json.dumps(jobs))
    told = {}
    for model, _ in met:
        (line,) = bench.exporter.expect(model, "client")
        told[model] = line["outcome"]
    assert told == {model: "client_cancelled" if leaves else "ok" for model, leaves in met}


def _child(program: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *args], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return done.stdout


LIBRARIES = {
    "urllib3": """
import json, sys, urllib3
pool = urllib3.PoolManager(ca_certs=sys.argv[2] or None)
for model in json.loads(sys.argv[3]):
    body = json.dumps({"model": model, "stream": True, "messages": []})
    answer = pool.request("POST", sys.argv[1], body=body, preload_content=False)
    for _ in answer.stream(64): pass
    answer.release_conn()
""",
    "aiohttp": """
import aiohttp, asyncio, json, ssl, sys
async def main():
    async with aiohttp.ClientSession() as session:
        async def one(model):
            ctx = ssl.create_default_context(cafile=sys.argv[2]) if sys.argv[2] else None
            ask = {"model": model, "stream": True, "messages": []}
            async with session.post(sys.argv[1], json=ask, ssl=ctx or False) as got:
                async for _ in got.content.iter_any(): pass
        await asyncio.gather(*(one(model) for model in json.loads(sys.argv[3])))
asyncio.run(main())
""",
}
NODE_AGENT = """
const [url, models] = process.argv.slice(1);
const mod = require(url.startsWith('https') ? 'https' : 'http');
const agent = new mod.Agent({keepAlive: true, maxSockets: 2, rejectUnauthorized: false});
for (const model of JSON.parse(models)) {
  const req = mod.request(url, {agent, method: 'POST', headers: {'content-type': 'application/json'}},
    res => res.on('data', () => 0));
  req.write('{"stream":true,"messages":[],');
  setTimeout(() => req.end(`"model":"${model}"}`), 5);
}
"""


@BOTH
@pytest.mark.parametrize("client", ["urllib3", "aiohttp", "node", "curl"])
def test_pooled_client(bench: Bench, client: str, *, tls: bool) -> None:
    whole = chat(6, 3.0, usage=(1, 6))
    models = [bench.lab.new(client, whole) for _ in range(6)]
    url = f"{'https' if tls else 'http'}://localhost:{bench.lab.server.port(tls=tls)}/v1/chat/completions"
    if client == "node":
        subprocess.run(["node", "-e", NODE_AGENT, url, json.dumps(models)], check=True, timeout=60)
    elif client == "curl":
        _curl(bench, url, models)
    else:
        pytest.importorskip(client)
        _child(LIBRARIES[client], url, bench.lab.cert if tls else "", json.dumps(models))
    bench.check(*(Met(model, whole, tls, None) for model in models))


def _curl(bench: Bench, url: str, models: Sequence[str]) -> None:
    options: list[str] = []
    for number, model in enumerate(models):
        body = json.dumps({"model": model, "stream": True, "messages": []})
        options += ["--next"] if number else []
        options += ["-sN", "--http1.1", "--cacert", bench.lab.cert, "-o", "/dev/null", "-d", body]
        options += ["-H", "content-type: application/json", url]
    subprocess.run(["curl", "--parallel", *options], check=True, timeout=60)


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
