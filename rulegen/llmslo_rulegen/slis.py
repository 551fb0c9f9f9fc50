"""The catalog's SLIs, source by source, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from llmslo_exporter.catalog import SOURCES, Selection, Sli


def as_text() -> str:
    """Return one paragraph per SLI: its name, what it says and its metrics; those of our own exporter first."""
    return "".join(line + "\n" for line in _all_lines())


def as_json() -> str:
    """Return every SLI of every source with all that a rule needs."""
    records = [{"source": source.name, **_record(sli)} for source in SOURCES for sli in source.slis]
    return json.dumps(records, indent=2) + "\n"


def _all_lines() -> Iterator[str]:
    for number, source in enumerate(SOURCES):
        yield from [""] if number else []
        yield f"source {source.name}: {source.description}"
        for sli in source.slis:
            yield from ("", *_lines(sli))


def _lines(sli: Sli) -> Iterator[str]:
    yield f"{sli.name}: {sli.description}"
    yield f"  objective {sli.objective:.4g}" + (f", threshold {sli.threshold:g}" if sli.threshold is not None else "")
    for metric in sli.metrics:
        yield f"  {metric.name}"


def _record(sli: Sli) -> dict[str, object]:
    return {
        "name": sli.name,
        "description": sli.description,
        "metrics": [metric.name for metric in sli.metrics],
        "bad": [_selected(selection) for selection in sli.bad],
        "good": [_selected(selection) for selection in sli.good],
        "total": [_selected(selection) for selection in sli.total],
        "objective": sli.objective,
        "threshold": sli.threshold,
        "edges": list(sli.edges),
    }


def _selected(selection: Selection) -> dict[str, object]:
    labels = {label.name: list(values) for label, values in selection.values}
    return {"metric": selection.metric.name, "part": selection.part.value, "labels": labels}
