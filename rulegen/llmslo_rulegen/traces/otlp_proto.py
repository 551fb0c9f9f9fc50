"""OTLP as protobuf: a TracesData, or a request, which has the same shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.naming import READ, SERVICE
from llmslo_rulegen.traces.otlp import UNKNOWN_SERVICE
from llmslo_rulegen.traces.span import Attribute, Event, Scalar, Span


def spans(message: bytes) -> Iterator[Span]:
    """Yield the spans of one message; raises DocumentError."""
    try:
        data = trace_pb2.TracesData.FromString(message)
    except DecodeError as error:
        msg = "it is no TracesData of OTLP"
        raise DocumentError(msg) from error
    for group in data.resource_spans:
        held = _attributes(group.resource.attributes)
        service = str(held.get(SERVICE) or UNKNOWN_SERVICE)
        for scope in group.scope_spans:
            schema = scope.schema_url or group.schema_url
            for span in scope.spans:
                yield Span(
                    service,
                    span.name,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _attributes(span.attributes),
                    span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    span.status.message,
                    [Event(event.time_unix_nano, event.name, _attributes(event.attributes)) for event in span.events],
                    scope.scope.name,
                    schema,
                    span.trace_id,
                    span.span_id,
                    span.parent_span_id,
                )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Attribute]:
    held: dict[str, Attribute] = {}
    for pair in pairs:
        if pair.key not in READ:
            continue
        if pair.value.WhichOneof("value") == "array_value":
            held[pair.key] = [found for item in pair.value.array_value.values if (found := _scalar(item)) is not None]
        elif (found := _scalar(pair.value)) is not None:
            held[pair.key] = found
    return held


def _scalar(value: AnyValue) -> Scalar | None:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "bool_value":
            return value.bool_value
    return None
