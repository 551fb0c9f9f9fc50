"""What files promise, and what is said of those that do not: where, what was found, what was needed, what to do."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen import reading
from llmslo_rulegen.slo import (
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Op,
    SlicedSli,
    Window,
)
from llmslo_rulegen.tier import Severity, Tier

HEAD = "version: llmslo/v1\nservice: bot\nslos:\n"


def read(text, *, snap=False):
    return reading.read({"slo.yaml": text.encode()}, snap=snap)


def slo(members):
    """Return the one SLO of a file with these members, besides its name."""
    found = read(f"{HEAD}  - {{name: one, {members}}}\n")
    assert [str(finding) for finding in found.findings] == []
    return found.slos[0]


def said(members, *, snap=False):
    """Return what is said of such a file."""
    return [str(finding) for finding in read(f"{HEAD}  - {{name: one, {members}}}\n", snap=snap).findings]


def test_everything_but_name_sli_and_objective_has_a_default():
    found = slo("sli: ttft, objective: 95")
    assert found.sli == CatalogSli("ttft", "llmslo", (Matcher("role", Op.EQUAL, "client"),), 2)
    assert (found.service, found.name, found.id) == ("bot", "one", "bot-one")
    assert (found.objective, found.window, found.scrape_interval_s) == (Decimal(95), Window(30 * 86400), 60)
    assert (found.description, found.labels, found.group_by, found.runbook_url) == ("", (), (), None)
    assert (found.alerting.name, found.alerting.tiers, found.alerting.disabled) == ("OneBudgetBurn", None, frozenset())
    assert found.low_traffic == LowTraffic()
    assert str(found.place) == "slo.yaml:4"


def test_the_example_of_the_format_is_read_as_meant():
    found = read("""\
version: llmslo/v1
service: support-bot
labels: {team: assistants}
scrape_interval: 30s
dashboard_url: https://example.org/all
slos:
  - name: first-token
    description: first token of a chat answer
    sli: ttft
    source: llmslo
    select: {namespace: prod, model: "~gpt-4o.*", provider: [openai, azure.ai.openai]}
    group_by: [model]
    threshold: 2s
    objective: 95
    window: 30d
    alerting:
      {name: SlowFirstToken, labels: {a: b}, annotations: {c: "{{ $labels.model }}"}, page: {disable: true}}
  - name: checkout
    sli:
      bad: sum(rate(http_requests_total{code=~"5.."}[{{window}}]))
      total: sum(rate(http_requests_total[{{window}}]))
    objective: 99.9
    dashboard_url: https://example.org/checkout
