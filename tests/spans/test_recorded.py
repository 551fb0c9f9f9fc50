"""The recorded spans are what their README says, and hold no content."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from llmslo_rulegen.traces import files, readers
from llmslo_rulegen.traces.call import Call
from tests.spans.services import SERVICES, WORDS

DATA = Path(__file__).parents[1] / "data" / "spans"
RECORDED = sorted(DATA.glob("*.jsonl.gz"))
MOST_BYTES = 1 << 20
MOST_TEXT = 120  # characters; an error's message is longer than any name
# What a span or event may carry: names, sizes, times. Nothing that holds what was said.
ATTRIBUTES = {
    "deployment.environment.name",
    "error.type",
    "exception.escaped",
    "exception.message",
    "exception.type",
    "gen_ai.is_streaming",
    "gen_ai.openai.api_base",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.max_tokens",
    "gen_ai.request.model",
    "gen_ai.request.stream",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.total_tokens",
    "openai.response.system_fingerprint",
    "server.address",
    "server.port",
    "service.instance.id",
    "service.name",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
}
pytestmark = pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)


def test_no_word_of_a_prompt_is_in_the_file(path):
    text = gzip.decompress(path.read_bytes()).decode().lower()
    assert [word for word in WORDS if word in text] == []


def test_every_attribute_is_one_that_holds_no_content(path):
    found = Counter()
    for name, value in attributes(path):
        found[name] += 1
        assert len(json.dumps(value)) <= MOST_TEXT or name == "exception.message", (name, value)
    assert found.keys() <= ATTRIBUTES


def test_the_file_is_small(path):
    assert path.stat().st_size <= MOST_BYTES


def test_every_service_was_recorded_with_what_only_its_instrumentation_tells(path):
    read = [call for piece in files.pieces(path, lambda *_: None) for call in readers.calls(piece.format, piece.data)]
    calls = [call for call in read if isinstance(call, Call)]
    assert len(calls) == len(read)
    by_service = {service.name: [call for call in calls if call.service == service.name] for service in SERVICES}
    for service in SERVICES:
        found = by_service[service.name]
        fine = [call for call in found if not call.error]
        assert len(fine) > 10
        assert all(call.stream == service.stream for call in fine)
        assert all(call.output_tokens for call in fine if call.finish)  # who left a stream has neither
        assert all((call.ttft_s is not None) == service.stream for call in fine)
    assert {call.error for call in calls} > {""}


def attributes(path):
    for line in gzip.decompress(path.read_bytes()).splitlines():
        for group in json.loads(line)["resourceSpans"]:
            yield from pairs(group["resource"])
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    yield from pairs(span)
                    for event in span.get("events", ()):
                        yield from pairs(event)


def pairs(held):
    for pair in held.get("attributes", ()):
        yield pair["key"], pair["value"]
