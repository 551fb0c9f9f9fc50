"""OTLP as JSON: a request, a document, or a run of its parts.

opentelemetry-proto's JSON mapping: 64-bit integers as strings or numbers, enums by number or name, fields in
lowerCamelCase. Tempo answers in the same shape under other keys and with ids in base64; ids are only compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from llmslo_rulegen.traces.call import Skipped
from llmslo_rulegen.traces.naming import READ, SERVICE
from llmslo_rulegen.traces.span import Attribute, Event, Scalar, Span

UNKNOWN_SERVICE = "unknown_service"  # the SDK specification's name for a resource that has none
ERROR_TEXTS = ("STATUS_CODE_ERROR", "ERROR", "Error", "2")
_ERRORS = frozenset({2, *ERROR_TEXTS})
_MAX_NS = 1 << 63  # a time beyond what 64 bits hold is none


class _Json(msgspec.Struct, gc=False, rename="camel"):
    """Shape of one JSON object. Members that are not named here are passed over."""


class _Array(_Json):
    values: list[_Value] | None = None


class _Value(_Json):
    string_value: str | None = None
    int_value: str | int | float | None = None  # jq writes large ones as 1.7e+18
    double_value: float | str | None = None  # "NaN" and "Infinity" are strings
    bool_value: bool | None = None
    array_value: _Array | None = None


class _Pair(_Json):
    key: str = ""
    value: _Value | None = None


class _Event(_Json):
    time_unix_nano: str | int | float = 0
    name: str = ""
    attributes: list[_Pair] | None = None


class _Status(_Json):
    code: int | str | None = None
    message: str | None = None


class _Span(_Json):
    name: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    start_time_unix_nano: str | int | float = 0
    end_time_unix_nano: str | int | float = 0
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class _Scope(_Json):
    name: str | None = None


class _ScopeSpans(_Json):
    scope: _Scope | None = None
    instrumentation_library: _Scope | None = None  # until 2022
    schema_url: str | None = None
    # Decoded one by one: a span of another shape spoils no other, and what is read stays in the processor's cache.
    spans: list[msgspec.Raw] | None = None


class _Resource(_Json):
    attributes: list[_Pair] | None = None


class _ResourceSpans(_Json):
    resource: _Resource | None = None
    schema_url: str | None = None
    scope_spans: list[_ScopeSpans] | None = None
    instrumentation_library_spans: list[_ScopeSpans] | None = None  # until 2022


class _Group(_ResourceSpans):
    """ResourceSpans, or a whole request (one a line, in a file) or Tempo's answer that holds some."""

    resource_spans: list[_ResourceSpans] | None = None
    batches: list[_ResourceSpans] | None = None
    trace: _Group | None = None  # around either, in Tempo's answers of version 2


_groups = msgspec.json.Decoder(list[_Group]).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_span = msgspec.json.Decoder(_Span).decode


def spans(array: bytes) -> Iterator[Span | Skipped]:
    """Yield the spans of a JSON array of ResourceSpans, or of requests; a span of another shape is `MALFORMED`.

    Raises msgspec.DecodeError where the array itself is none.
    """
    for group in _resources(_groups(array)):
        service, schema = _origin(group)
        for scope in group.scope_spans or group.instrumentation_library_spans or ():
            origin = scope.scope or scope.instrumentation_library
            name = (origin.name if origin else None) or ""
            for raw in scope.spans or ():
                try:
                    span = _span(raw)
                except msgspec.ValidationError:
                    yield Skipped.MALFORMED
                else:
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


def _resources(groups: list[_Group]) -> Iterator[_ResourceSpans]:
    for answer in groups:
        group = answer.trace or answer
        yield from group.resource_spans or group.batches or (group,)


def _origin(group: _ResourceSpans) -> tuple[str, str]:
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
        status is not None and status.code in _ERRORS,
        (status.message or "") if status is not None else "",
        [_event(event) for event in span.events] if span.events else (),
        scope,
        schema,
        span.trace_id,
        span.span_id,
        span.parent_span_id or "",
    )


def _event(event: _Event) -> Event:
    return Event(_instant(event.time_unix_nano) or 0, event.name, _attributes(event.attributes))


def _instant(value: str | float) -> int | None:
    try:
        found = int(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < _MAX_NS else None


def _attributes(pairs: list[_Pair] | None) -> Mapping[str, Attribute]:
    held: dict[str, Attribute] = {}
    for pair in pairs or ():
        value = pair.value
        if value is None or pair.key not in READ:
            continue
        found: Attribute | None = value.string_value
        if found is None:
            found = _scalar(value) if value.array_value is None else _scalars(value.array_value)
        if found is not None:
            held[pair.key] = found
    return held


def _scalars(array: _Array) -> Sequence[Scalar]:
    return [found for item in array.values or () if (found := _scalar(item)) is not None]


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
