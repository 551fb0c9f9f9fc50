"""Requests as odd as the standard allows, and answers that come before they are read."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    After,
    Answer,
    Truth,
    Write,
    answer,
    chat,
    error_truth,
    json_answer,
    words,
)
from tests.e2e.clients import Raw, request_bytes
from tests.kernel.bench import ROLES, Bench, Met
from tests.kernel.odd_server import served

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
COUNTED = Truth(tokens=None)
SHORT = chat(4, 3.0, usage=(3, 4))
PLAIN = [ROLE, *words(5, 3.0), STOP, DONE]
FILLER = tuple(f"x-filler-{number}: {'f' * 80}" for number in range(30))
_EMPTY = Truth(stream=False, stream_outcome=None, finishes=(), tokens=())


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
    named = bench.lab.model("served-name")
    parts = [replace(part, data=part.data.replace(b'"served"', f'"{named}"'.encode())) for part in PLAIN]
    bench.lab.publish(script, whole := answer(parts, COUNTED))
    packed = gzip.compress(json.dumps({"model": script, "messages": [], "stream": True}).encode())
    head, body = request_bytes(script, body=packed, headers=(f"x-script: {script}", "content-encoding: gzip"))
    conn = bench.connect(tls=tls)
    conn.send(head, body)
    conn.read(len(whole.data))
    conn.close()
    for role in ROLES:
        (line,) = bench.exporter.expect(named, role)
        assert (line["outcome"], line["content_events"]) == ("ok", 5)


@BOTH
def test_refused_expectation(bench: Bench, *, tls: bool) -> None:
    refusal = Answer((Write(b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n"),), (), _EMPTY, After.FIN)
    with served(bench, tls=tls, body=b"", data=refusal.data) as (port, _):
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


@BOTH
def test_early_refusal_of_a_large_body_is_the_answer(bench: Bench, *, tls: bool) -> None:
    """The server says 413 and closes while the client still writes; the client then reads what is there."""
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    model = bench.lab.model("too-large")
    with served(bench, tls=tls, body=b"", data=refusal, cut=True) as (port, _):
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
    with served(bench, tls=tls, body=b"", data=refusal.data, cut=True) as (port, _):
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
