"""The readers of traces and of saved baselines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import saved
from llmslo_rulegen.baseline.survey import of_calls
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.traces import packing, reading
from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.traces.document import DocumentError
from tests.traces import cut, written
from tests.traces.written import BEGIN_NS, Told

SOURCES = frozenset(source.name for source in catalog.SOURCES)
MOST_BYTES = 2048
HELD = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.request.stream": True,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.output_tokens": 41,
    "gen_ai.response.finish_reasons": ["stop"],
}
EVENT = (BEGIN_NS + 5, "exception", {"exception.type": "RateLimitError"})
SPANS = (
    Told("s", "c", BEGIN_NS, BEGIN_NS + 10**9, HELD, span="00000000000000a1", parent="00000000000000a2"),
    Told(None, "c", BEGIN_NS, BEGIN_NS + 10**9, {"gen_ai.system": "x"}, is_error=True, events=[EVENT]),
)


def traces(data: bytes) -> None:
    """Whatever the read sizes, the same calls come out, and none that cannot be."""
    at, text = len(data) * data[0] // 256 if data else 0, data[1:]
    try:
        found = packing.sniff(text)
    except packing.UnknownFormatError:
        return
    text = text.removeprefix(b"\xef\xbb\xbf")
    whole, parts = _calls(text, found, ()), _calls(text, found, (min(at, len(text)),))
    if whole != parts:
        msg = "the cut changed what was read"
        raise AssertionError(msg)


def _calls(text: bytes, found: packing.Format, cuts: tuple[int, ...]) -> Counter[str] | None:
    try:
        calls = [call for piece in cut.pieces(text, found, cuts) for call in reading.of_piece(piece)]
    except (DocumentError, RulegenError):
        return None
    for call in calls:
        if isinstance(call, Call):
            _check(call)
    of_calls(calls)
    return Counter(map(repr, calls))


def _check(call: Call) -> None:
    numbers = (call.duration_s, call.ttft_s, call.tpot_s, call.input_tokens, call.output_tokens)
    is_sound = all(number is None or (math.isfinite(number) and number >= 0) for number in numbers)
    if not is_sound or call.source not in SOURCES or call.error == "ok" or len(call.finish) > 40:
        msg = f"no call is so: {call}"
        raise AssertionError(msg)


def trace_seeds() -> Iterable[bytes]:
    """Yield the same spans in every format that is not packed."""
    for name, write in written.FORMATS.items():
        if "of several" not in name:
            yield b"\x80" + write(SPANS)


def baseline(data: bytes) -> None:
    """What is read is saved as it was."""
    try:
        found = saved.read(data.split(b"\n"))
    except saved.SavedError:
        return
    if saved.read(saved.lines(found)) != found:
        msg = "a baseline changed as it was saved"
        raise AssertionError(msg)


def baseline_seeds() -> Iterable[bytes]:
    """Yield a baseline, and the like of it."""
    calls = [Call("otel-genai-b", *"abcd", stream=True, start_ns=n, duration_s=n / 7, finish="stop") for n in range(9)]
    lines = list(saved.lines(of_calls(calls).baseline))
    yield b"\n".join(lines)
    yield b"\n".join((*lines, lines[-1]))


WORDS = (
    *(
        b'"resourceSpans":[',
        b'"scopeSpans":[',
        b'"spans":[',
        b'"batches":[',
        b'"data":[',
        b'"trace":{',
        b'"attributes":[',
    ),
    *(b'"intValue":', b'"stringValue":', b'"startTimeUnixNano":', b"]}", b"},{", b'\\"', b"\\\\", b"\n", b"\r\n"),
)
BASELINE_WORDS = (b'"outcomes":{', b'"spreads":{', b'"duration_seconds":[[', b"]]", b'"hour":', b"\n")
