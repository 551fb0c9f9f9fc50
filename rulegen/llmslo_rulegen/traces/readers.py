"""Which reader is for which format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from llmslo_rulegen.traces import genai, jaeger, otlp
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.packing import Format
from llmslo_rulegen.traces.span import Span


def calls(found: Format, data: bytes) -> Sequence[Call | Skipped]:
    """Return what each span of a piece tells, in order; raises DocumentError where the piece is not of its format.

    A call whose span is the parent of another call's span of the same service is skipped: a framework's span encloses
    the one that the provider's SDK made of the same call. Both are looked for within the piece.
    """
    told: list[Call | Skipped] = []
    places: dict[tuple[str | bytes, str | bytes], int] = {}
    inner: list[tuple[str, tuple[str | bytes, str | bytes]]] = []  # a call's service, and the span that it is within
    try:
        for span in _spans(found, data):
            if isinstance(span, Skipped):
                told.append(span)
                continue
            call = genai.read(span)
            if isinstance(call, Call) and span.id:
                places[span.trace, span.id] = len(told)
                if span.parent and span.parent != span.id:
                    inner.append((call.service, (span.trace, span.parent)))
            told.append(call)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"it is no {found.value}: {error}"
        raise DocumentError(msg) from error
    except RecursionError as error:
        msg = f"it is no {found.value}: its values are nested too deeply"
        raise DocumentError(msg) from error
    for service, outer in inner:
        place = places.get(outer)
        if place is not None and isinstance(call := told[place], Call) and call.service == service:
            told[place] = Skipped.ENCLOSING
    return told


def _spans(found: Format, data: bytes) -> Iterator[Span | Skipped]:
    if found is Format.OTLP:
        return otlp.spans(data)
    if found is Format.JAEGER:
        return jaeger.spans(data)
    if found is Format.FLAT:
        return otlp.flat(data)
    from llmslo_rulegen.traces import otlp_proto  # noqa: PLC0415 - protobuf costs every start that does not need it

    return otlp_proto.spans(data)