""")
    assert found.findings == ()
    first, second = found.slos
    assert first.sli.select == (
        Matcher("model", Op.MATCH, "gpt-4o.*"),
        Matcher("namespace", Op.EQUAL, "prod"),
        Matcher("provider", Op.MATCH, r"openai|azure\.ai\.openai"),
        Matcher("role", Op.EQUAL, "client"),
    )
    assert (first.labels, first.group_by, first.scrape_interval_s) == ((("team", "assistants"),), ("model",), 30)
    assert first.alerting.name == "SlowFirstToken"
    assert first.alerting.annotations == (("c", "{{ $labels.model }}"),)
    assert first.alerting.disabled == {Severity.PAGE}
    assert (first.dashboard_url, second.dashboard_url) == ("https://example.org/all", "https://example.org/checkout")
    assert second.sli == EventsSli(
        "sum(rate(http_requests_total[{{window}}]))",
        EventFunction.RATE,
        bad='sum(rate(http_requests_total{code=~"5.."}[{{window}}]))',
    )
    assert second.objective == Decimal("99.9")
    assert second.place.line == 18


@pytest.mark.parametrize(
    ("members", "sli"),
    [
        (
            "sli: {good: 'rate(a[{{window}}])', total: 'rate(b[{{window}}])'}",
            EventsSli("rate(b[{{window}}])", EventFunction.RATE, good="rate(a[{{window}}])"),
        ),
        (
            "sli: {histogram: 'lat{a=\"b\"}', native: true}, threshold: 300ms",
            HistogramSli('lat{a="b"}', 0.3, native=True),
        ),
        ("sli: {histogram: rate_of, native: false}, threshold: 20", HistogramSli("rate_of", 20)),
        ("sli: {ratio: avg(errors)}", SlicedSli("avg(errors)", condition=False)),
        ("sli: {good_when: up == 1}", SlicedSli("up == bool 1", condition=True)),
    ],
)
def test_slis_of_ones_own(members, sli):
    assert slo(f"{members}, objective: 99").sli == sli


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("1d", Window(86400)),
        ("4w", Window(28 * 86400)),
        ("1y", Window(365 * 86400)),
        ("week", Window(7 * 86400, Calendar.WEEK)),
        ("month", Window(31 * 86400, Calendar.MONTH)),
        ("quarter", Window(92 * 86400, Calendar.QUARTER)),
    ],
)
def test_windows(text, window):
    assert slo(f"sli: ttft, objective: 95, window: {text}").window == window


@pytest.mark.parametrize(
    ("text", "exact"), [("99.9", "99.9"), ("99.90", "99.9"), ("50", "50"), ("99.99", "99.99"), ("9.5e1", "95")]
)
def test_an_objective_is_exact(text, exact):
    assert str(slo(f"sli: ttft, objective: {text}").objective) == exact


@pytest.mark.parametrize(
    ("text", "low"),
    [("min_bad: auto", LowTraffic()), ("min_bad: 7", LowTraffic(min_bad=7)), ("wilson: 0.95", LowTraffic(wilson=0.95))],
)
def test_low_traffic(text, low):
    assert slo(f"sli: ttft, objective: 95, low_traffic: {{{text}}}").low_traffic == low


def test_tiers_of_ones_own():
    text = "alerting: {tiers: [{name: fast, severity: page, factor: 14.4, long: 1h, short: 5m, min_bad: 3}]}"
    assert slo(f"sli: ttft, objective: 99.9, {text}").alerting.tiers == (
        Tier("fast", Severity.PAGE, 14.4, 3600, 300, 3),
    )


def test_a_server_may_be_meant():
    assert slo("sli: ttft, objective: 95, select: {role: server}").sli.select == (Matcher("role", Op.EQUAL, "server"),)


@pytest.mark.parametrize(
    ("source", "name"), [(source.name, sli.name) for source in catalog.SOURCES for sli in source.slis]
)
def test_every_sli_of_every_source_can_be_promised(source, name):
    sli = slo(f"sli: {name}, source: {source}, objective: 95").sli
    assert (sli.name, sli.source) == (name, source)
    assert (sli.threshold is not None) == bool(catalog.source(source).sli(name).edges)


REFUSED = [
    (
        "sli: ttft, objective: 95, thresold: 2s",
        "slo.yaml:4: error: unknown key `thresold`: did you mean threshold? (spec/key)",
    ),
    ("objective: 95", "slo.yaml:4: error: `sli` is missing: add it (spec/shape)"),
    ("sli: ttft", "slo.yaml:4: error: `objective` is missing: add it (spec/shape)"),
    ("sli: 5, objective: 95", "`sli` is 5, it is needed as the name of an SLI, or as a mapping"),
    ("sli: tfft, objective: 95", "the catalog has no metric for an SLI tfft: did you mean ttft? (slo/sli)"),
    ("sli: dns, objective: 95", "the catalog has no metric for an SLI dns: known: "),
    ("sli: gap, objective: 95, source: vllm", "source vllm has no metric for an SLI gap: known: availability, latency"),
    ("sli: ttft, objective: 95, source: vlm", "no source is called vlm: did you mean vllm? (slo/source)"),
    ("sli: ttft, objective: 100", "`objective`: 100 leaves no budget"),
    ("sli: ttft, objective: 0.999", "`objective`: 0.999 is a share, percent is needed: write 99.9"),
    ("sli: ttft, objective: 99.999", "99.999 is outside of 50 to 99.99 percent"),
    ("sli: ttft, objective: 49.9", "49.9 is outside of 50 to 99.99 percent"),
    ("sli: ttft, objective: .nan", "NaN is no objective"),
    ("sli: ttft, objective: -.inf", "-Infinity is no objective"),
    ("sli: ttft, objective: 1e999999999999", "1E+999999999999 is no objective"),
    ("sli: ttft, objective: '95'", '"95" is no objective: write percent as a number, such as 99.9'),
    ("sli: ttft, objective: true", "true is no objective"),
    (
        "sli: ttft, objective: 95, threshold: 2500ms",
        "no bucket ends at 2.5s, nearest 2s and 3s: write one of them, or render with --snap (slo/bucket)",
    ),
    ("sli: ttft, objective: 95, threshold: 1h", "no bucket ends at 1h, nearest 10m: write one"),
    ("sli: ttft, objective: 95, threshold: 2", "the threshold of ttft is a duration such as 2s"),
    ("sli: throughput, objective: 95, threshold: 20s", "the threshold of throughput is a number of tokens per second"),
    ("sli: availability, objective: 95, threshold: 2s", "availability counts outcomes, nothing is compared"),
    ("sli: ttft, objective: 95, threshold: 2x", '`threshold`: "2x" is no threshold'),
    ("sli: ttft, objective: 95, threshold: 0s", "a duration of 0 measures nothing"),
    ("sli: availability, objective: 95, native: true", "availability has no histogram: leave native out"),
    ("sli: ttft, objective: 95, window: 36h", '"36h" cannot be a window: it needs whole days from 1d to 1y'),
    ("sli: ttft, objective: 95, window: 2y", '"2y" cannot be a window'),
    ("sli: ttft, objective: 95, window: year", '"year" is no window'),
    ("sli: ttft, objective: 95, select: {model: []}", "an empty list selects nothing"),
    ("sli: ttft, objective: 95, select: {model: 4}", "`select.model`: 4 is no text"),
    ("sli: ttft, objective: 95, select: {model: '~('}", "~( is no regular expression of RE2"),
    ("sli: ttft, objective: 95, select: {outcome: ok}", "outcome is what this SLI itself chooses by"),
    ("sli: ttft, objective: 95, select: {le: '2'}", "le is what this SLI itself chooses by"),
    ("sli: ttft, objective: 95, select: {operation: chta}", "operation is never 'chta': did you mean chat?"),
    (
        "sli: ttft, objective: 95, select: {role: [client, server]}",
        "role selects client, server, one is needed: write client or server",
    ),
    ("sli: ttft, objective: 95, select: {'a-b': x}", '"a-b" cannot be a label'),
    ("sli: ttft, objective: 95, select: {__name__: x}", "names that begin with __ are Prometheus' own"),
    ("sli: ttft, objective: 95, group_by: model", '`group_by` is "model", it is needed as a list'),
    ("sli: ttft, objective: 95, group_by: [model, model]", "a label stands twice in group_by"),
    ("sli: ttft, objective: 95, group_by: [slo]", "slo is a label that the rules set"),
    ("sli: ttft, objective: 95, group_by: [outcome]", "outcome is what this SLI itself chooses by"),
    ("sli: ttft, objective: 95, group_by: [replica]", "replica tells copies of one series apart"),
    (
        "sli: ttft, objective: 95, group_by: [a], alerting: {labels: {a: b}}",
        "a is fixed by labels and cannot group as well",
    ),
    ("sli: ttft, objective: 95, alerting: {labels: {severity: x}}", "severity is a label that the rules set"),
    ("sli: ttft, objective: 95, alerting: {labels: {sloth_id: x}}", "sloth_id is a label that the rules set"),
    ("sli: ttft, objective: 95, alerting: {labels: {a: ''}}", "an empty value is no label to Prometheus"),
    ("sli: ttft, objective: 95, alerting: {labels: {a: '{{ $value }}'}}", "is a template; labels are fixed here"),
    ("sli: ttft, objective: 95, alerting: {annotations: {a: '{{ $value'}}", "opens and closes {{ }} unequally often"),
    ("sli: ttft, objective: 95, alerting: {name: 'Too slow'}", '"Too slow" cannot name an alert'),
    (
        "sli: ttft, objective: 95, alerting: {page: {disable: yes}}",
        '`alerting.page.disable` is "yes", it is needed as true or false',
    ),
    ("sli: ttft, objective: 95, alerting: {tiers: []}", "`tiers` has no items"),
    ("sli: ttft, objective: 95, runbook_url: 'javascript:x'", "is no URL: it needs http:// or https:// first"),
    ("sli: ttft, objective: 95, low_traffic: {min_bad: 0}", "0 is no least count of bad events"),
    ("sli: ttft, objective: 95, low_traffic: {wilson: 95}", "95 is no confidence"),
    (
        "sli: ttft, objective: 95, low_traffic: {min_bad: 3, wilson: 0.9}",
        "min_bad and wilson are two ways of one thing",
    ),
    ("sli: {bad: 'rate(a[{{window}}])'}, objective: 95", "an SLI of one's own is bad and total, good and total"),
    ("sli: {}, objective: 95", "found nothing: keep one way"),
    ("sli: {bad: x, good: y, total: z}, objective: 95", "found bad, good, total: keep one way"),
    (
        "sli: {bad: 'rate(a[{{window}}])', total: 'increase(a[{{window}}])'}, objective: 95",
        "increase and rate are mixed",
    ),
    ("sli: {bad: 'rate(a[5m])', total: 'rate(a[{{window}}])'}, objective: 95", "the range [5m] is fixed"),
    (
        "sli: {bad: 'rate(a[{{window}}])', total: 'rate(a[{{window}}])', native: true}, objective: 95",
        "there is none: leave it out",
    ),
    (
        "sli: {bad: 'sum(rate(a[{{window}}]))', total: 'rate(a[{{window}}])'}, objective: 95, group_by: [x]",
        "group_by needs x, the expression sums it away: add by (x)",
    ),
    ("sli: {ratio: 'a[5m]'}, objective: 95", "this is no instant vector"),
    ("sli: {ratio: a}, objective: 95, threshold: 2s", "only a histogram has a threshold"),
    ("sli: {ratio: a}, objective: 95, select: {a: b}", "select is for SLIs of the catalog"),
    ("sli: {histogram: a}, objective: 95", "a histogram needs a threshold"),
    ("sli: {histogram: a_bucket}, threshold: 2s, objective: 95", "a_bucket is a series of the histogram"),
]


@pytest.mark.parametrize(("members", "message"), REFUSED)
def test_what_cannot_be_kept_is_refused_with_its_reason(members, message):
    assert any(message in text for text in said(members)), said(members)
    assert all(": error: " in text and text.startswith("slo.yaml:4: ") for text in said(members))


@pytest.mark.parametrize(
    ("tier", "message"),
    [
        (
            "factor: 20.1, long: 1h, short: 5m",
            "a factor of 20.1 never fires at 95 %, a total outage burns 20 times the budget: write less",
        ),
        ("factor: 2, long: 8d, short: 5m", "needed is short < long <= 7d12h, a quarter of the window"),
        ("factor: 2, long: 5m, short: 5m", "short 5m and long 5m do not fit"),
        (
            "factor: 2, long: 1h, short: 3m",
            "a short window of 3m holds too few scrapes of 1m: write `short: 4m` or more (tier/scrapes)",
        ),
        ("factor: 2, long: 1h, short: 300.5s", '"300.5s" is no whole number of seconds'),
        ("factor: 0, long: 1h, short: 5m", "0 is no burn factor"),
    ],
)
def test_a_tier_that_cannot_work_is_refused(tier, message):
    text = f"sli: ttft, objective: 95, alerting: {{tiers: [{{name: a, severity: page, {tier}}}]}}"
    assert any(message in one for one in said(text)), said(text)


NAMES = ["a", "-a", "a-", "a b", "../x", "a/b", "..", ".a", "a" * 101, "", "ä1", "a\n", "%2e"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_becomes_no_path(name):
    for text in (f"version: llmslo/v1\nservice: {name!r}\nslos: [{{name: one, sli: ttft, objective: 95}}]",):
        (finding,) = read(text).findings
        assert "name" in finding.text
        assert finding.line == 2


def test_snapping_moves_a_threshold_to_the_nearest_edge_and_says_so():
    text = "sli: ttft, objective: 95, threshold: 2600ms"
    assert said(text, snap=True) == [
        "slo.yaml:4: warning: no bucket ends at 2.6s, nearest 2s and 3s: moved to 3s by --snap (slo/bucket)"
    ]
    assert read(f"{HEAD}  - {{name: one, {text}}}", snap=True).slos[0].sli.threshold == 3


def test_a_native_histogram_has_no_edges():
    assert slo("sli: ttft, objective: 95, threshold: 2600ms, native: true").sli.threshold == 2.6


def test_a_computed_edge_need_not_be_written_to_the_last_digit():
    edge = catalog.source("tgi").sli("latency").edges[20]
    assert slo(f"sli: latency, source: tgi, objective: 95, threshold: {edge:.6g}s").sli.threshold == edge


def test_a_label_nobody_knows_is_a_warning_when_it_looks_like_a_slip():
    assert "did you mean model?" in said("sli: ttft, objective: 95, select: {modle: x}")[0]
    assert "did you mean model?" in said("sli: ttft, objective: 95, group_by: [modle, pod]")[0]
    assert said("sli: ttft, objective: 95, select: {cluster: x}") == []


def test_everything_wrong_is_said_at_once_each_with_its_line():
    text = "version: llmslo/v1\nservice: x\nlabls: {}\nslos:\n- name: aa\n  sli: ttft\n  objective: 5\n"
    text += "- sli: ttft\n  objective: 95\n"
    assert [finding.line for finding in read(text).findings] == [2, 3, 7, 8]


def test_one_wrong_slo_does_not_hide_what_is_wrong_with_another():
    found = read(
        f"{HEAD}- {{name: aa, sli: nope, objective: 95}}\n- {{name: bb, sli: ttft, objective: 95, threshold: 7s}}\n"
    )
    assert [(finding.check, finding.line) for finding in found.findings] == [("slo/sli", 4), ("slo/bucket", 5)]


ONE = "version: llmslo/v1\nservice: {}\nslos: [{{name: {}, sli: ttft, objective: 95}}]\n"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (("bot", "one"), ("bot", "one"), "SLO one of service bot is already there, a.yaml:3: rename one"),
        (("bot", "one"), ("bot", "One"), "SLO One of service bot has the file name of one of bot, a.yaml:3"),
        (("a1-b1", "c1"), ("a1", "b1-c1"), "SLO b1-c1 of service a1 has the file name of c1 of a1-b1, a.yaml:3"),
        (("bot", "one"), ("Bot", "two"), "service Bot has the file name of service bot, a.yaml:3: write both alike"),
    ],
)
def test_two_slos_never_share_a_file(first, second, message):
    found = reading.read({"a.yaml": ONE.format(*first).encode(), "b.yaml": ONE.format(*second).encode()})
    assert any(message in finding.text and finding.file == "b.yaml" and finding.line == 3 for finding in found.findings)


def test_a_service_may_stand_in_several_documents_and_files():
    text = ONE.format("bot", "one") + "---\n" + ONE.format("bot", "two")
    found = reading.read({"a.yaml": text.encode(), "b.yaml": ONE.format("bot", "three").encode()})
    assert found.findings == ()
    assert [(slo.id, slo.place.line) for slo in found.slos] == [("bot-one", 3), ("bot-two", 7), ("bot-three", 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "slo.yaml:1: error: the file is empty: begin with `version: llmslo/v1`"),
        ("# nothing\n---\n", "slo.yaml:1: error: the file is empty"),
        ("version: llmslo/v2\nthis: that\n", "slo.yaml:1: error: `version` is 'llmslo/v2', only llmslo/v1 is known"),
        ("service: bot\n", "slo.yaml:1: error: `version` is missing"),
        ("- a\n", "slo.yaml:1: error: `the document` is a list, it is needed as a mapping"),
        ("text", 'slo.yaml:1: error: `the document` is "text", it is needed as a mapping'),
        (HEAD + "- text\n", 'slo.yaml:4: error: `the item` is "text", it is needed as a mapping'),
        (HEAD, "slo.yaml:3: error: `slos` is nothing, it is needed as a list"),
        ("version: llmslo/v1\nservice: bot\nslos: []\n", "slo.yaml:3: error: `slos` has no items"),
        (
            HEAD + "- {name: aa, sli: ttft, objective: 95}\nscrape_interval: 10m\n",
            'slo.yaml:5: error: `scrape_interval`: "10m" cannot be',
        ),
        (
            HEAD + "- {name: aa, sli: ttft, objective: 95}\nlabels: {tier: a}\n",
            "slo.yaml:5: error: tier is a label that the rules set",
        ),
    ],
)
def test_what_is_no_spec_is_said(text, message):
    assert any(message in str(finding) for finding in read(text).findings), read(text).findings


KEYS = ["version", "service", "slos", "name", "sli", "objective", "window", "select", "threshold", "alerting", "tiers"]
words = st.sampled_from(
    [*KEYS, "llmslo/v1", "ttft", "bot", "2s", "30d", "95", "99.9", "~(", "{{window}}", "rate(a[{{window}}])"]
)
tokens = words | st.sampled_from(
    [": ", "\n", "\n  ", "\n- ", "{", "}", "[", "]", ", ", "'", '"', "&a ", "*a", "<<", ".nan", "~"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(tokens, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_gives_slos_or_findings(text):
    found = read(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert found.slos or found.findings
    assert all(str(finding).count("\n") == 0 for finding in found.findings)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | words | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from([*KEYS, "source", "group_by", "low_traffic", "native", "description"]), values))
def test_any_values_in_an_slo_give_an_slo_or_findings(members):
    base = {"name": "one", "sli": "ttft", "objective": 95} | members
    text = HEAD + "- " + flow(base)
    found = read(text)
    assert found.slos or found.findings
    assert all(str(finding).count("\n") == 0 for finding in found.findings)


def flow(value):
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )
