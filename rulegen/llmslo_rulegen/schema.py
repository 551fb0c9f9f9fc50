"""The JSON Schema of SLO files, for editors and other programs: rendered from the shapes that the reader uses."""

from __future__ import annotations

import json
from typing import Any

from llmslo_rulegen import fields, measures
from llmslo_rulegen.own_slis import WAYS
from llmslo_rulegen.spec import FileShape

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "llmslo/v1: service level objectives of LLM calls"
_REFERENCE = "$ref"

# What an editor shows of a key.
HELP = {
    "FileShape": {
        "version": "The version of this format.",
        "service": "Who promises: the label `service` of every alert, and the name of the rule file.",
        "slos": "The promises.",
        "labels": "Put on every alert and on the info series; records carry identity labels only.",
        "scrape_interval": "How often Prometheus reads the metrics, 1s to 5m.",
        "runbook_url": "Annotation of every alert; one that ends in / is where runbooks/ is published.",
        "dashboard_url": "Annotation of every alert; left out when unset.",
    },
    "SloShape": {
        "name": "Unique within the service; with it, the name of the test file.",
        "sli": "An SLI of the catalog (llmslo-rulegen slis), or one written out.",
        "objective": "Percent of events that have to be good, 50 to 99.99.",
        "description": "One sentence for whoever is woken.",
        "source": "Who measures an SLI of the catalog.",
        "native": "The source's histogram is a native one.",
        "select": "Labels: exact text, ~ and a regular expression (RE2, anchored), or a list for any of them.",
        "group_by": "Labels with one budget per value.",
        "threshold": "Within it an event is good; a bucket edge: a duration, or a number of tokens per second.",
        "window": "The time that the budget is for: 1d to 1y rolling, or the calendar's week, month or quarter (UTC).",
        "low_traffic": "What keeps few events from alerting; solved when left out.",
        "alerting": "How the alerts are called and what they carry.",
        "runbook_url": "Instead of the file's.",
        "dashboard_url": "Instead of the file's.",
    },
    "OwnSli": {
        "bad": "Events that break the promise; {{window}} is the range of every rate, increase or count_over_time.",
        "good": "Events that keep it, instead of bad.",
        "total": "All events, made by the same function.",
        "histogram": "A histogram's own name with labels, without _bucket; needs a threshold.",
        "native": "The histogram is a native one.",
        "ratio": "The share of bad, 0 to 1, of a moment; every evaluation counts alike.",
        "good_when": "A moment is good when this has a value that is not 0; every evaluation counts alike.",
    },
    "LowTrafficShape": {
        "min_bad": "The least bad events in the long window of a tier: auto is solved, N is yours.",
        "wilson": "Instead: the lower bound of the bad share at this confidence has to be too high.",
    },
    "AlertingShape": {
        "name": "Of every burn alert of the SLO.",
        "labels": "Put on this SLO's alerts.",
        "annotations": "Put on this SLO's alerts; templates of Prometheus are allowed.",
        "page": "Alerts that wake somebody.",
        "ticket": "Alerts that leave a note.",
        "tiers": "Burn alerts of your own instead of the solved ones.",
    },
    "Switch": {
        "disable": "Emit none of these.",
        "labels": "Put on these alerts; `severity` may be another word than ours.",
        "annotations": "Put on these alerts; templates of Prometheus are allowed.",
    },
    "TierShape": {
        "name": "The label `tier`, such as page_fast.",
        "severity": "Wake somebody, or leave a note.",
        "factor": "How many times the budget; has to be below 1 / (1 - objective).",
        "long": "The window over which the burn has to last, at most a quarter of the SLO's.",
        "short": "The window that ends the alert, at least 4 scrapes.",
        "min_bad": "The least bad events in the long window; auto is solved.",
    },
}
_DEFAULTS = {"window": fields.DEFAULT_WINDOW, "scrape_interval": "1m", "min_bad": "auto"}


def schema() -> dict[str, Any]:
    """Return the schema as data."""
    found = _tidied(FileShape.model_json_schema())
    shapes = found["$defs"] | {"FileShape": found}
    named = {name for source in measures.SOURCES for name in measures.slis(source)}
    for shape, keys in HELP.items():
        for key, text in keys.items():
            member = shapes[shape]["properties"][key]
            member.pop("default", None)
            if member.keys() == {_REFERENCE}:
                shapes[shape]["properties"][key] = member = {"allOf": [dict(member)]}
            member["description"] = text
            if key in _DEFAULTS:
                member["default"] = _DEFAULTS[key]
    slo = shapes["SloShape"]["properties"]
    slo["source"] |= {"enum": list(measures.SOURCES), "default": "llmslo"}
    slo["sli"]["oneOf"][0] = {"enum": sorted(named)}
    slo["group_by"]["uniqueItems"] = True
    shapes["OwnSli"]["oneOf"] = [{"required": list(way)} for way in WAYS]
    return {"$schema": DRAFT, "title": TITLE, **found}


def text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(data: Any, *, is_names: bool = False) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """Return `data` without pydantic's titles (keys again, capitalised); a map's keys are closed by their pattern."""
    if isinstance(data, list):
        return [_tidied(one) for one in data]
    if not isinstance(data, dict):
        return data
    found = {
        key: _tidied(value, is_names=key in {"properties", "$defs"})
        for key, value in data.items()
        if is_names or key not in {"title", "description"}
    }
    if "patternProperties" in found:
        found["additionalProperties"] = False
    return found
