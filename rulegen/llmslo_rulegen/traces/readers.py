"""Which reader is for which format."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from llmslo_rulegen.traces import genai, jaeger, otlp
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.traces.document import DocumentError
from llmslo_rulegen.traces.packing import Format
from llmslo_rulegen.traces.span import Span


def calls(found: Format, data: bytes) -> Iterator[Call | Skipped]:
    """Yield what each span of a piece tells; raises DocumentError where the piece is not of its format."""
    try:
        for span in _spans(found, data):
            yield genai.read(span) if isinstance(span, Span) else span
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"it is no {found.value}: {error}"
        raise DocumentError(msg) from error


def _spans(found: Format, data: bytes) -> Iterator[Span | Skipped]:
    if found is Format.OTLP:
        return otlp.spans(data)
    if found is Format.JAEGER:
        return jaeger.spans(data)
    if found is Format.FLAT:
        return otlp.flat(data)
    from llmslo_rulegen.traces import otlp_proto  # noqa: PLC0415 - protobuf costs every start that does not need it

    return otlp_proto.spans(data)
