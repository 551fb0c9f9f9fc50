"""The spans that were recorded from real instrumentations, as the collector's exporter would have got them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from tests.baseline.mixed import Mixed

FILES = tuple(sorted((Path(__file__).parents[1] / "data" / "spans").glob("*.jsonl.gz")))


def spans(path: Path) -> Iterator[Mixed]:
    """Yield the spans of a file of OTLP requests, one a line."""
    with gzip.open(path) as lines:
        for line in lines:
            for group in json.loads(line)["resourceSpans"]:
                service = _attributes(group["resource"]).get("service.name", "")
                for scope in group["scopeSpans"]:
                    name = scope.get("scope", {}).get("name", "")
                    yield from (_span(span, service, name) for span in scope["spans"])


def _span(span: dict, service: str, scope: str) -> Mixed:
    status = span.get("status", {})
    return Mixed(
        service,
        span["name"],
        scope,
        int(span["startTimeUnixNano"]),
        int(span["endTimeUnixNano"]),
        span["traceId"],
        span["spanId"],
        span.get("parentSpanId", ""),
        _attributes(span),
        status.get("code") in {2, "STATUS_CODE_ERROR"},
        status.get("message", ""),
        [(int(event["timeUnixNano"]), event["name"], _attributes(event)) for event in span.get("events", ())],
    )


def _attributes(held: dict) -> dict:
    return {pair["key"]: _value(pair["value"]) for pair in held.get("attributes", ())}


def _value(value: dict) -> object:
    ((kind, found),) = value.items()
    if kind == "arrayValue":
        return [_value(item) for item in found.get("values", ())]
    return int(found) if kind == "intValue" else found
