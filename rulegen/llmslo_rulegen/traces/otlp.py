"""OTLP as JSON: a request, a document, or a run of its parts.

opentelemetry-proto's JSON mapping: 64-bit integers as strings or numbers, enums by number or name, fields in
lowerCamelCase. Tempo answers in the same shape under other keys and with ids in base64; no id is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.traces.span import Attribute, Event, Scalar, Span

UNKNOWN_SERVICE = "unknown_service"  # the SDK specification's name for a resource that has none
ERROR_TEXTS = ("STATUS_CODE_ERROR", "ERROR", "Error", "2")
ERROR_CODES = frozenset({2, *ERROR_TEXTS})
SERVICE = "service.name"
_MAX_SECONDS = 1 << 63  # a time beyond what 64 bits hold is none
T = TypeVar("T")


class _Json(msgspec.Struct, gc=False, rename="camel"):
    """Shape of one JSON object. Members that are not named here are passed over."""


class _Array(_Json):
    values: list[_Value] | None = None


class _Value(_Json):
    string_value: str | None = None
    int_value: str | int | None = None
    double_value: float | str | None = None  # "NaN" and "Infinity" are strings
    bool_value: bool | None = None
    array_value: _Array | None = None


class _Pair(_Json):
    key: str = ""
    value: _Value | None = None


class _Event(_Json):
    time_unix_nano: str | int = 0
    name: str = ""
    attributes: list[_Pair] | None = None


class _Status(_Json):
    code: int | str | None = None
    message: str | None = None


class _Span(_Json):
    name: str = ""
    start_time_unix_nano: str | int = 0
    end_time_unix_nano: str | int = 0
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class _Scope(_Json):
    name: str | None = None


class _ScopeSpans(_Json, Generic[T]):
    scope: _Scope | None = None
    schema_url: str | None = None
    spans: list[T] | None = None


class _Resource(_Json):
    attributes: list[_Pair] | None = None


class _ResourceSpans(_Json, Generic[T]):
    resource: _Resource | None = None
    schema_url: str | None = None
    scope_spans: list[_ScopeSpans[T]] | None = None
    instrumentation_library_spans: list[_ScopeSpans[T]] | None = None  # until 2022


class _Group(_ResourceSpans[T], Generic[T]):
    """ResourceSpans, or a whole request (one a line, in a file) or Tempo's answer that holds some."""

    resource_spans: list[_ResourceSpans[T]] | None = None
    batches: list[_ResourceSpans[T]] | None = None


_strict = msgspec.json.Decoder(list[_Group[_Span]]).decode
_loose = msgspec.json.Decoder(list[_Group[msgspec.Raw]]).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_span = msgspec.json.Decoder(_Span).decode


def spans(array: bytes) -> Iterator[Span | Skipped]:
    """Yield the spans of a JSON array of ResourceSpans, or of requests; a span of another shape is `MALFORMED`.

    Raises msgspec.DecodeError where the array itself is none.
    """
    try:
        groups = _strict(array)
    except msgspec.ValidationError:
        yield from _each(array)
        return
    for group in _resources(groups):
        service, schema = _origin(group)
        for scope in _scopes(group):
            name = (scope.scope.name if scope.scope else None) or ""
            for span in scope.spans or ():
                yield _read(span, service, name, scope.schema_url or schema)


def flat(array: bytes) -> Iterator[Span | Skipped]:
    """Yield the spans of a JSON array of spans that name their service themselves, as an attribute.

    Raises msgspec.DecodeError where the array itself is none.
    """
    for raw in _raws(array):
        try:
            span = _span(raw)
        except msgspec.ValidationError:
            yield Skipped.MALFORMED
            continue
        read = _read(span, UNKNOWN_SERVICE, "", "")
        if isinstance(read, Span) and isinstance(service := read.attributes.get(SERVICE), str):
            yield msgspec.structs.replace(read, service=service)
        else:
            yield read


def _each(array: bytes) -> Iterator[Span | Skipped]:
    for group in _resources(_loose(array)):
        service, schema = _origin(group)
        for scope in _scopes(group):
            name = (scope.scope.name if scope.scope else None) or ""
            for raw in scope.spans or ():
                try:
                    span = _span(raw)
                except msgspec.ValidationError:
                    yield Skipped.MALFORMED
                    continue
                yield _read(span, service, name, scope.schema_url or schema)


def _resources(groups: list[_Group[T]]) -> Iterator[_ResourceSpans[T]]:
    for group in groups:
        yield from group.resource_spans or group.batches or (group,)


def _scopes(group: _ResourceSpans[T]) -> list[_ScopeSpans[T]]:
    return group.scope_spans or group.instrumentation_library_spans or []


def _origin(group: _ResourceSpans[T]) -> tuple[str, str]:
    held = _attributes(group.resource.attributes) if group.resource else {}
    return str(held.get(SERVICE) or UNKNOWN_SERVICE), group.schema_url or ""


def _read(span: _Span, service: str, scope: str, schema: str) -> Span | Skipped:
    start, end = _instant(span.start_time_unix_nano), _instant(span.end_time_unix_nano)
    if start is None or end is None:
        return Skipped.NO_TIME
    status = span.status
    return Span(
        service,
        span.name,
        start,
        end,
        _attributes(span.attributes),
        status is not None and status.code in ERROR_CODES,
        (status.message or "") if status is not None else "",
        [_event(event) for event in span.events] if span.events else (),
        scope,
        schema,
    )


def _event(event: _Event) -> Event:
    return Event(_instant(event.time_unix_nano) or 0, event.name, _attributes(event.attributes))


def _instant(value: str | int) -> int | None:
    try:
        found = int(value)
    except ValueError:
        return None
    return found if 0 <= found < _MAX_SECONDS else None


def _attributes(pairs: list[_Pair] | None) -> Mapping[str, Attribute]:
    held: dict[str, Attribute] = {}
    for pair in pairs or ():
        value = pair.value
        if value is None:
            continue
        if value.string_value is not None:
            held[pair.key] = value.string_value
        elif value.array_value is not None:
            held[pair.key] = [found for item in value.array_value.values or () if (found := _scalar(item)) is not None]
        elif (found := _scalar(value)) is not None:
            held[pair.key] = found
    return held


def _scalar(value: _Value) -> Scalar | None:
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    number = value.double_value if value.int_value is None else value.int_value
    if not isinstance(number, str):
        return number
    try:
        return float(number) if value.int_value is None else int(number)
    except ValueError:
        return None
