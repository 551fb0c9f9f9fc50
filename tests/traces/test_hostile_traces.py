"""Documents that are broken, strange or large: right, or a clear error with its place."""

import gzip
import json

import pytest

from llmslo_rulegen.baseline.survey import survey
from llmslo_rulegen.traces import document, files, packing, reading
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError, Runs
from tests.traces import written
from tests.traces.test_formats import CALLS, PLAIN, SPANS, STREAM, quiet, told
from tests.traces.written import BEGIN_NS, Told


def spans(count, held=STREAM, **changed):
    return [Told("chat", "c", BEGIN_NS, BEGIN_NS + 10**9, held, span=f"{n + 1:016x}", **changed) for n in range(count)]


BROKEN = {
    "nothing": (b"", "it is empty; a trace file holds spans"),
    "blanks": (b" \n\n", "it is empty; a trace file holds spans"),
    "text": (
        b"hello there",
        "it begins with b'hello th': neither JSON nor OTLP protobuf (gzip and zstd of both are read)",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n", r"it begins with b'\x89PNG\r\n\x1a\n': neither JSON"),
    "other JSON": (b'{"a": [1]}', "it is JSON, but none of OTLP (resourceSpans), Tempo (batches), Jaeger (data)"),
    "metrics": (b'{"resourceMetrics":[]}', "it is JSON, but none of OTLP (resourceSpans)"),
    "UTF-16": (written.lines(SPANS).decode().encode("utf-16"), "it is UTF-16, JSON must be UTF-8: iconv"),
    "UTF-16 without a mark": (written.lines(SPANS).decode().encode("utf-16-le"), "it is UTF-16, JSON must be UTF-8"),
    "a trailing comma": (b'{"resourceSpans":[{"scopeSpans":[],}]}', "byte 35: it is no OTLP JSON: JSON is malformed"),
    "a comma at the end of an array": (b'{"resourceSpans":[{"scopeSpans":[]},]}', None),
    "a line that is broken": (
        written.lines(SPANS[:2]) + b'{"resourceSpans":[}\n' + written.lines(SPANS[2:]),
        "line 3: it is no OTLP JSON: JSON is malformed",
    ),
    "a broken line after blank ones": (
        b"\n\r\n" + written.lines(SPANS[:1]) + b"\n \n" + b'{"resourceSpans":oops}\n',
        "line 6: it is no OTLP JSON: JSON is malformed",
    ),
    "a line that is no request": (written.lines(SPANS[:1]) + b"[1]\n", "from line 1 on: it is no OTLP JSON: Expected"),
    "resourceSpans that is a text": (b'{"resourceSpans":"x"}\n{}\n', "from line 1 on: it is no OTLP JSON: Expected"),
    "a bracket too many": (written.document(SPANS) + b"]", "a bracket closes that was never opened"),
    "text behind it": (written.document(SPANS) + b" x", "something that is no JSON stands behind the document"),
    "a truncated document": (written.document(SPANS)[:-1], "it ends in the middle"),
    "truncated gzip": (gzip.compress(written.lines(SPANS))[:-9], "its compression is broken or ends in the middle"),
    "garbage behind gzip": (gzip.compress(written.lines(SPANS)) + b"x", "its compression is broken"),
    "nesting": (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}]}]}",
        "nested too deeply",
    ),
    "a length that is none": (b"\0\0\0\x09\n\xff\xff\xff\xff\x0f   ", "it is no TracesData of OTLP"),
    "a message of something else": (b"\n\x03abc", "it ends in the middle of a protobuf message"),
    "a message with another shape": (b"\n\x08abcdefgh", "it is no TracesData of OTLP"),
    "a field of something else": (written.message(SPANS) + b"\x12\x00", "it is no TracesData of OTLP"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_is_an_error_with_its_place(name, tmp_path):
    data, expected = BROKEN[name]
    path = tmp_path / "spans"
    path.write_bytes(data)
    if expected is None:  # between two elements nothing is missed
        assert told(path) == []
        return
    with pytest.raises(files.TraceFileError) as caught:
        told(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(files.TraceFileError, match="No such file"):
        told(tmp_path / "none")
    with pytest.raises(files.TraceFileError, match="no file of this folder has a name of traces"):
        told(tmp_path)


BAD = {
    "a time that is none": ({"startTimeUnixNano": "yesterday"}, Skipped.NO_TIME),
    "a time beyond all": ({"startTimeUnixNano": "99999999999999999999999"}, Skipped.NO_TIME),
    "a negative time": ({"endTimeUnixNano": -5}, Skipped.NO_TIME),
    "no end": ({"endTimeUnixNano": "0"}, Skipped.NO_TIME),
    "an end before the start": ({"endTimeUnixNano": str(BEGIN_NS - 1)}, Skipped.NO_END),
    "attributes that are a map": ({"attributes": {"a": "b"}}, Skipped.MALFORMED),
    "a number for a name": ({"name": 5}, Skipped.MALFORMED),
    "a time that is null": ({"startTimeUnixNano": None}, Skipped.MALFORMED),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_span_is_skipped_and_spoils_no_other(name, tmp_path):
    more, reason = BAD[name]
    path = tmp_path / "spans"
    for write in (written.document, written.lines, written.pretty):
        path.write_bytes(write([*spans(1), Told("chat", "c", BEGIN_NS, BEGIN_NS + 5, STREAM, more=more), *spans(1)]))
        assert [call if isinstance(call, Skipped) else call.model for call in told(path)] == [
            "gpt-4o",
            reason,
            "gpt-4o",
        ]


STRANGE = {
    "bytes": {"bytesValue": "aGk="},
    "a map": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}},
    "nothing": {},
    "a list of maps": {"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}},
    "an empty list": {"arrayValue": {}},
    "a number that is none": {"intValue": "many"},
    "not a number": {"doubleValue": "NaN"},
    "endless": {"doubleValue": "Infinity"},
    "a long number": {"intValue": "9" * 5000},
    "negative": {"intValue": "-4"},
    "true": {"boolValue": True},
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_value_that_says_no_number_says_nothing(name, tmp_path):
    held = [*written.pairs(PLAIN), {"key": "gen_ai.usage.output_tokens", "value": STRANGE[name]}]
    path = tmp_path / "spans"
    path.write_bytes(written.lines([Told("chat", "c", BEGIN_NS, BEGIN_NS + 5, {}, more={"attributes": held})]))
    (call,) = told(path)
    assert isinstance(call, Call)
    assert call.output_tokens is None


def test_times_as_floating_numbers(tmp_path):
    more = {"startTimeUnixNano": 1.76e18, "endTimeUnixNano": 1.760000001e18}
    path = tmp_path / "spans"
    path.write_bytes(written.lines([Told("chat", "c", 1, 1, STREAM, more=more)]))
    assert told(path)[0].duration_s == 1.0


def test_spans_around_the_same_call_count_once(tmp_path):
    sdk = Told(
        "chat", "chat gpt-4o", BEGIN_NS, BEGIN_NS + 10**9, STREAM, span="00000000000000b2", parent="00000000000000b1"
    )
    framework = Told("chat", "ChatOpenAI.chat", BEGIN_NS, BEGIN_NS + 2 * 10**9, STREAM, span="00000000000000b1")
    proxy = Told(
        "litellm", "chat", BEGIN_NS, BEGIN_NS + 9 * 10**8, STREAM, span="00000000000000b3", parent="00000000000000b2"
    )
    path = tmp_path / "spans"
    for write in (written.document, written.jaeger, written.message, written.tempo_2, written.flat):
        path.write_bytes(write([sdk, framework, proxy]))
        found = survey([path], 0, quiet)
        assert found.baseline.count == 2, write  # another service sees the call from elsewhere
        assert found.skipped == {Skipped.ENCLOSING: 1}


def test_spans_without_a_service_are_called_as_opentelemetry_has_it(tmp_path):
    path = tmp_path / "spans"
    for write in written.FORMATS.values():
        path.write_bytes(write([Told(None, "c", BEGIN_NS, BEGIN_NS + 10**6, PLAIN)]))
        assert [call.service for call in told(path)] == ["unknown_service"]


PICTURE = {**STREAM, "gen_ai.input.messages": 'a "picture" \\ ' * 300_000}


@pytest.mark.parametrize("write", [written.document, written.lines, written.message, written.jaeger, written.gzipped])
def test_a_span_of_megabytes_is_read(write, tmp_path):
    path = tmp_path / "spans"
    path.write_bytes(
        write([*spans(1), Told("chat", "c", BEGIN_NS, BEGIN_NS + 10**9, PICTURE, span="00000000000000c1")])
    )
    assert len(told(path)) == 2


def test_an_element_of_any_length_is_divided_between_spans():
    data = written.document(spans(200))
    for size in (1500, 5000, 100_000):
        runs = Runs(("resourceSpans",), size, 50_000)
        cut = [run for start in range(0, len(data), 700) for run in runs.feed(data[start : start + 700])]
        runs.end()
        read = [call for run in cut for call in reading.of_piece(packing.Piece("x", packing.Format.OTLP, run.data))]
        assert [call.service for call in read] == ["chat"] * 200
        assert all(data[run.at : run.at + 11] in (b'{"resource"', b'{"traceId":') for run in cut[:1])
        assert len(cut) > 10 or size == 100_000


def consumed(runs, data):
    for start in range(0, len(data), 100):
        list(runs.feed(data[start : start + 100]))


def test_an_element_that_cannot_be_divided_is_an_error_before_it_fills_the_memory():
    runs = Runs(("resourceSpans",), 1000, 4000)
    with pytest.raises(DocumentError, match="an element of its array is longer than 4000 bytes"):
        consumed(runs, b'{"resourceSpans":[{"a":"' + b"x" * 10_000)
    assert len(runs._held) < 4200


def test_a_resource_behind_its_spans_is_told(tmp_path):
    (group,) = written.groups(spans(3))
    group["resource"] = group.pop("resource")  # behind `scopeSpans`, as a map has no order
    path = tmp_path / "spans"
    path.write_bytes(written.compact({"resourceSpans": [group]}))
    assert [call.service for call in told(path)] == ["chat"] * 3
    runs = Runs(("resourceSpans",), 800, 10**6)
    with pytest.raises(DocumentError, match="stands behind them"):
        consumed(runs, path.read_bytes())


def test_quotes_and_backslashes_before_a_bracket():
    brackets = document.Brackets()
    text = json.dumps({'a\\"[': ['\\\\"{', "\\", '"', "]}"]}).encode()
    for start in range(len(text)):
        brackets.feed(text[start : start + 1])
    assert not brackets.is_open


def test_a_long_line_after_short_ones_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "PART_BYTES", 20_000)
    monkeypatch.setattr(files, "BLOCK_BYTES", 700)
    monkeypatch.setattr(packing, "SNIFFED_BYTES", 2000)
    path = tmp_path / "spans"
    path.write_bytes(written.lines(spans(3)) + written.document(spans(200)) + b"\n" + written.lines(spans(3)))
    pieces = list(files.pieces(path, quiet))
    assert len([call for piece in pieces for call in reading.of_piece(piece)]) == 206
    assert max(len(piece.data) for piece in pieces) < 25_000


def test_formats_of_a_folder_may_differ(tmp_path):
    for number, write in enumerate(written.FORMATS.values()):
        (tmp_path / f"{number:02}.bin").write_bytes(write(SPANS))
    assert len(list(reading.calls([tmp_path], quiet))) == len(written.FORMATS) * len(CALLS)
