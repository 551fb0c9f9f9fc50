"""The catalog's SLIs for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from llmslo_exporter.catalog import SLIS, Selection, Sli


def as_text() -> str:
    """Return one paragraph per SLI: its name, its metrics and what it says."""
    return "".join(line + "\n" for sli in SLIS for line in _lines(sli))


def as_json() -> str:
    """Return every SLI with all that a rule needs."""
    return json.dumps([_record(sli) for sli in SLIS], indent=2) + "\n"


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
        "total": [_selected(selection) for selection in sli.total],
        "objective": sli.objective,
        "threshold": sli.threshold,
        "edges": list(sli.edges),
    }


def _selected(selection: Selection) -> dict[str, object]:
    labels = {label.name: list(values) for label, values in selection.values}
    return {"metric": selection.metric.name, "part": selection.part.value, "labels": labels}
