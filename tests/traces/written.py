"""The same spans written in every format that is read."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from llmslo_rulegen.traces.messages import zstd

Value = str | int | float | bool | Sequence[str]
US = 1000  # Jaeger knows no shorter time: instants are whole microseconds
BEGIN_NS = 1_760_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """What a span says, before a format writes it."""

    service: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    is_error: bool = False
    message: str = ""
    events: Sequence[tuple[int, str, Mapping[str, Value]]] = ()
    scope: str = "opentelemetry.instrumentation.openai_v2"
    trace: str = "5b8efff798038103d269b633813fc60c"
    span: str = "eee19b7ec3c1b174"
    parent: str = ""
    more: Mapping[str, object] = field(default_factory=dict)  # members of its JSON


def value(found: Value, *, is_text: bool = True) -> dict[str, object]:
    """A value of OTLP's JSON; 64-bit integers as text, as the specification has it, or as numbers."""
    if isinstance(found, bool):
        return {"boolValue": found}
    if isinstance(found, int):
        return {"intValue": str(found) if is_text else found}
    if isinstance(found, float):
        return {"doubleValue": found}
    if isinstance(found, str):
        return {"stringValue": found}
    return {"arrayValue": {"values": [value(item) for item in found]}}


def pairs(held: Mapping[str, Value], *, is_text: bool = True) -> list[dict[str, object]]:
    return [{"key": key, "value": value(found, is_text=is_text)} for key, found in held.items()]


def otlp_span(told: Told, *, is_plain: bool = False) -> dict[str, object]:
    """A span as JSON: as the specification has it, or plain, with numbers for text and names for numbers."""
    number = (lambda number: number) if is_plain else str
    identity = (lambda text: base64.b64encode(bytes.fromhex(text)).decode()) if is_plain else str
    return {
        "traceId": identity(told.trace),
        "spanId": identity(told.span),
        "parentSpanId": identity(told.parent),
        "name": told.name,
        "kind": "SPAN_KIND_CLIENT" if is_plain else 3,
        "startTimeUnixNano": number(told.start_ns),
        "endTimeUnixNano": number(told.end_ns),
        "attributes": pairs(told.attributes, is_text=not is_plain),
        "events": [
            {"timeUnixNano": number(at), "name": name, "attributes": pairs(held)} for at, name, held in told.events
        ],
        "status": {"code": "STATUS_CODE_ERROR" if is_plain else 2, "message": told.message} if told.is_error else {},
        **told.more,
    }


def groups(spans: Iterable[Told], *, is_plain: bool = False, scopes: str = "scopeSpans") -> list[dict[str, object]]:
    """ResourceSpans, one a service and scope."""
    found: dict[tuple[str | None, str], list[dict[str, object]]] = {}
    for told in spans:
        found.setdefault((told.service, told.scope), []).append(otlp_span(told, is_plain=is_plain))
    return [
        {
            "resource": {"attributes": pairs({"host.name": "a", **({"service.name": service} if service else {})})},
            scopes: [{"scope": {"name": scope, "version": "1"}, "spans": listed}],
        }
        for (service, scope), listed in found.items()
    ]


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def document(spans: Sequence[Told]) -> bytes:
    return compact({"resourceSpans": groups(spans)})


def pretty(spans: Sequence[Told]) -> bytes:
    return json.dumps({"resourceSpans": groups(spans, is_plain=True)}, indent=2).encode() + b"\n"


def lines(spans: Sequence[Told]) -> bytes:
    """As the file exporter writes them: a request a line."""
    return b"".join(compact({"resourceSpans": groups([told])}) + b"\n" for told in spans)


def lines_of_windows(spans: Sequence[Told]) -> bytes:
    """With a mark of UTF-8, CRLF, blank lines, and no end of the last line."""
    return b"\xef\xbb\xbf" + lines(spans).replace(b"\n", b"\r\n\r\n \t\r\n").rstrip()


