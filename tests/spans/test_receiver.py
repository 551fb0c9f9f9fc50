"""The receiver writes what it is sent as OTLP JSON, one request a line, and nothing of the machine."""

from __future__ import annotations

import gzip
import json
import urllib.request

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from llmslo_rulegen.traces import readers
from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.traces.packing import Format
from tests.spans.receiver import line, receiving


def pair(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


def request():
    span = Span(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        name="chat m",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=(1 << 60) + 1,  # more than a JSON number holds
        end_time_unix_nano=(1 << 60) + 2,
        attributes=[pair("gen_ai.operation.name", string_value="chat"), pair("gen_ai.usage.input_tokens", int_value=3)],
        status=Status(code=Status.STATUS_CODE_ERROR, message="gone"),
        events=[
            Span.Event(
                name="exception",
                attributes=[
                    pair("exception.type", string_value="X"),
                    pair("exception.stacktrace", string_value="File"),
                ],
            )
        ],
    )
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])


def test_a_line_has_ids_in_hex_and_numbers_as_otlp_writes_them():
    (group,) = json.loads(line(request()))["resourceSpans"]
    (span,) = group["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["spanId"]) == (bytes(range(16)).hex(), bytes(range(8)).hex())
    assert (span["kind"], span["status"]["code"], span["startTimeUnixNano"]) == (3, 2, str((1 << 60) + 1))


def test_stack_traces_are_taken_out():
    assert "stacktrace" not in line(request())
    assert "exception.type" in line(request())


def test_a_line_reads_as_the_protobuf_does():
    from_json = list(readers.calls(Format.OTLP, f"[{line(request())}]".encode()))
    assert from_json == list(readers.calls(Format.OTLP_PROTO, request().SerializeToString()))
    assert isinstance(from_json[0], Call)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_is_posted_is_a_line_each(tmp_path, encoding):
    path = tmp_path / "spans.jsonl"
    body = request().SerializeToString()
    with receiving(path) as address:
        for _ in range(2):
            sent = urllib.request.Request(  # noqa: S310 -- a loopback address of our own
                f"{address}/v1/traces",
                gzip.compress(body) if encoding == "gzip" else body,
                {"Content-Type": "application/x-protobuf", "Content-Encoding": encoding},
            )
            with urllib.request.urlopen(sent, timeout=10) as answer:  # noqa: S310 -- as above
                assert answer.status == 200
    assert path.read_text() == line(request()) * 2
