from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from llmslo_rulegen import reading, schema, spec, starter
from llmslo_rulegen.finding import has_errors

COMMITTED = Path(__file__).parents[2] / "docs" / "llmslo-v1.schema.json"
HEAD = "version: llmslo/v1\nservice: bot\nslos:\n"


@pytest.fixture(scope="module")
def validator():
    found = schema.schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_committed_schema_is_the_rendered_one():
    assert COMMITTED.read_text() == schema.text(), "run: llmslo-rulegen schema > docs/llmslo-v1.schema.json"


def test_every_key_is_explained_and_no_other():
    found = schema.schema()
    shapes = found["$defs"] | {"FileShape": found}
    assert {shape: set(keys) for shape, keys in schema.HELP.items()} == {
        name: set(shape["properties"]) for name, shape in shapes.items() if "properties" in shape
    }
    assert all("description" in member for name in schema.HELP for member in shapes[name]["properties"].values())
    assert set(schema.HELP) == {shape.__name__ for shape in spec.SHAPES.values()}


TIERS = "{tiers: [{name: b, severity: page, factor: 2, long: 1h, short: 5m}]}"
GOOD = [
    "{name: one, sli: ttft, objective: 95}",
    "{name: one, sli: ttft, objective: 95, select: {a: b, c: [d, ~e]}, group_by: [model], threshold: 2s, window: week}",
    "{name: one, sli: throughput, objective: 95, threshold: 20, window: 24h, low_traffic: {min_bad: auto}}",
    "{name: one, sli: ttft, objective: 95, alerting: {name: A, page: {disable: true}, tiers: null}}",
    "{name: one, sli: ttft, objective: 95, low_traffic: {wilson: 0.9}}",
    "{name: one, sli: {histogram: a, native: true}, threshold: 2s, objective: 95}",
    "{name: one, sli: {ratio: a}, objective: 95}",
    "{name: a1, sli: gap, objective: 90, alerting: " + TIERS + "}",
]


@pytest.mark.parametrize("slo", GOOD)
def test_what_the_reader_takes_the_schema_takes(validator, slo):
    assert not has_errors(reading.read({"slo.yaml": f"{HEAD}- {slo}".encode()}).findings)
    validator.validate(yaml.safe_load(f"{HEAD}- {slo}"))


def test_the_starter_is_valid(validator):
    validator.validate(yaml.safe_load(starter.TEXT))


BAD = [
    "{name: one, sli: ttft}",
    "{name: a, sli: ttft, objective: 95}",
    "{name: one, sli: tfft, objective: 95}",
    "{name: one, sli: ttft, objective: 100}",
    "{name: one, sli: ttft, objective: 0.95}",
    "{name: one, sli: ttft, objective: '95'}",
    "{name: one, sli: ttft, objective: 95, thresold: 2s}",
    "{name: one, sli: ttft, objective: 95, threshold: 2x}",
    "{name: one, sli: ttft, objective: 95, source: nobody}",
    "{name: one, sli: ttft, objective: 95, select: {a: []}}",
    "{name: one, sli: ttft, objective: 95, select: {'a-b': c}}",
    "{name: one, sli: ttft, objective: 95, group_by: [a, a]}",
    "{name: one, sli: ttft, objective: 95, window: year}",
    "{name: one, sli: {}, objective: 95}",
    "{name: one, sli: {bad: a}, objective: 95}",
    "{name: one, sli: {bad: a, good: b, total: c}, objective: 95}",
    "{name: one, sli: ttft, objective: 95, low_traffic: {wilson: 2}}",
    "{name: one, sli: ttft, objective: 95, alerting: {tiers: []}}",
    "{name: one, sli: ttft, objective: 95, alerting: {page: {disable: yes please}}}",
    "{name: one, sli: ttft, objective: 95, runbook_url: nowhere}",
]


@pytest.mark.parametrize("slo", BAD)
def test_what_the_schema_refuses_the_reader_refuses(validator, slo):
    assert not validator.is_valid(yaml.safe_load(f"{HEAD}- {slo}"))
    assert has_errors(reading.read({"slo.yaml": f"{HEAD}- {slo}".encode()}).findings)


def test_the_schema_names_its_draft_and_every_file_is_json():
    assert json.loads(schema.text())["$schema"] == schema.DRAFT