def requests(spans: Sequence[Told]) -> bytes:
    """An array of requests."""
    return compact([{"resourceSpans": groups([told])} for told in spans])


def bare_groups(spans: Sequence[Told]) -> bytes:
    """An array of ResourceSpans."""
    return compact(groups(spans))


def documents(spans: Sequence[Told]) -> bytes:
    """Documents one after the other, over several lines each."""
    return b"".join(json.dumps({"resourceSpans": groups([told])}, indent=1).encode() + b"\n" for told in spans)


def before_2022(spans: Sequence[Told]) -> bytes:
    found = groups(spans, scopes="instrumentationLibrarySpans")
    text = compact({"resourceSpans": found})
    return text.replace(b'"scope":{"name"', b'"instrumentationLibrary":{"name"')


def tempo_1(spans: Sequence[Told]) -> bytes:
    return compact({"batches": groups(spans, is_plain=True)})


def tempo_2(spans: Sequence[Told]) -> bytes:
    return compact({"trace": {"resourceSpans": groups(spans, is_plain=True)}, "metrics": {"inspectedBytes": "1"}})


def tempo_answers(spans: Sequence[Told]) -> bytes:
    return b"".join(tempo_2([told]) + b"\n" for told in spans)


def flat(spans: Sequence[Told]) -> bytes:
    """The prior copilot's list: the service is an attribute of the span, times are numbers, the status is a name."""
    found = []
    for told in spans:
        held = {**told.attributes, **({"service.name": told.service} if told.service else {})}
        span = otlp_span(
            Told(None, told.name, told.start_ns, told.end_ns, held, message=told.message, parent=told.parent)
        )
        span |= {"traceId": told.trace, "spanId": told.span, "parentSpanId": told.parent or None}
        span |= {"startTimeUnixNano": told.start_ns, "endTimeUnixNano": told.end_ns}
        span["status"] = {"code": "ERROR" if told.is_error else "OK", "message": told.message}
        span["events"] = otlp_span(told)["events"]
        found.append(span)
    return json.dumps(found, indent=1).encode()


