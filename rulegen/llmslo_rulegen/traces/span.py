"""A span as every format holds it: what the readers agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

Scalar = str | int | float | bool
Attribute = Scalar | Sequence[Scalar]


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something within a span; nanoseconds since the epoch."""

    time_ns: int
    name: str
    attributes: Mapping[str, Attribute]


class Span(msgspec.Struct, frozen=True, gc=False):
    """One span; `service` is its resource's `service.name`.

    `is_error` and `message` are its status. Instants in nanoseconds since the epoch; the format says which unit a
    number was in, never its size.
    """

    service: str
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Attribute]
    is_error: bool = False
    message: str = ""
    events: Sequence[Event] = ()
    scope: str = ""  # the instrumentation
    schema: str = ""  # schema URL of scope or resource
    trace: str | bytes = ""  # ids as the format writes them: they are only compared
    id: str | bytes = ""
    parent: str | bytes = ""
