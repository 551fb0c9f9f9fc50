"""What counts as content, a finish, usage or an error, whatever the bytes around it look like."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmslo_exporter import catalog
from tests.e2e import packers
from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    STREAM_HEADERS,
    Answer,
    Framing,
    Kind,
    Part,
    Truth,
    answer,
    chat,
    chat_event,
    completion,
    error_truth,
    event,
    json_answer,
    one_write,
    plain_truth,
    usage_event,
    usage_tokens,
    words,
)
from tests.e2e.clients import request_bytes
from tests.kernel.bench import Bench

pytestmark = pytest.mark.timeout(90)

ERROR = event('{"error": {"message": "gone", "type": "server_error", "code": 500}}')
FAILED = Truth(outcome="server_error", stream_outcome="error_event", closed_by="server", finishes=(), tokens=None)
COUNTED = Truth(tokens=None)
TRUNCATED = Truth(outcome="stream_interrupted", stream_outcome="truncated", finishes=(), tokens=None)


def _crlf(part: Part) -> Part:
    return replace(part, data=part.data.replace(b"\n", b"\r\n"))


def _tight(part: Part) -> Part:
    return replace(part, data=part.data.replace(b"data: ", b"data:", 1))


def _compact(part: Part) -> Part:
    return replace(part, data=part.data.replace(b'": ', b'":').replace(b', "', b',"'))


def _content(text: str) -> Part:
    return chat_event({"content": text}, Kind.OUTPUT)


def _raw_chunk(choice: str) -> str:
    return '{"id":"c","object":"chat.completion.chunk","created":1,"model":"served","choices":[' + choice + "]}"


COMMENT = Part(b": keep-alive\n\n")
PING = Part(b'event: ping\ndata: {"type": "ping"}\n\n')
EMPTY_DATA = Part(b"data:\n\n")
SPEECH = json.dumps({"choices": [], "instructions": 'say "content": "x" and \\"delta\\": ' * 110})
LIFECYCLE = event(SPEECH)
PLAIN = [ROLE, *words(7, 2.0), STOP, DONE]


def _tool_call(**function: str) -> Part:
    return chat_event({"tool_calls": [{"index": 0, "id": "call_1", "function": function}]}, Kind.OUTPUT, before_ms=4.0)


def _second(part_index: int, text: str) -> Part:
    return chat_event({"content": text}, Kind.OUTPUT, index=part_index)


def _continuous(number: int) -> Part:
    usage = {"prompt_tokens": 4, "completion_tokens": number, "total_tokens": 4 + number}
    return chat_event({"content": "x"}, Kind.OUTPUT, extra={"usage": usage}, before_ms=1.0)


STREAMS: dict[str, Answer] = {
    "a date header that looks like an event": chat(9, 3.0, framing=Framing(early_head_ms=2.0), first_ms=30.0),
    "a head ending in max=100": chat(
        5, 2.0, framing=Framing(early_head_ms=1.0, headers=(*STREAM_HEADERS, "keep-alive: timeout=5, max=100"))
    ),
    "terminal chunk split over two writes": chat(
        5, 2.0, framing=Framing(terminal=(b"0\r\n", b"\r\n"), terminal_pause_ms=8.0)
    ),
    "chunk extensions and upper-case sizes": chat(5, 2.0, framing=Framing(terminal=(b"000;x=y\r\n\r\n",))),
    "trailers after the terminal chunk": chat(5, 2.0, framing=Framing(terminal=(b"0\r\nx-took: 5\r\n\r\n",))),
    "[DONE] after an in-stream error": answer([ROLE, *words(3, 2.0), ERROR, DONE], replace(FAILED, closed_by="none")),
    "an in-stream error before any content": answer([ROLE, ERROR, DONE], replace(FAILED, closed_by="none")),
    "an in-stream error with a numeric class": answer(
        [ROLE, *words(2), event('{"error":{"message":"x","code":429}}'), DONE],
        replace(FAILED, outcome="rate_limited", closed_by="none"),
    ),
    "no [DONE]": chat(6, 2.0, done=False),
    "no [DONE], content-length": chat(6, 2.0, done=False, framing=Framing(kind="length")),
    "content-length": chat(6, 2.0, framing=Framing(kind="length")),
    "close-delimited": chat(6, 2.0, framing=Framing(kind="close")),
    "close-delimited without [DONE]": chat(6, 2.0, done=False, framing=Framing(kind="close")),
    "[DONE] without a finish reason": answer([ROLE, *words(4, 2.0), DONE], TRUNCATED),
    "body ended without finish or [DONE]": answer([ROLE, *words(4, 2.0)], TRUNCATED),
    "everything in one write": one_write(chat(40, usage=(3, 40))),
    "role and first content in one write": answer(
        [replace(ROLE, data=ROLE.data + words(1)[0].data, kind=Kind.OUTPUT), *words(4, 3.0), STOP, DONE], COUNTED
    ),
    "CRLF events": answer([_crlf(part) for part in PLAIN], COUNTED),
    "comments between events": answer([part for word in PLAIN for part in (COMMENT, word)], COUNTED),
    "comments inside events": answer([replace(part, data=b": x\n" + part.data) for part in PLAIN], COUNTED),
    "data: without a space": answer([_tight(part) for part in PLAIN], COUNTED),
    "compact JSON": answer([_compact(part) for part in PLAIN], COUNTED),
    "id, event and retry fields": answer(
        [replace(part, data=b"id: 1\nevent: message\nretry: 10\n" + part.data) for part in PLAIN], COUNTED
    ),
    "empty data": answer([part for word in PLAIN for part in (EMPTY_DATA, word)], COUNTED),
    "reasoning first": answer(
        [ROLE, *words(5, 4.0, "reasoning_content", Kind.REASONING), *words(5, 4.0), STOP, DONE], COUNTED
    ),
    "reasoning under its other name": answer(
        [ROLE, *words(5, 4.0, "reasoning", Kind.REASONING), *words(5, 4.0), STOP, DONE], COUNTED
    ),
    "reasoning only": answer(
        [ROLE, *words(5, 4.0, "reasoning_content", Kind.REASONING), chat_event({}, finish="length"), DONE],
        replace(COUNTED, finishes=("length",)),
    ),
    "a refusal": answer([ROLE, *words(4, 3.0, "refusal"), STOP, DONE], COUNTED),
    "a tool call first": answer(
        [
            chat_event(
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}],
                },
                Kind.OUTPUT,
                before_ms=10.0,
            ),
            *(_tool_call(arguments=f'{{"a": {number}}}') for number in range(4)),
            chat_event({}, finish="tool_calls"),
            DONE,
        ],
        replace(COUNTED, finishes=("tool_calls",)),
    ),
    "empty and null contents": answer(
        [
            ROLE,
            chat_event({"content": None}),
            chat_event({"content": ""}),
            *words(3, 4.0),
            chat_event({"content": ""}, finish="stop"),
            DONE,
        ],
        COUNTED,
    ),
    "role in every chunk": answer(
        [
            *(chat_event({"role": "assistant", "content": "x"}, Kind.OUTPUT, before_ms=2.0) for _ in range(6)),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "an Azure prelude": answer(
        [
            event(
                '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}'
            ),
            *PLAIN,
        ],
        COUNTED,
    ),
    "40 pings before the first content": answer(
        [ROLE, *[replace(PING, before_ms=0.5)] * 40, *words(5, 5.0), STOP, DONE], COUNTED
    ),
    "40 comments before the first content": answer([*[COMMENT] * 40, *PLAIN], COUNTED),
    "16 kB of other events before the first content": answer([*[LIFECYCLE] * 4, *words(5, 5.0), STOP, DONE], COUNTED),
    "2000 reasoning events": answer(
        [ROLE, *words(2000, 0.0, "reasoning_content", Kind.REASONING), *words(5, 5.0), STOP, DONE], COUNTED
    ),
    "two choices interleaved": answer(
        [
            chat_event({"role": "assistant", "content": ""}, index=0),
            _second(0, "a"),
            chat_event({"role": "assistant", "content": ""}, index=1),
            _second(1, "b"),
            _second(0, "c"),
            chat_event({}, finish="stop", index=0),
            _second(1, "d"),
            chat_event({}, finish="length", index=1),
            DONE,
        ],
        replace(COUNTED, finishes=("stop", "length")),
    ),
    "two choices, one without its finish": answer(
        [_second(0, "a"), _second(1, "b"), chat_event({}, finish="stop", index=0), _second(1, "d"), DONE],
        replace(TRUNCATED, finishes=("stop",)),
    ),
    "finish on a chunk with content": answer(
        [ROLE, *words(4, 2.0), chat_event({"content": "!"}, Kind.OUTPUT, finish="length"), DONE],
        replace(COUNTED, finishes=("length",)),
    ),
    "finish before the delta": answer(
        [ROLE, *words(3), event(_raw_chunk('{"finish_reason":"stop","delta":{},"index":0}')), DONE], COUNTED
    ),
    "a filtered answer": answer(
        [ROLE, *words(3), chat_event({}, finish="content_filter"), DONE], replace(COUNTED, finishes=("content_filter",))
    ),
    "an unknown finish reason": answer(
        [ROLE, *words(3), chat_event({}, finish="abort"), DONE], replace(COUNTED, finishes=("cancelled",))
    ),
    "usage": chat(8, 2.0, usage=(11, 7)),
    "usage with details": answer(
        [
            *PLAIN[:-1],
            usage_event(
                30,
                20,
                {"prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 12}},
            ),
            DONE,
        ],
        Truth(tokens=usage_tokens(30, 20, cache_read=8, reasoning=12)),
    ),
    "usage null in every chunk": answer(
        [ROLE, *(chat_event({"content": "x"}, Kind.OUTPUT, extra={"usage": None}) for _ in range(6)), STOP, DONE],
        COUNTED,
    ),
    "continuous usage": answer(
        [ROLE, *(_continuous(number + 1) for number in range(9)), STOP, usage_event(4, 9), DONE],
        Truth(tokens=usage_tokens(4, 9)),
    ),
    "logprobs hold a content list": answer(
        [
            ROLE,
            *[
                event(
                    _raw_chunk(
                        '{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-0.1,"bytes":[120],"top_logprobs":[]}]},"finish_reason":null}'
                    ),
                    Kind.OUTPUT,
                    2.0,
                )
            ]
            * 5,
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "padding": answer(
        [
            ROLE,
            *(
                chat_event({"content": "x"}, Kind.OUTPUT, extra={"obfuscation": "yKkTGHRZw" * number})
                for number in range(6)
            ),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "an answer that quotes the protocol": answer(
        [
            ROLE,
            _content("data: [DONE]\n\n"),
            _content('{"error": {"type": "server_error"}}'),
            _content('"finish_reason": "stop"'),
            _content("\r\n0\r\n\r\n"),
            _content('\\"content\\": \\"'),
            _content('"usage": {"completion_tokens": 900}'),
            _content("é\u2028\u0085 日本 🎈"),
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "raw UTF-8 and U+2028 in an answer": answer(
        [
            ROLE,
            *[
                event(
                    _raw_chunk('{"index":0,"delta":{"content":"日本\u2028🎈"},"finish_reason":null}'), Kind.OUTPUT, 2.0
                )
            ]
            * 4,
            STOP,
            DONE,
        ],
        COUNTED,
    ),
    "one event of 100 kB": answer([ROLE, _content("long " * 20_000), *words(3, 4.0), STOP, DONE], COUNTED),
    "a 200 kB write": one_write(answer([ROLE, *(_content("w" * 900) for _ in range(200)), STOP, DONE], COUNTED)),
    "one content event only": chat(1),
    "no content at all": answer([ROLE, STOP, DONE], COUNTED),
    "NDJSON": answer(
        [
            Part(part.data.removeprefix(b"data: ").rstrip(b"\n") + b"\n", part.kind, part.before_ms)
            for part in PLAIN[:-1]
        ],
        COUNTED,
        Framing(headers=("content-type: application/x-ndjson",)),
    ),
    "a stream content type without charset": chat(
        4, 2.0, framing=Framing(headers=("Content-Type: text/event-stream",))
    ),
    "an empty reason phrase": chat(4, 2.0, framing=Framing(head="HTTP/1.1 200 ")),
}

WHOLE: dict[str, Answer] = {
    "JSON": json_answer(completion((12, 9)), plain_truth((12, 9)), before_ms=20.0),
    "gzip JSON": json_answer(completion((12, 9)), plain_truth((12, 9)), compress=True, before_ms=20.0),
    "gzip JSON in chunks": json_answer(
        completion((12, 9), "w " * 9000), plain_truth((12, 9)), compress=True, chunk_bytes=11
    ),
    "big JSON": json_answer(completion((12, 9), "a word " * 3000), plain_truth((12, 9))),
    "pretty JSON": json_answer(
        json.dumps(completion((12, 9)), indent=4).encode(), plain_truth((12, 9)), chunk_bytes=70
    ),
}

_API_ERROR = {"message": "no", "param": None}
ERRORS: dict[str, tuple[str, dict[str, object], str]] = {
    "401 that says invalid_request_error": (
        "401 Unauthorized",
        {**_API_ERROR, "type": "invalid_request_error", "code": "invalid_api_key"},
        "auth",
    ),
    "401 bare": ("401 Unauthorized", {**_API_ERROR, "type": "invalid_request_error", "code": None}, "auth"),
    "429": ("429 Too Many Requests", {**_API_ERROR, "type": "requests", "code": "rate_limit_exceeded"}, "rate_limited"),
    "429 without a quota": (
        "429 Too Many Requests",
        {**_API_ERROR, "type": "insufficient_quota", "code": None},
        "quota_exhausted",
    ),
    "529": ("529 Overloaded", {**_API_ERROR, "type": "overloaded_error"}, "overloaded"),
    "503": ("503 Service Unavailable", {**_API_ERROR, "type": "server_error"}, "server_error"),
    "500": ("500 Internal Server Error", {**_API_ERROR, "type": "server_error"}, "server_error"),
    "404": ("404 Not Found", {**_API_ERROR, "type": "invalid_request_error", "code": "model_not_found"}, "not_found"),
    "400 that means 404": (
        "400 Bad Request",
        {**_API_ERROR, "type": "invalid_request_error", "code": "model_not_found"},
        "not_found",
    ),
    "400": ("400 Bad Request", {**_API_ERROR, "type": "invalid_request_error", "code": None}, "invalid_request"),
    "400 from a filter": ("400 Bad Request", {**_API_ERROR, "type": None, "code": "content_filter"}, "content_filter"),
    "504": ("504 Gateway Timeout", {**_API_ERROR, "type": "timeout"}, "timeout"),
}

BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
# Nobody closed anything under these: whoever reads "who closed" may say none or the server that ended its body.
CLOSER_OPEN = {
    "[DONE] without a finish reason",
    "body ended without finish or [DONE]",
    "two choices, one without its finish",
}


@BOTH
@pytest.mark.parametrize("name", STREAMS)
def test_stream_is_told_as_it_was(bench: Bench, name: str, *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    try:
        met = bench.ask(conn, STREAMS[name], tls=tls)
    finally:
        conn.close()
    bench.check(met, skip=("closed_by",) if name in CLOSER_OPEN else ())


@BOTH
@pytest.mark.parametrize("name", WHOLE)
def test_whole_answer_gives_its_usage(bench: Bench, name: str, *, tls: bool) -> None:
    bench.meet(WHOLE[name], tls=tls, stream=False)


@BOTH
@pytest.mark.parametrize("name", ERRORS)
def test_error_body_beats_the_status(bench: Bench, name: str, *, tls: bool) -> None:
    status, error, outcome = ERRORS[name]
    bench.meet(json_answer({"error": error}, error_truth(int(status[:3]), outcome), status=status), tls=tls)


@BOTH
def test_error_body_may_be_compressed(bench: Bench, *, tls: bool) -> None:
    error = {"error": {**_API_ERROR, "type": "insufficient_quota", "code": None}}
    truth = error_truth(429, "quota_exhausted")
    bench.meet(json_answer(error, truth, status="429 Too Many Requests", compress=True), tls=tls)


@BOTH
def test_text_completions_have_their_own_key(bench: Bench, *, tls: bool) -> None:
    def piece(text: str, finish: str | None = None) -> Part:
        chunk = {
            "id": "cmpl-1",
            "object": "text_completion",
            "choices": [{"index": 0, "text": text, "finish_reason": finish}],
        }
        return event(json.dumps(chunk), Kind.OUTPUT if text else Kind.NONE, 3.0)

    whole = answer(
        [*(piece("word") for _ in range(5)), piece("", "stop"), DONE], replace(COUNTED, operation="text_completion")
    )
    bench.meet(whole, tls=tls, request=_prompt_request)


def _prompt_request(model: str) -> tuple[bytes, bytes]:
    body = json.dumps({"model": model, "prompt": "once", "stream": True}).encode()
    return request_bytes(model, path="/v1/completions", body=body)


@pytest.mark.timeout(180)
@BOTH
def test_20k_chunks_are_counted(bench: Bench, *, tls: bool) -> None:
    bench.meet(chat(20_000, usage=(5, 20_000)), tls=tls)


@BOTH
@pytest.mark.parametrize("coding", packers.CODINGS)
def test_compressed_stream_is_told_as_it_was(bench: Bench, coding: str, *, tls: bool) -> None:
    parts = [ROLE, *words(6, 5.0), STOP, DONE]
    runs = packers.packed([part.data for part in parts], coding)
    parts = [replace(part, data=run) for part, run in zip(parts, runs, strict=True)]
    name = coding if coding in catalog.ENCODINGS else catalog.OTHER
    before = bench.exporter.metric("llm_exporter_compressed_streams_total", encoding=name)
    bench.meet(answer(parts, COUNTED, Framing(headers=(*STREAM_HEADERS, f"content-encoding: {coding}"))), tls=tls)
    assert bench.exporter.metric("llm_exporter_compressed_streams_total", encoding=name) == before + 2