def jaeger(spans: Sequence[Told], *, is_ui: bool = False) -> bytes:
    """As the API answers: a trace a service; with `is_ui` as the page's download has it, in several lines."""
    traces: dict[str, list[dict[str, object]]] = {}
    services = list(dict.fromkeys(told.service for told in spans))
    for told in spans:
        process = f"p{services.index(told.service) + 1}"
        references = [{"refType": "CHILD_OF", "traceID": told.trace, "spanID": told.parent}] if told.parent else []
        tags = [*map(_tag, told.attributes.items()), {"key": "otel.scope.name", "type": "string", "value": told.scope}]
        if told.is_error:
            tags += [_tag(("error", True)), _tag(("otel.status_code", "ERROR"))]
            tags += [_tag(("otel.status_description", told.message))] if told.message else []
        logs = [
            {"timestamp": at // US, "fields": [_tag(("event", name)), *map(_tag, held.items())]}
            for at, name, held in told.events
        ]
        traces.setdefault(told.trace, []).append(
            {
                "traceID": told.trace,
                "spanID": told.span,
                "operationName": told.name,
                "references": references,
                "startTime": told.start_ns // US,
                "duration": (told.end_ns - told.start_ns) // US,
                "tags": tags,
                "logs": logs,
                "processID": process,
                "warnings": None,
            }
        )
    processes = {
        f"p{number}": {"serviceName": service or "unknown_service", "tags": []}
        for number, service in enumerate(services, 1)
    }
    data = [{"traceID": name, "spans": found, "processes": processes} for name, found in traces.items()]
    text = {"data": data, "total": 0, "limit": 0, "offset": 0, "errors": None}
    return json.dumps(text, indent=4).encode() if is_ui else compact(text)


def _tag(pair: tuple[str, Value]) -> dict[str, object]:
    key, found = pair
    if isinstance(found, bool):
        return {"key": key, "type": "bool", "value": found}
    if isinstance(found, int | float):
        return {"key": key, "type": "int64" if isinstance(found, int) else "float64", "value": found}
    return {"key": key, "type": "string", "value": found if isinstance(found, str) else json.dumps(found)}


def message(spans: Sequence[Told]) -> bytes:
    """One message of protobuf."""
    data = trace_pb2.TracesData()
    for told in spans:
        group = data.resource_spans.add()
        if told.service:
            group.resource.attributes.append(_pair(("service.name", told.service)))
        scope = group.scope_spans.add()
        scope.scope.name = told.scope
        span = scope.spans.add(
            trace_id=bytes.fromhex(told.trace),
            span_id=bytes.fromhex(told.span),
            parent_span_id=bytes.fromhex(told.parent),
            name=told.name,
            kind=trace_pb2.Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=told.start_ns,
            end_time_unix_nano=told.end_ns,
            attributes=map(_pair, told.attributes.items()),
        )
        for at, name, held in told.events:
            span.events.add(time_unix_nano=at, name=name, attributes=map(_pair, held.items()))
        if told.is_error:
            span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
            span.status.message = told.message
    return data.SerializeToString()


def _pair(pair: tuple[str, Value]) -> KeyValue:
    return KeyValue(key=pair[0], value=_any(pair[1]))


def _any(found: Value) -> AnyValue:
    if isinstance(found, bool):
        return AnyValue(bool_value=found)
    if isinstance(found, int):
        return AnyValue(int_value=found)
    if isinstance(found, float):
        return AnyValue(double_value=found)
    if isinstance(found, str):
        return AnyValue(string_value=found)
    return AnyValue(array_value=ArrayValue(values=map(_any, found)))


def framed(spans: Sequence[Told]) -> bytes:
    """As the file exporter writes protobuf: the length, big endian, and the message."""
    return b"".join(_frame(message([told])) for told in spans)


def framed_zstd(spans: Sequence[Told]) -> bytes:
    """As the file exporter writes with `compression: zstd`: each message by itself."""
    return b"".join(_frame(zstd.compress(message([told]))) for told in spans)


def framed_json_zstd(spans: Sequence[Told]) -> bytes:
    return b"".join(_frame(zstd.compress(compact({"resourceSpans": groups([told])}))) for told in spans)


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def gzipped(spans: Sequence[Told]) -> bytes:
    """Several members, one of them empty, as `cat a.gz b.gz` makes."""
    text = lines(spans)
    half = len(text) // 2
    return gzip.compress(text[:half]) + gzip.compress(b"") + gzip.compress(text[half:])


def zstandard(spans: Sequence[Told]) -> bytes:
    text = document(spans)
    half = len(text) // 2
    return zstd.compress(text[:half]) + zstd.compress(text[half:])


JSON: Mapping[str, Callable[[Sequence[Told]], bytes]] = {
    "one document": document,
    "a pretty document, numbers and names": pretty,
    "lines": lines,
    "lines of Windows": lines_of_windows,
    "an array of requests": requests,
    "an array of ResourceSpans": bare_groups,
    "several pretty documents": documents,
    "instrumentationLibrarySpans": before_2022,
    "Tempo's API, version 1": tempo_1,
    "Tempo's API, version 2": tempo_2,
    "Tempo's answers, one a line": tempo_answers,
    "Jaeger's API": jaeger,
    "Jaeger's page": lambda spans: jaeger(spans, is_ui=True),
}
FORMATS: Mapping[str, Callable[[Sequence[Told]], bytes]] = {
    **JSON,
    "the prior copilot's list": flat,
    "protobuf": message,
    "protobuf with lengths": framed,
    "protobuf with lengths and zstd": framed_zstd,
    "JSON with lengths and zstd": framed_json_zstd,
    "gzip of several members": gzipped,
    "zstd of several frames": zstandard,
}
