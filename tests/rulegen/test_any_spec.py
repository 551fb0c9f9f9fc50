"""Whatever a document says: a clean error, or rules that promtool accepts. Hypothesis over the whole of the format."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen import linting, promtool, reading, schema, yaml_text
from llmslo_rulegen.finding import has_errors
from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.pointing import Pointer
from llmslo_rulegen.routing import files as routing_files
from llmslo_rulegen.slo import Calendar

SELECTORS = (
    "a_total",
    'a_total{b="c"}',
    'llm_requests_total{role="client",outcome=~"ok|timeout"}',
    'a_total{b!~"x.*",c=""}',
)
ANYTHING = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(max_size=30)
    | st.lists(st.text(max_size=5), max_size=3) | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
)  # fmt: skip
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
names = st.from_regex(r"[a-z0-9]([-_.]?[A-Za-z0-9]){1,12}", fullmatch=True)
labels = st.sampled_from(["team", "area", "x_1", "env", "severity", "le", "sloth_x", "model"]) | st.from_regex(
    r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True
)
lengths = st.sampled_from(["1m", "5m", "30m", "1h", "90m", "6h", "1d", "3d", "30d", "45s", "1h30m", "8d", "2w", "1y"])
ranges = st.sampled_from(["{{window}}", "{{ .window }}"])


@st.composite
def events(draw):
    """Draw a sum of rates or the like, now and then one that no rule can count with."""
    function = draw(st.sampled_from(["rate", "rate", "rate", "increase", "count_over_time"]))
    terms = [f"{function}({draw(st.sampled_from(SELECTORS))}[{draw(ranges)}])" for _ in range(draw(st.integers(1, 3)))]
    form = draw(
        st.sampled_from(["sum({})", "sum({})", "{}", "sum by (model) ({})", "2 * sum({})", "sum({}) > 0", "-sum({})"])
    )
    return draw(st.sampled_from([" + ", " - ", " or "])).join(form.format(term) for term in terms)


@st.composite
def sources_and_slis(draw):
    source = draw(st.sampled_from(sorted(catalog.BY_SOURCE)))
    sli = draw(st.sampled_from(catalog.source(source).slis))
    found = {"source": source, "sli": sli.name}
    if sli.edges and draw(st.booleans()):
        edge = draw(st.sampled_from(sli.edges))
        found["threshold"] = f"{edge:.12f}s" if sli.name != "throughput" else edge
    return found


own = st.one_of(
    st.fixed_dictionaries({"bad": events(), "total": events()}),
    st.fixed_dictionaries({"good": events(), "total": events()}),
    st.fixed_dictionaries(
        {"ratio": st.sampled_from(["avg(a)", "sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", "1 - a"])}
    ),
    st.fixed_dictionaries(
        {"good_when": st.sampled_from(["up == 1", "max(q) < 5", "a and b", "avg_over_time(a[5m]) > bool 1"])}
    ),
    st.fixed_dictionaries(
        {"histogram": st.sampled_from(["h_seconds", 'h{a="b"}', "h_bucket"])}, optional={"native": st.booleans()}
    ),
).map(lambda sli: {"sli": sli, **({"threshold": 2} if "histogram" in sli else {})})
tiers = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["page_fast", "page_slow", "mine"]),
            "severity": st.sampled_from(["page", "ticket"]),
            "factor": st.floats(0.1, 100) | st.integers(1, 20),
            "long": lengths,
            "short": lengths,
        },
        optional={"min_bad": st.sampled_from(["auto", 1, 7])},
    ),
    min_size=1,
    max_size=3,
)
alerting = st.fixed_dictionaries(
    {},
    optional={
        "name": st.from_regex(r"[A-Z][A-Za-z0-9_]{0,8}", fullmatch=True),
        "labels": st.dictionaries(labels, texts, max_size=2),
        "annotations": st.dictionaries(labels, texts, max_size=2),
        "page": st.fixed_dictionaries({"disable": st.booleans()}),
        "ticket": st.fixed_dictionaries({"disable": st.booleans()}),
        "tiers": st.none() | tiers,
    },
)
urls = st.sampled_from(["https://example.org/a?b=c&d='e'", "http://x/{{ $labels.slo }}"]) | texts.map(
    "https://x/{}".format
)
rest = st.fixed_dictionaries(
    {
        "name": names,
        "objective": st.decimals(50, "99.99", places=4).map(float) | st.sampled_from([50, 99.99, 99.9, 95]),
    },
    optional={
        "description": texts,
        "native": st.booleans(),
        "select": st.dictionaries(
            labels, texts | texts.map("~{}".format) | st.lists(texts, min_size=1, max_size=3), max_size=3
        ),
        "group_by": st.lists(st.sampled_from(["model", "provider", "namespace", "tenant"]), max_size=2),
        "window": lengths | st.sampled_from([one.value for one in Calendar]) | st.integers(1, 365).map("{}d".format),
        "low_traffic": st.sampled_from([{"min_bad": "auto"}, {"min_bad": 5}, {"wilson": 0.95}]),
        "alerting": alerting,
        "runbook_url": urls,
        "dashboard_url": urls,
    },
)


@st.composite
def slos(draw):
    found = draw(rest) | draw(sources_and_slis() | own)
    if not isinstance(found["sli"], str):  # mostly without what only SLIs of the catalog have
        found = {
            key: value
            for key, value in found.items()
            if key not in {"select", "native"} or draw(st.integers(0, 9)) == 0
        }
    if draw(st.integers(0, 14)) == 0:
        found[draw(st.sampled_from(sorted(schema.HELP["SloShape"])))] = draw(ANYTHING)
    return found


documents = st.fixed_dictionaries(
    {"version": st.just("llmslo/v1"), "service": names, "slos": st.lists(slos(), min_size=1, max_size=2)},
    optional={
        "labels": st.dictionaries(labels, texts, max_size=2),
        "scrape_interval": st.sampled_from(["1s", "15s", "30s", "1m", "5m", "7s"]),
        "runbook_url": urls,
    },
)


@pytest.mark.timeout(600)
@pytest.mark.skipif(promtool.find() is None, reason="needs promtool")
def test_a_document_gives_a_clean_error_or_rules_that_promtool_accepts(tmp_path):
    """All of the rules go to promtool at once: a call for each would take minutes."""
    paths, refused = [], []

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(documents)
    def judge(document):
        # JSON is YAML, but for lone surrogates, .nan and the like, which ensure_ascii and the reader take care of.
        text = json.dumps(document)
        found = reading.read({"slo.yaml": text.encode()})
        if has_errors(found.findings):
            refused.append(text)
            assert all("\n" not in str(one) and len(one.text) < 1_000 for one in found.findings)
            assert all(one.line == 1 for one in found.findings)
            return
        linted = linting.lint(
            Case(found.slos), found.findings, Pointer(found.documents, {"slo.yaml": text}), {"slo.yaml": text}
        )
        assert all(str(one).isprintable() for one in linted.findings)
        path = tmp_path / f"{len(paths)}.yaml"
        path.write_text(yaml_text.rules([group for slo in found.slos for group in groups(slo)]))
        paths.append(path)
        for name, routed in routing_files(found.slos).items():
            if "/rules/" in name:
                (tmp_path / f"{len(paths)}-{name.rpartition('/')[2]}").write_text(routed)
                paths.append(tmp_path / f"{len(paths)}-{name.rpartition('/')[2]}")
        (tmp_path / f"{path.stem}.json").write_text(text)

    judge()
    assert len(paths) > 60, "most of what is drawn is refused: draw better"
    assert refused
    verdict = promtool.find().check_rules(paths)
    wrong = [line for line in verdict.text.splitlines() if "SUCCESS" not in line and not line.startswith("Checking")]
    assert verdict.is_good, "\n".join(wrong)[:3_000]
