"""The table that the kernel runs: heads, chunk sizes, streams, and the conditions under which bpf/scan.h may run it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import actions
from llmslo_exporter import automaton as a
from llmslo_exporter.dialects import DIALECTS, WIRES, find
from llmslo_exporter.dialects.openai import OPENAI_WIRE
from llmslo_exporter.errors import ExporterError
from llmslo_exporter.finish import FINISH_VALUES
from llmslo_exporter.summary import FinishReason
from tests.exporter import kernel_model as kernel

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "openai").glob("*.sse"))
TABLE = a.compile_wires(WIRES)
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 1234567\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Content-Length: 9\r\n"
    b"content-length:  90\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
)
FRAMING = (
    actions.CHUNKED
    | actions.LENGTH
    | actions.SSE
    | actions.NDJSON
    | actions.ENCODED
    | actions.INTERIM
    | actions.SWITCH
    | actions.BODYLESS
)


def head(data, start, base=kernel.DECIMAL, *, cut=0):
    """Return what the kernel knows of a head that came in two reads, and how many bytes belonged to it."""
    message = kernel.Message(start)
    used = kernel.read_head(TABLE, message, data[:cut], base)
    if not message.flags & (actions.HEAD_END | actions.BAD):
        used += kernel.read_head(TABLE, message, data[cut:], base)
    return message, used


def request(data, cut=0):
    return head(data, TABLE.start_request, cut=cut)


def response(*fields, status=b"200 OK"):
    data = b"\r\n".join((b"HTTP/1.1 " + status, *fields)) + b"\r\n\r\n"
    message, used = head(data + b"body", TABLE.start_response)
    assert used == len(data)
    assert message.flags & actions.HEAD_END
    return message


def test_a_zero_byte_changes_nothing_in_any_row():
    for number, count in enumerate(TABLE.rows):
        rows = range(number, count << a.COLUMN_BITS, a.COLUMNS)
        assert [TABLE.step(row, 0) for row in rows] == [(row, 0) for row in rows]


def test_every_row_that_is_reached_exists():
    for table, count in zip(TABLE.tables, TABLE.rows, strict=True):
        assert count <= a.ROWS
        assert {entry & (a.ROWS * a.COLUMNS - 1) for entry in table} <= {r << a.COLUMN_BITS for r in range(count)}


def test_the_packed_tables_are_the_kernels_structs():
    for packed, table in zip(TABLE.pack(), TABLE.tables, strict=True):
        assert len(packed) == a.PACKED_BYTES == a.ROWS * a.COLUMNS * 4 + (8 + a.WIRES) * 4
        assert packed[: len(table) * 4] == table.tobytes()


def test_heads_stand_at_the_same_places_in_every_table():
    first = min(start >> a.COLUMN_BITS for start in TABLE.streams if not start % a.COLUMNS)
    heads = TABLE.tables[0][: first << a.COLUMN_BITS]
    assert {heads.tobytes()} == {table[: len(heads)].tobytes() for table in TABLE.tables}


def test_the_path_tells_the_wire_of_the_stream():
    for dialect in DIALECTS:
        message = kernel.Message(TABLE.start_request)
        kernel.read_head(
            TABLE, message, b"POST /x%b HTTP/1.1\r\nhost: x" % dialect.wire.paths[0].encode(), kernel.DECIMAL
        )
        assert TABLE.streams[message.path >> a.COLUMN_BITS] == TABLE.stream_of(f"/x{dialect.wire.paths[0]}")
    assert len(set(TABLE.streams)) == len({wire.name for wire in WIRES})
    assert TABLE.start_stream % a.COLUMNS == 0  # bpf/exchange.h tries it without a lookup


def test_dialects_that_need_more_rows_than_there_are_are_refused():
    wide = replace(OPENAI_WIRE, output=tuple(f"{number:04}content{number}" for number in range(500)))
    with pytest.raises(ExporterError, match="rows"):
        a.compile_wires([wide])


@pytest.mark.parametrize("cut", range(len(REQUEST) + 1))
def test_a_request_head_is_read_alike_at_every_split(cut):
    message, used = request(REQUEST + b"{}", cut)
    assert (message.value, used) == (1234567, len(REQUEST))
    assert message.flags & ~(actions.USED | actions.DIGIT) == actions.LLM | actions.LENGTH | actions.HEAD_END


@pytest.mark.parametrize("cut", range(len(RESPONSE) + 1))
def test_a_response_head_is_read_alike_at_every_split(cut):
    message, used = head(RESPONSE + b"5\r\ndata:", TABLE.start_response, cut=cut)
    assert (message.value, used) == (90, len(RESPONSE))
    assert message.flags & FRAMING == actions.CHUNKED | actions.LENGTH | actions.SSE | actions.ENCODED
    assert message.flags & actions.HEAD_END


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/chat/completions",
        b"/v1/completions",
        b"/chat/completions",
        b"/v1/chat/completions?api-version=2024-10-21",
        b"/openai/deployments/gpt-4o/chat/completions?x=/y",
        b"http://127.0.0.1:8080/v1/chat/completions",
        b"/completions/chat/chat/completions",
        b"/" + b"a" * 200 + b"/v1/completions",
    ],
)
def test_paths_of_an_llm_are_known_with_the_byte_behind_them(target):
    line = b"POST " + target
    message = kernel.Message(TABLE.start_request)
    known = line.partition(b"?")[0]
    for at in range(len(known)):
        kernel.read_head(TABLE, message, line[at : at + 1], kernel.DECIMAL)
        assert not message.flags & (actions.LLM | actions.BAD)
    rest = line[len(known) :] + b" HTTP/1.1\r\n\r\n"
    assert kernel.read_head(TABLE, message, rest, kernel.DECIMAL) == len(rest)
    assert message.flags & (actions.LLM | actions.BAD | actions.HEAD_END) == actions.LLM | actions.HEAD_END


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/responses",
        b"/v1/realtime?model=m",
        b"/openai/realtime/",
        b"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
    ],
)
def test_a_get_may_open_a_websocket(target):
    message, used = request(head := b"GET " + target + b" HTTP/1.1\r\nupgrade: websocket\r\n\r\n")
    assert used == len(head)
    assert message.flags & (actions.LLM | actions.BAD | actions.HEAD_END) == actions.LLM | actions.HEAD_END


@pytest.mark.parametrize("path", [b"/model/a%3A0/converse-stream", b"/endpoints/e/invocations-response-stream"])
def test_streams_that_are_counted_alone_are_known_by_path_and_type(path):
    assert request(b"POST " + path + b" HTTP/1.1\r\n\r\n")[0].flags & actions.LLM
    assert find(path.decode()) is None
    both = actions.SSE | actions.NDJSON
    assert response(b"Content-Type: application/vnd.amazon.eventstream").flags & both == both


@pytest.mark.parametrize(
    "line",
    [
        b"POST /v1/completions-archive HTTP/1.1\r\n",
        b"POST /v1/moderations HTTP/1.1\r\n",
        b"POST /v1/models?path=/v1/completions HTTP/1.1\r\n",
        b"POST /V1/CHAT/COMPLETIONS HTTP/1.1\r\n",
        b"POST /v1/chat/completions\r\n",
        b"GET /v1/chat/completions HTTP/1.1\r\n",
        b"GET /v1/responses/resp_1 HTTP/1.1\r\n",
        b"GET /index.html HTTP/1.1\r\n",
        b"GPOST /v1/chat/completions HTTP/1.1\r\n",
        b"POST /v1/realtime HTTP/1.1\r\n",
        b"post /v1/chat/completions HTTP/1.1\r\n",
        b"POST  HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_other_requests_are_refused_in_any_reads(line):
    assert request(line)[0].flags & (actions.BAD | actions.LLM) == actions.BAD
    message = kernel.Message(TABLE.start_request)
    for at in range(len(line)):
        kernel.read_head(TABLE, message, line[at : at + 1], kernel.DECIMAL)
    assert message.flags & (actions.BAD | actions.LLM) == actions.BAD


@pytest.mark.parametrize(
    ("field", "flags"),
    [
        (b"Transfer-Encoding: chunked", actions.CHUNKED),
        (b"TRANSFER-ENCODING:gzip, Chunked", actions.CHUNKED),
        (b"Content-Type: text/event-stream", actions.SSE),
        (b"content-type:Text/Event-Stream;charset=utf-8", actions.SSE),
        (b"Content-Type: application/x-ndjson", actions.NDJSON),
        (b"Content-Type: application/stream+json", actions.NDJSON),
        (b"Content-Type: application/jsonl", actions.NDJSON),
        (b"Content-Type: application/json", 0),
        (b"Content-Encoding: gzip", actions.ENCODED),
        (b"Content-Encoding: br", actions.ENCODED),
        (b"Content-Encoding: zstd", actions.ENCODED),
        (b"Content-Encoding: deflate", actions.ENCODED),
        (b"Content-Encoding: identity", 0),
        (b"X-Transfer-Encoding: chunked", 0),
        (b"Content-Type-Options: text/event-stream", 0),
        (b"Accept: text/event-stream", 0),
        (b"X: a\tb: content-encoding: gzip", 0),
        (b"no colon", 0),
        (b": Content-Encoding: gzip", 0),
    ],
)
def test_header_fields_tell_the_framing_and_the_kind_of_a_body(field, flags):
    assert response(field).flags & FRAMING == flags
    assert response(b"Server: x", field, b"Date: y").flags & FRAMING == flags


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"Content-Length: 0", 0),
        (b"content-length:42", 42),
        (b"CONTENT-LENGTH: \t 1048576 ", 1048576),
        (b"Content-Length: 18446744073709551615", 2**64 - 1),
    ],
)
def test_a_content_length_is_read_as_a_number(field, value):
    message = response(b"Date: Mon, 01 Jan 2024 00:00:00 GMT", field, b"X-Request-Id: 77")
    assert (message.flags & FRAMING, message.value) == (actions.LENGTH, value)


def test_a_content_length_that_is_said_twice_is_the_last_one():
    assert response(b"Content-Length: 42", b"Content-Length: 42").value == 42
    assert response(b"Content-Length: 42, 42").value == 42


@pytest.mark.parametrize("field", [b"Content-Length:", b"Content-Length: x1", b"Content-Length: -1", b"Content-Len: 4"])
def test_a_content_length_that_is_no_number_is_none(field):
    message = response(field)
    assert (message.flags & FRAMING, message.value) == (0, 0)


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (b"100 Continue", actions.INTERIM),
        (b"103 Early Hints", actions.INTERIM),
        (b"101 Switching Protocols", actions.INTERIM | actions.SWITCH),
        (b"200", 0),
        (b"201 Created", 0),
        (b"204 No Content", actions.BODYLESS),
        (b"304 Not Modified", actions.BODYLESS),
        (b"301 Moved", 0),
        (b"404 Not Found", 0),
        (b"529 Site is overloaded", 0),
    ],
)
def test_a_status_tells_whether_a_body_follows(status, flags):
    assert response(status=status).flags & FRAMING == flags


@pytest.mark.parametrize(
    "data", [b"HTTP/2 200\r\n", b"HTTP/1.1  200\r\n", b"HTTP/1.1 x\r\n", b"data: {}\n\n", b"HTTP/1.1 200 OK\r\n\rx"]
)
def test_what_is_no_response_head_is_bad(data):
    assert head(data, TABLE.start_response)[0].flags & actions.BAD


def test_a_zero_byte_in_a_head_is_bad():
    assert request(REQUEST.replace(b"Host", b"Ho\0st"))[0].flags & actions.BAD


def test_lines_may_end_with_a_line_feed_alone():
    message, used = head(RESPONSE.replace(b"\r\n", b"\n"), TABLE.start_response)
    assert (message.value, used) == (90, len(RESPONSE.replace(b"\r\n", b"\n")))


SIZES = [
    (b"0\r\n", 0),
    (b"d2\r\n", 0xD2),
    (b"1A2b3C\r\n", 0x1A2B3C),
    (b"00000010\r\n", 16),
    (b'5;name="a b"\r\n', 5),
    (b"5 \t;x\r\n", 5),
    (b"ff\n", 255),
]


@pytest.mark.parametrize(("line", "size"), SIZES)
def test_chunk_sizes_are_read_alike_at_every_split(line, size):
    for before, start in ((b"", TABLE.start_chunk), (b"\r\n", TABLE.start_next_chunk), (b"\n", TABLE.start_next_chunk)):
        data = before + line
        for cut in range(len(data) + 1):
            message, used = head(data + b"data: {}", start, kernel.HEX, cut=cut)
            assert (message.value, used) == (size, len(data))
            assert message.flags & (actions.HEAD_END | actions.BAD) == actions.HEAD_END


@pytest.mark.parametrize("line", [b"x\r\n", b"\r\n", b";a\r\n", b"-1\r\n", b"5x\r\n", b"data"])
def test_what_is_no_chunk_size_is_bad(line):
    assert head(line, TABLE.start_chunk, kernel.HEX)[0].flags & actions.BAD


def test_a_chunk_that_does_not_end_where_its_size_said_is_bad():
    assert head(b"x\r\n5\r\n", TABLE.start_next_chunk, kernel.HEX)[0].flags & actions.BAD


def counted(*reads, ends=actions.EVENT):
    """Return what the kernel counts of a stream that comes in `reads`."""
    tally = kernel.Tally(TABLE.start_stream)
    for data in reads:
        kernel.read_stream(TABLE, tally, data, ends)
    return tally


def by_byte(data, ends):
    """Return what there is to count, one byte at a time: what `counted` must find whatever the words."""
    tally = kernel.Tally(TABLE.start_stream)
    for byte in data:
        tally.row, action = TABLE.step(tally.row, byte)
        tally.seen |= action & ~actions.TERMINAL
        tally.open |= action & (actions.OUTPUT | actions.REASONING | actions.TERMINAL)
        if action & ends:
            tally.content += bool(tally.open & (actions.OUTPUT | actions.REASONING))
            tally.output += bool(tally.open & actions.OUTPUT)
            tally.seen |= tally.open & actions.TERMINAL
            tally.open = 0
        if action & actions.INDEX:
            tally.choices |= 1 << (action >> actions.NUMBER_SHIFT & 15)
        if action & actions.FINISH:
            tally.finishes += 1 << (8 * (action >> actions.NUMBER_SHIFT & 7))
    return tally


def chunk(**choice):
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


@pytest.mark.parametrize(("word", "number"), [*FINISH_VALUES.items(), ("unheard_of", 7), ("stopp", 7), ("sto", 7)])
def test_finish_reasons_count_under_their_number(word, number):
    for cut in range(len(chunk(finish_reason=word))):
        data = chunk(finish_reason=word)
        tally = counted(data[:cut], data[cut:])
        assert [tally.finish(reason) for reason in FinishReason] == [int(reason == number) for reason in FinishReason]


@pytest.mark.parametrize("value", [None, "", 7, ["stop"]])
def test_what_is_no_finish_reason_counts_nowhere(value):
    assert counted(chunk(finish_reason=value)).finishes == 0


def test_words_of_content_are_no_finish_reasons():
    said = '"finish_reason":"stop","index":3,"error":{"x":1} data: [DONE]'
    tally = counted(chunk(index=0, delta={"content": said}))
    assert (tally.finishes, tally.choices, tally.content, tally.output) == (0, 1, 1, 1)
    assert not tally.seen & (actions.ERROR | actions.TERMINAL)


@pytest.mark.parametrize(("index", "bit"), [*((n, n) for n in range(10)), (10, 15), (15, 15), (127, 15)])
def test_choices_are_told_apart_up_to_nine(index, bit):
    for data in (chunk(index=index), chunk(index=index).replace(b": ", b":"), chunk(delta={}, index=index)):
        for cut in range(len(data)):
            assert counted(data[:cut], data[cut:]).choices == 1 << bit


def test_an_index_inside_a_scope_is_no_choices():
    assert counted(chunk(index=1, delta={"tool_calls": [{"index": 5, "function": {"name": "f"}}]})).choices == 1 << 1


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"data: [DONE]\n\n", actions.TERMINAL),
        (b"data:[DONE]\n\n", actions.TERMINAL),
        (b"data: [DON\n\n", 0),
        (b'data: {"content":"[DONE]"}\n\n', 0),
        (b'data: {"error":{"code":500}}\n\n', actions.ERROR),
        (b'data: {"error":"busy"}\n\n', actions.ERROR),
        (b'data: {"error":null}\n\n', 0),
        (b"event: error\ndata: {}\n\n", actions.ERROR),
        (b"event: errors\ndata: {}\n\n", 0),
        (b'error: {"code":500}\n\n', actions.ERROR),
        (b": error\n\n", 0),
    ],
)
def test_terminal_and_error_events_are_seen_at_every_split(data, seen):
    for cut in range(len(data)):
        assert counted(data[:cut], data[cut:]).seen & (actions.TERMINAL | actions.ERROR) == seen


def test_lines_are_the_events_of_ndjson():
    lines = b'{"content":"a"}\n{"content":""}\r\n{"reasoning":"b"}\n'
    tally = counted(lines, ends=actions.LINE)
    assert (tally.content, tally.output) == (2, 1)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("ends", [actions.EVENT, actions.LINE])
def test_words_count_what_bytes_count_in_recorded_shapes(path, line_end, ends):
    data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end)
    expected = by_byte(data, ends)
    for offset in range(kernel.WORD):
        assert counted(data[:offset], data[offset:], ends=ends) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'data:{"index":1,"index":2,"index":4}\n\n',
        b'data:{"finish_reason":"x","index":8}\n\n',
        b'data:{"index":8,"finish_reason":"x"}\n\n',
        b'data:{"text":"x"\n\ndata:{"text":"y"\n\n',
        b'data:{"text":"x"\r\rdata:{"thinking":"y"\r\r',
        b'{"text":"x"\n{"thinking":"y"\n{"text":"z"\n\n\n',
    ],
)
@pytest.mark.parametrize("ends", [actions.EVENT, actions.LINE])
def test_words_count_what_bytes_count_however_close_the_events(data, ends):
    expected = by_byte(data, ends)
    for offset in range(kernel.WORD):
        assert counted(data[:offset], data[offset:], ends=ends) == expected


# What a stream is made of.
PARTS = st.sampled_from(
    [
        *(b"data:", b"data: ", b"event: error", b"error:", b": c", b"[DONE]", b"\xef\xbb\xbf", b"\0", b" "),
        *(b"\n", b"\n\n", b"\r", b"\r\n", b"\r\r", b"\r\n\r\n", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"7"),
        *(b'{"text":"x', b'"text":"', b'"content":"x"', b'"reasoning":"x"', b'"error":{', b'"error":null'),
        *(b'"tool_calls":[', b'"name":"f"', b'"arguments":"', b'"audio":{', b'"data":"x"', b'"logprobs":{'),
        *(b'"index":0', b'"index":1,', b'"index":12,', b'"finish_reason":"stop"', b'"finish_reason":"x"'),
        *(b'"finish_reason":"",', b'"finish_reason":"length","index":3,', b'"index":4,"finish_reason":"tool_calls"'),
    ]
)
STREAMS = st.lists(PARTS | st.binary(max_size=3), max_size=30).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=4).map(sorted), st.sampled_from([actions.EVENT, actions.LINE]))
def test_words_count_what_bytes_count_in_any_reads(data, cuts, ends):
    expected = by_byte(data, ends)
    reads = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert counted(*reads, ends=ends) == expected
    for offset in range(kernel.WORD):
        assert counted(data[:offset], data[offset:], ends=ends) == expected


@given(STREAMS, st.integers(0, kernel.WORD))
def test_zero_bytes_between_the_bytes_change_no_count(data, width):
    spread = b"".join(bytes([byte]) + bytes(width) for byte in data)
    assert by_byte(spread, actions.EVENT) == by_byte(data, actions.EVENT)
