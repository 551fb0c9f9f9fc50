"""Every format, cut anywhere, tells the same calls."""

import gzip
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.baseline import saved
from llmslo_rulegen.baseline.survey import of_calls, survey
from llmslo_rulegen.traces import files, messages, packing, ranges, reading
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.messages import zstd
from tests.traces import cut, written
from tests.traces.written import BEGIN_NS, FORMATS, US, Told

STREAM = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.stream": True,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 41,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.input.messages": '[{"role":"user","parts":["a \\"quote\\", a \\\\ and {brackets] of U+2028 \u2028"]}]',
}
PLAIN = {"gen_ai.operation.name": "embeddings", "gen_ai.system": "openai", "gen_ai.request.model": "small"}
FAILED = (BEGIN_NS + 1_000_000_000, "exception", {"exception.type": "openai.RateLimitError"})
SPANS = (
    Told("chat", "chat gpt-4o", BEGIN_NS, BEGIN_NS + 2_250_000_000, STREAM, span="00000000000000a1"),
    Told("search", "embeddings small", BEGIN_NS, BEGIN_NS + 30_000_000, PLAIN, span="00000000000000a2"),
    Told(
        *(None, "chat gpt-4o", BEGIN_NS, BEGIN_NS + 5_000_000, PLAIN),
        is_error=True,
        message="429",
        events=[FAILED],
        span="00000000000000a3",
    ),
    Told("chat", "GET /", BEGIN_NS, BEGIN_NS + 9_000, {"http.request.method": "GET"}, span="00000000000000a4"),
)
CALLS = [
    Call(
        *("otel-genai-b", "chat", "chat", "openai", "gpt-4o"),
        stream=True,
        start_ns=BEGIN_NS,
        duration_s=2.25,
        ttft_s=0.25,
        tpot_s=0.05,
        input_tokens=1200,
        output_tokens=41,
        finish="stop",
    ),
    Call(
        *("otel-genai-a", "search", "embeddings", "openai", "small"), stream=False, start_ns=BEGIN_NS, duration_s=0.03
    ),
    Call(
        *("otel-genai-a", "unknown_service", "embeddings", "openai", "small"),
        stream=False,
        start_ns=BEGIN_NS,
        duration_s=0.005,
        error="rate_limited",
    ),
    Skipped.NOT_LLM,
]
EACH = pytest.mark.parametrize("write", [pytest.param(write, id=name) for name, write in FORMATS.items()])


def quiet(name, count):
    """Tell nobody."""


def told(path):
    return list(reading.calls([path], quiet))


def in_any_order(found):
    return Counter(map(repr, found))


@EACH
def test_a_format_tells_every_call(write, tmp_path):
    path = tmp_path / "spans"
    path.write_bytes(write(SPANS))
    assert in_any_order(told(path)) == in_any_order(CALLS)


UNZIPPED = pytest.mark.parametrize(
    "write", [pytest.param(write, id=name) for name, write in FORMATS.items() if " of several " not in name]
)


@UNZIPPED
def test_calls_do_not_depend_on_read_sizes(write):
    data = write(SPANS[::3]).removeprefix(b"\xef\xbb\xbf")
    expected = in_any_order(CALLS[::3])
    found = packing.sniff(data)
    for at in range(len(data) + 1):
        calls = [call for piece in cut.pieces(data, found, (at,)) for call in reading.of_piece(piece)]
        assert in_any_order(calls) == expected, at
    every = [call for piece in cut.pieces(data, found, range(1, len(data))) for call in reading.of_piece(piece)]
    assert in_any_order(every) == expected


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_bytes_do_not_depend_on_read_sizes(pack):
    members = (pack(b"first "), pack(b""), pack(b"second" * 50))
    data = b"".join(members)
    for at in range(4, len(data) + 1):  # the first read of a file is never so short
        assert b"".join(files._plain(iter([data[:at], data[at:]]))) == b"first " + b"second" * 50
    ends = {len(members[0]), len(members[0] + members[1])}
    for end in set(range(4, len(data))) - ends:
        with pytest.raises((EOFError, zstd.ZstdError)):
            list(files._plain(iter([data[:end]])))


@pytest.mark.parametrize("write", [written.message, written.framed, written.framed_zstd])
def test_a_message_that_is_cut_short_is_an_error(write):
    data = write(SPANS)
    whole = {len(data), 0}
    if write is written.message:  # fields of a message are messages by themselves
        whole |= {len(written.message(SPANS[:count])) for count in range(1, len(SPANS))}
    else:
        whole |= {len(write(SPANS[:count])) for count in range(1, len(SPANS))}
    for end in range(8, len(data)):
        if end not in whole:
            with pytest.raises(packing.DocumentError):
                list(messages.cut(iter([data[:end]])))


