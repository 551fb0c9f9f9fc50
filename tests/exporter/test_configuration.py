"""Settings files: what they mean, and where each of their mistakes is."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter.catalog import Limits
from llmslo_exporter.configuration import parse, schema
from llmslo_exporter.errors import ConfigurationError
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.options import Address, Options

SCHEMA = Path(__file__).parents[2] / "docs" / "llmslo-exporter.schema.json"
WHOLE = """\
web:
  listen_address: "[::1]:9000"
loader: bcc
log: {level: debug, format: json}
bpf:
  stats: true
limits:
  models: 5
  providers: 6
  workloads: 7
  series: 800
  idle: 90m
providers:
  llm.corp:8443: vllm
  GW.corp: azure.ai.openai
tls:
  exclude:
    - nginx
    - cgroup:/system.slice/*
  busy_rate: 0
metrics:
  names: [llm_requests_total, process_cpu_seconds_total]
"""


def problems(text):
    with pytest.raises(ConfigurationError) as error:
        parse(text if isinstance(text, bytes) else text.encode(), "x.yaml")
    return error.value.problems


def complaints(raw):
    try:
        parse(raw, "x.yaml")
    except ConfigurationError as error:
        return error.problems
    return ()


def test_every_setting():
    assert parse(WHOLE.encode(), "x.yaml") == Options(
        Address("::1", 9000),
        "bcc",
        "debug",
        "json",
        bpf_stats=True,
        provider_map={"llm.corp:8443": "vllm", "gw.corp": "azure.ai.openai"},
        limits=Limits(5, 6, 7, 800, 5400.0),
        tls_exclude=Exclusions(("nginx", "cgroup:/system.slice/*")),
        tls_busy_rate=0,
        families=frozenset({"llm_requests_total", "process_cpu_seconds_total"}),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "web:\nlog:\nproviders:\n"])
def test_what_is_not_said_has_its_default(text):
    assert parse(text.encode(), "x.yaml") == Options()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("web: {}\nwbe: {}", "x.yaml:2: wbe: found an unknown key, needed one of web, loader, log, bpf, limits,"),
        ("wbe: {}", "did you mean web?"),
        (
            "web:\n  listen-address: :9",
            "x.yaml:2: web.listen-address: found an unknown key, needed one of listen_address",
        ),
        ("web:\n  listen_address: 9469", "x.yaml:2: web.listen_address: found '9469' has no port: want HOST:PORT"),
        ("loader: perf", "x.yaml:1: loader: found 'perf', needed one of auto, libbpf, bcc"),
        ("loader: true", "x.yaml:1: loader: found true, needed one of auto, libbpf, bcc"),
        ("limits:\n\n  models: 0", "x.yaml:3: limits.models: found 0, needed a whole number of at least 1"),
        ("limits: {models: many}", "found 'many', needed a whole number"),
        ("limits: {models: true}", "found true, needed a whole number"),
        ("limits: {models: 99999999}", "found 99999999, needed a number of at most 10000000"),
        ("limits: {idle: 24}", "limits.idle: found '24': want a whole number and s, m, h or d, for example 24h"),
        ("tls: {busy_rate: -1}", "tls.busy_rate: found -1, needed a whole number of at least 0"),
        ("limits: []", "x.yaml:1: limits: found a list, needed a mapping of keys to values"),
        ("bpf: {stats: yes}", "found 'yes', needed true or false"),
        ("providers:\n  a: x\n  http://b: y", "x.yaml:3: providers.http://b: found 'http://b': want HOST or HOST:PORT"),
        ("providers:\n  a:", "x.yaml:2: providers.a: found nothing, needed text"),
        ("providers: [a]", "needed a mapping of hosts to providers"),
        ("tls: {exclude: nginx}", "tls.exclude: found 'nginx', needed a list"),
        (
            "tls:\n  exclude:\n    - a\n    - b/c",
            "x.yaml:4: tls.exclude.1: found 'b/c': want a path that begins with /",
        ),
        ("metrics: {names: [llm_request_total]}", "is no metric of this exporter: did you mean llm_requests_total?"),
        ("- a", "x.yaml:1: the file: found a list, needed a mapping"),
        ("web: 1\nlog: 2\nweb: 3", "x.yaml:3: found 'web' twice, first in line 1, needed it once"),
        ("a: [", "x.yaml:1: found no YAML (while parsing a flow node"),
        ("web:\n\tlisten_address: x", "x.yaml:2: found no YAML"),
        (b"a: b\n\xff", "x.yaml:2: found byte 0xff, needed UTF-8"),
        ("a: b\nc: \x01", "x.yaml:2: found a control character"),
        ("a: &x 1", "x.yaml:1: found an anchor or alias"),
        ("a: *x", "x.yaml:1: found an anchor or alias"),
        ("a: !!python/name:os.system x", "x.yaml:1: found a tag"),
        ("{}\n---\n{}", "x.yaml:2: found a second document"),
        ("? [a]\n: b", "x.yaml:1: found a list or mapping as a key"),
        ("[" * 100_000, "x.yaml:1: found more than 8 levels"),
        ("providers: {" + ",".join(f"h{i}: x" for i in range(60_000)) + "}", "or 50000 values, needed fewer"),
        ("limits: {models: " + "9" * 100_000 + "}", "needed a whole number"),
    ],
)
def test_a_mistake_says_where_what_was_found_and_what_was_needed(text, problem):
    found = problems(text)
    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("x.yaml:")
    assert len(found[0]) < 400


def test_every_mistake_is_told_in_the_order_of_lines():
    found = problems("loader: perf\nlimits: {models: 0, idle: x}\nno: 1")
    assert [one.split(":")[1] for one in found] == ["1", "2", "2", "3"]


def test_a_thousand_mistakes_are_not_a_thousand_lines():
    found = problems("".join(f"k{i}: 1\n" for i in range(1000)))
    assert len(found) == 21
    assert found[-1] == "x.yaml: and 980 more problems"


def test_an_error_in_one_line_names_the_first_and_how_many_more():
    with pytest.raises(ConfigurationError) as error:
        parse(b"a: 1\nb: 2\nc: 3", "x.yaml")
    assert str(error.value).startswith("x.yaml:1: a: ")
    assert str(error.value).endswith("(and 2 more)")
    assert "\n" not in str(error.value)


def test_the_committed_schema_is_fresh():
    assert SCHEMA.read_text() == schema(), "write it anew: llmslo-exporter schema > docs/llmslo-exporter.schema.json"


def test_the_schema_describes_every_setting_and_takes_the_whole_file():
    shape = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(shape)
    validator = jsonschema.Draft202012Validator(shape)
    validator.validate(yaml.safe_load(WHOLE))
    for wrong in ("wbe: 1", "loader: perf", "limits: {models: 0}", "limits: {idle: 24}", "metrics: {names: [x]}"):
        assert not validator.is_valid(yaml.safe_load(wrong))


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
SECTION = st.sampled_from(["web", "loader", "log", "bpf", "limits", "providers", "tls", "metrics", "x"])
KEY = st.sampled_from(["listen_address", "level", "stats", "models", "idle", "exclude", "names", "a:1"])


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(SECTION, VALUE | st.dictionaries(KEY, VALUE, max_size=3), max_size=4))
def test_whatever_the_document_it_means_something_or_each_problem_has_a_line(document):
    raw = yaml.safe_dump(document, allow_unicode=True).encode()
    assert all(problem.startswith("x.yaml:") for problem in complaints(raw))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_whatever_the_bytes_the_file_is_refused_with_a_place(raw):
    assert all(problem.startswith("x.yaml:") for problem in complaints(raw))
