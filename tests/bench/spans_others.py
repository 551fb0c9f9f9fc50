"""The same file read by others: `python -m tests.bench.spans_others NAME FILE`.

Each gives durations by service, model and hour: less than a baseline holds. They hold a line, or what they read, whole.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

HOUR_NS = 3600 * 10**9
MODEL, SERVICE = "gen_ai.request.model", "service.name"
CHDB_MEMORY = "2000000000"  # bytes
QUERY = """
WITH arrayJoin(JSONExtractArrayRaw(line, 'resourceSpans')) AS resource,
    arrayFirst(x -> JSONExtractString(x, 'key') = 'service.name',
        JSONExtractArrayRaw(resource, 'resource', 'attributes')) AS service,
    arrayJoin(JSONExtractArrayRaw(resource, 'scopeSpans')) AS scope,
    arrayJoin(JSONExtractArrayRaw(scope, 'spans')) AS span,
    arrayFirst(x -> JSONExtractString(x, 'key') = 'gen_ai.request.model',
        JSONExtractArrayRaw(span, 'attributes')) AS model,
    toUInt64(JSONExtractString(span, 'startTimeUnixNano')) AS start
SELECT JSONExtractString(service, 'value', 'stringValue') AS named,
    JSONExtractString(model, 'value', 'stringValue') AS modelled,
    intDiv(start, 3600000000000) AS hour, count(),
    quantilesDD(0.01, 0.5, 0.95)((toUInt64(JSONExtractString(span, 'endTimeUnixNano')) - start) / 1e9)
FROM file('{path}', LineAsString)
GROUP BY named, modelled, hour
SETTINGS max_memory_usage = {memory}, max_threads = 2
"""

Found = tuple[str, str, int, int]


class Value(BaseModel):
    stringValue: str | None = None  # noqa: N815 -- OTLP's own name


class Pair(BaseModel):
    key: str
    value: Value


class Span(BaseModel):
    startTimeUnixNano: int  # noqa: N815
    endTimeUnixNano: int  # noqa: N815
    attributes: list[Pair] = []


class Scope(BaseModel):
    spans: list[Span] = []


class Resource(BaseModel):
    attributes: list[Pair] = []


class ResourceSpans(BaseModel):
    resource: Resource
    scopeSpans: list[Scope] = []  # noqa: N815


class Request(BaseModel):
    resourceSpans: list[ResourceSpans]  # noqa: N815


def by_json(path: Path) -> Iterator[Found]:
    """Yield service, model, start and end of each span."""
    with path.open("rb") as file:
        for line in file:
            for group in json.loads(line)["resourceSpans"]:
                service = _text(group["resource"]["attributes"], SERVICE)
                for scope in group["scopeSpans"]:
                    for span in scope["spans"]:
                        model = _text(span["attributes"], MODEL)
                        yield service, model, int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])


def _text(pairs: list[dict[str, Any]], key: str) -> str:
    return next((pair["value"].get("stringValue", "") for pair in pairs if pair["key"] == key), "")


def by_pydantic(path: Path) -> Iterator[Found]:
    """Yield the same."""
    with path.open("rb") as file:
        for line in file:
            for group in Request.model_validate_json(line).resourceSpans:
                service = _named(group.resource.attributes, SERVICE)
                for scope in group.scopeSpans:
                    for span in scope.spans:
                        yield service, _named(span.attributes, MODEL), span.startTimeUnixNano, span.endTimeUnixNano


def _named(pairs: list[Pair], key: str) -> str:
    return next((pair.value.stringValue or "" for pair in pairs if pair.key == key), "")


def main(name: str, path: Path) -> None:
    """Sum the file up and print how many kinds and hours there are."""
    if name == "chdb":
        import chdb  # noqa: PLC0415 -- its engine is 500 MB, the others do without

        found = str(chdb.query(QUERY.format(path=path, memory=CHDB_MEMORY), "CSV"))
        print(len(found.splitlines()))
        return
    durations = defaultdict(list)
    for service, model, start, end in (by_json if name == "json" else by_pydantic)(path):
        durations[service, model, start // HOUR_NS].append((end - start) / 1e9)
    print(len({key: sorted(values)[len(values) // 2] for key, values in durations.items()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
