"""Jaeger's JSON, as its API and its page write it: microseconds, tags with a type, processes aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.traces.naming import READ
from llmslo_rulegen.traces.otlp import UNKNOWN_SERVICE
from llmslo_rulegen.traces.span import Attribute, Event, Span

_NS_PER_US = 1000
_CHILD = "CHILD_OF"
_MESSAGE = "otel.status_description"
_OWN = (_MESSAGE, "error", "event", "message", "otel.status_code", "otel.scope.name", "otel.library.name")
_READ = READ.union(_OWN)
_LATEST_US = (1 << 63) // _NS_PER_US


class _Tag(msgspec.Struct, gc=False):
    key: str
    value: str | int | float | bool | None = None


class _Log(msgspec.Struct, gc=False):
    timestamp: int = 0
    fields: list[_Tag] | None = None


class _Process(msgspec.Struct, gc=False, rename="camel"):
    service_name: str = UNKNOWN_SERVICE


class _Reference(msgspec.Struct, gc=False):
    kind: str = msgspec.field(name="refType", default="")
    span: str = msgspec.field(name="spanID", default="")


class _Span(msgspec.Struct, gc=False):
    start_time: int | str = msgspec.field(name="startTime")
    duration: int | str
    operation_name: str = msgspec.field(name="operationName", default="")
    trace: str = msgspec.field(name="traceID", default="")
    id: str = msgspec.field(name="spanID", default="")
    parent: str | None = msgspec.field(name="parentSpanID", default=None)
    references: list[_Reference] | None = None
    process_id: str | None = msgspec.field(name="processID", default=None)
    process: _Process | None = None  # where a span stands alone, as in Elasticsearch
    tags: list[_Tag] | None = None
    logs: list[_Log] | None = None


class _Trace(msgspec.Struct, gc=False):
    spans: list[msgspec.Raw]
    processes: dict[str, _Process] | None = None


_traces = msgspec.json.Decoder(list[_Trace]).decode
_span = msgspec.json.Decoder(_Span).decode


def spans(array: bytes) -> Iterator[Span | Skipped]:
    """Yield the spans of a JSON array of traces (`data` of an answer); raises msgspec.DecodeError where it is none."""
    for trace in _traces(array):
        processes = trace.processes or {}
        for raw in trace.spans:
            try:
                yield _read(_span(raw), processes)
            except msgspec.ValidationError:
                yield Skipped.MALFORMED


def _read(span: _Span, processes: Mapping[str, _Process]) -> Span | Skipped:
    try:
        start, duration = int(span.start_time), int(span.duration)
    except ValueError:
        return Skipped.NO_TIME
    if not (0 <= start <= _LATEST_US and 0 <= duration <= _LATEST_US - start):
        return Skipped.NO_TIME
    process = span.process or processes.get(span.process_id or "") or _Process()
    held = _attributes(span.tags)
    message = str(held.pop(_MESSAGE, ""))  # the status's own, not an attribute that tells more than an event
    return Span(
        process.service_name,
        span.operation_name,
        start * _NS_PER_US,
        (start + duration) * _NS_PER_US,
        held,
        held.get("error") in (True, "true") or held.get("otel.status_code") == "ERROR",
        message,
        [_event(log) for log in span.logs or ()],
        str(held.get("otel.scope.name") or held.get("otel.library.name") or ""),
        "",
        span.trace,
        span.id,
        span.parent or next((one.span for one in span.references or () if one.kind == _CHILD), ""),
    )


def _event(log: _Log) -> Event:
    held = _attributes(log.fields)
    return Event(log.timestamp * _NS_PER_US, str(held.get("event") or held.get("message") or ""), held)


def _attributes(tags: list[_Tag] | None) -> dict[str, Attribute]:
    return {tag.key: tag.value for tag in tags or () if tag.value is not None and tag.key in _READ}
