"""Connections that begin like an LLM's and go on in what is not read: counted by reason, never guessed."""

from __future__ import annotations

import pytest

from tests.e2e.clients import Raw
from tests.kernel.bench import Bench
from tests.kernel.odd_server import served

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
REASONS = ("h2", "websocket", "eventstream", "mid_stream")
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: %b\r\n\r\n"
FRAME = b'\x81\x15{"type":"x","delta":1}'
EVENT_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"10\r\n\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff\r\n0\r\n\r\n"
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
EMPTY = b"content-length: 0\r\n"
HEADERS = b" HTTP/1.1\r\nhost: localhost\r\n%b\r\n"
ASKS_SOCKET = b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
CASES = {
    "responses": ("websocket", b"GET /v1/responses" + HEADERS % ASKS_SOCKET, UPGRADE % b"websocket" + FRAME),
    "realtime": ("websocket", b"GET /v1/realtime?model=m" + HEADERS % ASKS_SOCKET, UPGRADE % b"websocket"),
    "live": (
        "websocket",
        b"GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"
        + HEADERS % ASKS_SOCKET,
        UPGRADE % b"websocket",
    ),
    "post": ("websocket", b"POST /v1/chat/completions" + HEADERS % ASKS_SOCKET, UPGRADE % b"WebSocket"),
    "bedrock": (
        "eventstream",
        b"POST /model/anthropic.claude-3%3A0/invoke-with-response-stream" + HEADERS % EMPTY,
        EVENT_STREAM,
    ),
    "converse": (
        "eventstream",
        b"POST /model/a%3A0/converse-stream" + HEADERS % EMPTY,
        EVENT_STREAM,
    ),
    "preface": ("h2", PREFACE, b"\0\0\0\4\0\0\0\0\0"),
    "other socket": (None, b"GET /chat" + HEADERS % ASKS_SOCKET, UPGRADE % b"websocket"),
    "a list": (None, b"GET /v1/responses" + HEADERS % b"", b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"),
}


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_what_is_not_read_is_counted_by_reason_once_a_side(bench: Bench, name: str, *, tls: bool) -> None:
    reason, request, answer = CASES[name]

    def counts() -> dict[str, float]:
        found = {one: bench.exporter.metric("llm_exporter_unparsed_connections_total", reason=one) for one in REASONS}
        return found | {"framing": bench.exporter.metric("llm_exporter_parse_errors_total", reason="framing")}

    before, asked = counts(), bench.exporter.metric("llm_requests_total")
    with served(bench, tls=tls, data=answer, body=b"") as (port, thread):
        conn = Raw(port, bench.lab.cert if tls else None)
        conn.send(request)
        conn.read(len(answer))
        thread.join()
        conn.close()
    added = {one: after - before[one] for one, after in counts().items()}
    assert added == {one: 2.0 * (one == reason) for one in added}
    assert bench.exporter.metric("llm_requests_total") == asked