def test_a_document_that_is_cut_short_is_an_error(tmp_path):
    data = written.document(SPANS)
    path = tmp_path / "spans.json"
    for end in range(40, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(files.TraceFileError):
            told(path)


WORDS = st.sampled_from(["gpt-4o", "claude", "", "a/b:c", 'x"y', "ü\\", "\u2028{["])
NUMBERS = st.integers(0, 200_000)


@st.composite
def spans(draw):
    """Spans of all kinds, in whole microseconds: Jaeger knows no others."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        start = BEGIN_NS + draw(st.integers(0, 10**10)) * US
        held = {"gen_ai.operation.name": draw(st.sampled_from(["chat", "embeddings", "execute_tool", "own"]))}
        held |= {"gen_ai.provider.name": draw(WORDS), "gen_ai.request.model": draw(WORDS)}
        if draw(st.booleans()):
            held |= {"gen_ai.usage.input_tokens": draw(NUMBERS), "gen_ai.usage.output_tokens": draw(NUMBERS)}
        if draw(st.booleans()):
            first = draw(st.integers(0, 5_000_000)) / 1_000_000
            held |= {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": first}
            held["gen_ai.response.finish_reasons"] = draw(st.sampled_from([["stop"], ["length", "stop"], []]))
        is_error = draw(st.booleans())
        events = [(start + US, "exception", {"exception.type": "x.RateLimitError"})] if is_error else []
        end = start + draw(st.integers(0, 10**7)) * US
        service = draw(st.sampled_from(["chat", "search", None]))
        message = draw(st.sampled_from(["", "DEADLINE_EXCEEDED", 'a "b"'])) if is_error else ""
        held |= {"gen_ai.response.id": "r"} if draw(st.booleans()) else {}
        found.append(Told(service, "x", start, end, held, is_error, message, events, span=f"{number + 1:016x}"))
    return found


@given(spans())
@settings(deadline=None, max_examples=60)
def test_the_same_spans_give_the_same_baseline_in_every_format(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("formats") / "spans"
    baselines = {}
    for name, write in FORMATS.items():
        path.write_bytes(write(found))
        summed = survey([path], 0, quiet)
        baselines[name] = (list(saved.lines(summed.baseline)), summed.skipped)
    expected = baselines["one document"]
    assert [name for name, baseline in baselines.items() if baseline != expected] == []


@pytest.fixture
def small_ranges(monkeypatch):
    """Ranges of a few spans, so that files of a test have many."""
    for name, size in (("RANGE_BYTES", 5000), ("FEWEST_BYTES", 1), ("_WINDOW_BYTES", 900), ("_MOST_BYTES", 20_000)):
        monkeypatch.setattr(ranges, name, size)


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("write", [written.lines, written.lines_of_windows, written.document, written.pretty])
def test_ranges_hold_every_span_once(write, tmp_path):
    path = tmp_path / "spans"
    groups = [Told(f"s{number % 60}", *_named(SPANS[number % 4]), span=f"{number + 1:016x}") for number in range(300)]
    path.write_bytes(write(groups))
    found = ranges.ranges(path)
    if write is not written.lines_of_windows:  # its mark of UTF-8 is no line's
        assert len(found) > 3
    assert [one.begin for one in found[1:]] == [one.end for one in found[:-1]]
    assert survey([path], 2, quiet) == survey([path], 0, quiet)


def _named(told):
    return told.name, told.start_ns, told.end_ns, told.attributes


@pytest.mark.usefixtures("small_ranges")
def test_a_document_with_such_keys_elsewhere_is_read_whole(tmp_path):
    """What seems to be an element's beginning is none: the ranges are no lists, so they do not count."""
    path = tmp_path / "spans"
    groups = written.groups([Told("a", *_named(SPANS[0]), span=f"{number + 1:016x}") for number in range(4)])
    more = {"notes": [{"resource": {"attributes": []}} for _ in range(50)]}
    path.write_bytes(written.compact({"resourceSpans": [{**group, **more} for group in groups * 200]}))
    assert len(ranges.ranges(path)) > 3
    found = survey([path], 2, quiet)
    assert found == survey([path], 0, quiet)
    assert found.spans == 800


@pytest.mark.usefixtures("small_ranges")
def test_an_error_in_a_range_is_told_with_its_line(tmp_path):
    path = tmp_path / "spans"
    text = written.lines(SPANS * 20)
    path.write_bytes(text + b"oops\n" + text)
    with pytest.raises(files.TraceFileError, match="line 81: it is no OTLP JSON: JSON is malformed"):
        survey([path], 2, quiet)
    path.write_bytes(written.document(SPANS * 40)[:-1])
    with pytest.raises(files.TraceFileError, match="it ends in the middle"):
        survey([path], 2, quiet)


def test_processes_find_what_one_finds(tmp_path):
    paths = []
    for number, write in enumerate((written.lines, written.document, written.gzipped, written.framed)):
        path = tmp_path / f"{number}.spans"
        path.write_bytes(write(SPANS * 5))
        paths.append(path)
    alone, together = survey(paths, 0, quiet), survey(paths, 2, quiet)
    assert alone == together
    assert alone.spans == 4 * 5 * len(SPANS)
    assert alone == of_calls(reading.calls(paths, quiet))


def test_a_rotation_is_read_from_its_folder(tmp_path):
    (tmp_path / "traces-2026-11-22T10-00-00.000.json").write_bytes(written.lines(SPANS[:1]))
    (tmp_path / "traces-2026-11-22T11-00-00.000.json.gz").write_bytes(gzip.compress(written.lines(SPANS[1:2])))
    (tmp_path / "traces.json").write_bytes(written.lines(SPANS[2:]))
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / ".traces.json.swp").write_bytes(b"an editor's")
    assert list(reading.calls([tmp_path], quiet)) == CALLS
    assert list(reading.calls([tmp_path, tmp_path / "traces.json"], quiet)) == CALLS
    assert [path.name for path in files.listing([tmp_path]).left_out] == ["README.md"]


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("a.json", True),
        ("a.JSONL", True),
        ("a.ndjson.gz", True),
        ("a.pb.zst", True),
        ("a.json.1", True),
        ("a.json-20261122.gz", True),
        ("a-2026-11-22T10-00-00.000.json", True),
        ("README.md", False),
        ("a.json.md", False),
        ("json", False),
        ("a.tar.gz", False),
    ],
)
def test_a_folder_is_read_by_names(tmp_path, name, is_read):
    path = tmp_path / name
    path.write_bytes(written.lines(SPANS))
    assert files.listed([path]) == (path,)
    if is_read:
        assert files.listed([tmp_path]) == (path,)
    else:
        with pytest.raises(files.TraceFileError, match="no file of this folder has a name of traces"):
            files.listed([tmp_path])
