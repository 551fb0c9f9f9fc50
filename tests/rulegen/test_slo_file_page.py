"""docs/slo-file.md is true: its examples are accepted, and it names every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import reading, schema

PAGE = (Path(__file__).parents[2] / "docs" / "slo-file.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_accepted_without_a_word(text):
    found = reading.read({"slo.yaml": text.encode()})
    assert found.findings == ()
    assert found.slos


def test_every_key_is_explained():
    named = set(re.findall(r"`\{?([a-z_]+)", PAGE)) | set(re.findall(r"([a-z_]+):", PAGE))
    assert {key for keys in schema.HELP.values() for key in keys} - named == set()


def test_every_source_is_named():
    ours = {name.removeprefix("otel-genai") for name in catalog.BY_SOURCE}
    assert {name for name in ours if f"`{name}`" not in PAGE and f"`otel-genai{name}`" not in PAGE} == set()
