"""Each lint: a document that trips it, and the same one with the fix that it names, which does not.

Lints that ask a server are in test_online_lints.py, on a real Prometheus.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmslo_rulegen.lints.every import LINTS
from llmslo_rulegen.lints.lint import Need
from tests.rulegen.test_cli import run

HEAD = "version: llmslo/v1\nservice: bot\nrunbook_url: https://example.org/r\nslos:\n"
ONE = "  - name: one\n    description: Answers come.\n    objective: 99\n"
TTFT = ONE + "    sli: ttft\n"
TIERS = "    alerting:\n      tiers:\n"
PAGE = "        - {name: page, severity: page, factor: 10, long: 1h, short: 5m}\n"
TOTAL = "      total: sum(rate(http_requests_total[{{window}}]))\n"


@dataclass(frozen=True)
class Trip:
    """`document` trips in the line where `old` stands; with `new` in its place it does not.

    `said` is of `new` what the fix has to name; `at` is what stands at the line and the column of the finding.
    """

    document: str
    old: str
    new: str
    said: str = ""
    at: str = ""
    options: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    is_refused: bool = False


def tier(text):
    return TTFT + TIERS + f"        - {{name: page, {text}}}\n"


def own(bad, total="sum(rate(http_requests_total[{{window}}]))", key="bad"):
    return ONE + f"    sli:\n      {key}: {bad}\n      total: {total}\n"


def slice_of(key, text, more=""):
    return ONE + f"    sli:\n      {key}: {text}\n{more}"


RULES = """\
groups:
  - name: old
    interval: 10m
    rules:
      - record: a:b
        expr: sum(c)
        labels: {x: "1"}
      - record: a:b
        expr: sum(d)
        labels: {x: "1"}
      - alert: Up
        expr: up == 0
        labels: {severity: page}
      - alert: Up
        expr: up < 1
        labels: {severity: page}
"""
ALERTMANAGER = """\
route:
  receiver: nobody
  routes:
    - matchers: [service="shop"]
      receiver: phone
receivers:
  - name: nobody
  - {name: phone, webhook_configs: [{url: "http://127.0.0.1:1"}]}
"""

TRIPS = {
    "tier/unreachable": Trip(
        tier("severity: page, factor: 101, long: 1h, short: 5m"),
        "factor: 101",
        "factor: 90",
        "factor: 90",
        is_refused=True,
    ),
    "tier/windows": Trip(
        tier("severity: page, factor: 2, long: 8d, short: 5m"),
        "long: 8d",
        "long: 7d12h",
        "long: 7d12h",
        is_refused=True,
    ),
    "tier/scrapes": Trip(
        tier("severity: page, factor: 14, long: 1h, short: 3m"), "short: 3m", "short: 4m", "short: 4m", is_refused=True
    ),
    "tier/shadowed": Trip(
        TTFT + TIERS + PAGE + PAGE.replace("page,", "more,", 1).replace("10", "14").replace("name: page", "name: more"),
        "        - {name: more, severity: page, factor: 14, long: 1h, short: 5m}\n",
        "",
        "take more out",
    ),
    "tier/late": Trip(
        tier("severity: page, factor: 10, long: 4d, short: 8h"), "long: 4d", "long: 1d12h", "long: 1d12h"
    ),
    "tier/hasty": Trip(
        tier("severity: page, factor: 1.5, long: 1d, short: 2h"), "factor: 1.5", "factor: 2", "factor: 2"
    ),
    "tier/nobody": Trip(
        TTFT + "    alerting: {page: {disable: true}, ticket: {disable: true}}\n",
        "ticket: {disable: true}",
        "ticket: {disable: false}",
        "ticket: {disable: false}",
    ),
    "tier/min-bad": Trip(TTFT + "    low_traffic: {min_bad: 1}\n", "min_bad: 1", "min_bad: 6", "min_bad: 6"),
    "objective/volume": Trip(
        slice_of("good_when", "up == 1", "    window: 1d\n").replace("99\n", "99.99\n"),
        "objective: 99.99",
        "objective: 99.9",
        "objective: 99.9",
    ),
    "traffic/low": Trip(
        TTFT,
        "sli: ttft",
        "sli: {good_when: probe_success == 1}",
        "good_when",
        "name: one",
        options=("--events-per-hour", "0.5"),
    ),
    "sli/timeout": Trip(
        ONE + "    sli: latency\n    threshold: 600s\n", "threshold: 600s", "threshold: 30s", "threshold: 30s"
    ),
    "sli/unknown-metric": Trip(
        own('sum(rate(llm_request_total{outcome="ok"}[{{window}}]))', "sum(rate(llm_requests_total[{{window}}]))"),
        "llm_request_total",
        "llm_requests_total",
        "llm_requests_total",
    ),
    "sli/unknown-label": Trip(
        own(
            'sum(rate(llm_requests_total{outcome="sever_error"}[{{window}}]))',
            "sum(rate(llm_requests_total[{{window}}]))",
        ),
        'outcome="sever_error"',
        'outcome="server_error"',
        'outcome="server_error"',
    ),
    "sli/unbounded-label": Trip(TTFT + "    group_by: [user_id]\n", "[user_id]", "[model]", "model"),
    "sli/fallback": Trip(
        own('sum(rate(http_requests_total{code=~"5.."}[{{window}}])) or vector(0)'),
        " or vector(0)",
        "",
        "take `or vector(0)` out",
    ),
    "sli/subset": Trip(
        own(
            'sum(rate(http_requests_total{code=~"5.."}[{{window}}]))',
            'sum(rate(http_requests_total{job="a"}[{{window}}]))',
        ),
        '{code=~"5.."}',
        '{code=~"5..",job="a"}',
        'job="a"',
    ),
    "sli/gauge-rate": Trip(
        own("sum(rate(llm_requests_in_flight[{{window}}]))"),
        "sli:\n      bad: sum(rate(llm_requests_in_flight[{{window}}]))\n" + TOTAL,
        "sli:\n      good_when: llm_requests_in_flight < 5\n",
        "good_when: llm_requests_in_flight < ",
        "llm_requests_in_flight[",
    ),
    "sli/rated-record": Trip(
        own("sum(rate(job:http_errors_total:sum[{{window}}]))"),
        "job:http_errors_total:sum",
        "http_errors_total",
        "`http_errors_total`",
    ),
    "sli/raw-counter": Trip(
        slice_of("good_when", "sum(http_errors_total) < 5"),
        "http_errors_total",
        "increase(http_errors_total[5m])",
        "increase(http_errors_total[5m])",
    ),
    "sli/same-events": Trip(
        own("sum(rate(http_requests_total[{{window}}]))"),
        "bad: sum(rate(http_requests_total[",
        'bad: sum(rate(http_requests_total{code=~"5.."}[',
        'code=~"5.."',
    ),
    "sli/mean-of-ratios": Trip(
        slice_of("ratio", "avg(rate(a_total[5m]) / rate(b_total[5m]))"),
        "avg(rate(a_total[5m]) / rate(b_total[5m]))",
        "sum(rate(a_total[5m])) / sum(rate(b_total[5m]))",
        "divide last, as `sum(bad) / sum(total)`",
    ),
    "sli/percent": Trip(
        slice_of("ratio", "100 * sum(rate(a_total[5m])) / sum(rate(b_total[5m]))")
        .replace("100 * ", "100 * (")
        .replace("[5m]))\n", "[5m])))\n"),
        "100 * ",
        "",
        "take `100 *`",
    ),
    "sli/quantile": Trip(
        slice_of("good_when", "histogram_quantile(0.99, sum by (le) (rate(a_seconds_bucket[5m]))) < 2"),
        "sli:\n      good_when: histogram_quantile(0.99, sum by (le) (rate(a_seconds_bucket[5m]))) < 2\n",
        "sli: {histogram: a_seconds}\n    threshold: 2\n",
        "sli: {histogram: a_seconds}",
        "histogram_quantile(",
    ),
    "sli/impossible": Trip(
        own('sum(rate(http_requests_total{code="500",code!="500"}[{{window}}]))'),
        ',code!="500"',
        "",
        'take `code!="500"` out',
    ),
    "sli/regex": Trip(TTFT + '    select: {model: "~gpt-4"}\n', '"~gpt-4"', '"gpt-4"', 'write `model: "gpt-4"`'),
    "sli/range": Trip(slice_of("ratio", "sum(rate(a_total[2m])) / sum(rate(b_total[2m]))"), "[2m]", "[4m]", "[4m]"),
    "sli/off-edge": Trip(
        own(
            'sum(rate(llm_time_to_first_token_seconds_bucket{le="2.5"}[{{window}}]))',
            "sum(rate(llm_time_to_first_token_seconds_count[{{window}}]))",
            "good",
        ),
        'le="2.5"',
        'le="2"',
        "write 2 or 3",
    ),
    "alert/runbook": Trip(
        TTFT,
        "    sli: ttft\n",
        "    sli: ttft\n    runbook_url: https://example.org/x\n",
        "runbook_url: https://",
        "name: one",
    ),
    "alert/description": Trip(
        TTFT.replace("    description: Answers come.\n", ""),
        "    sli: ttft\n",
        "    sli: ttft\n    description: Answers come.\n",
        "description: ",
        "name: one",
    ),
    "alert/template": Trip(
        TTFT + "    alerting: {annotations: {who: 'to {{ $labels.modle }}'}}\n    group_by: [model]\n",
        "$labels.modle",
        "$labels.model",
        "write `model`",
    ),
    "window/retention": Trip(
        TTFT + "    window: 30d\n", "window: 30d", "window: 7d", "a shorter `window`", options=("--retention", "15d")
    ),
    "rules/interval": Trip(
        TTFT,
        "interval: 10m",
        "interval: 5m",
        "interval: 5m",
        options=("--rules", "rules.yaml"),
        files={"rules.yaml": RULES},
    ),
    "rules/duplicate-record": Trip(
        TTFT,
        'expr: sum(d)\n        labels: {x: "1"}',
        'expr: sum(d)\n        labels: {x: "2"}',
        "tell them apart by a label",
        "a:b",
        options=("--rules", "rules.yaml"),
        files={"rules.yaml": RULES},
    ),
    "rules/duplicate-alert": Trip(
        TTFT,
        "expr: up < 1\n        labels: {severity: page}",
        "expr: up < 1\n        labels: {severity: ticket}",
        "tell them apart by a label",
        "Up",
        options=("--rules", "rules.yaml"),
        files={"rules.yaml": RULES},
    ),
    "alert/unrouted": Trip(
        TTFT,
        "matchers: [service=",
        "".join(
            f'matchers: [slo="one", severity="{each}"]\n      receiver: phone\n    - ' for each in ("page", "ticket")
        )
        + "matchers: [service=",
        'matchers: [slo="one", severity="page"]',
        "name: one",
        options=("--alertmanager", "alertmanager.yml"),
        files={"alertmanager.yml": ALERTMANAGER},
    ),
}
OFFLINE = [lint for lint in LINTS if lint.need is not Need.PROMETHEUS]


def checked(folder, document, options=(), files=None):
    """Return what `check --json` finds of one SLO file and those beside it, without promtool."""
    for name, text in {"slo.yaml": document, **(files or {})}.items():
        (folder / name).write_text(text)
    code, text = run(
        "check", folder / "slo.yaml", "--json", *(folder / one if one in (files or {}) else one for one in options)
    )
    return code, json.loads(text)["findings"]


def applied(trip):
    """Return document and files with the fix."""
    head = HEAD.replace("runbook_url: https://example.org/r\n", "") if "runbook_url: https" in trip.new else HEAD
    every = {"slo.yaml": head + trip.document, **trip.files}
    assert sum(trip.old in text for text in every.values()) == 1, "the fix has one place"
    fixed = {name: text.replace(trip.old, trip.new) for name, text in every.items()}
    return every, fixed


@pytest.mark.parametrize("code", [lint.code for lint in OFFLINE])
def test_a_lint_trips_and_its_fix_ends_it(code, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    trip = TRIPS[code]
    every, fixed = applied(trip)
    before = dict(every)
    _, findings = checked(tmp_path, every.pop("slo.yaml"), trip.options, every)
    found = [one for one in findings if one["check"] == code]
    assert found, findings
    assert trip.said in found[0]["fix"]
    text = before[found[0]["file"].rpartition("/")[2]].split("\n")[found[0]["line"] - 1]
    assert (trip.at or trip.old.split("\n")[0]) in text[max(found[0]["column"] - 1, 0) if trip.at else 0 :], found
    assert found[0]["severity"] == next(lint.level.value for lint in LINTS if lint.code == code)
    exit_code, findings = checked(tmp_path, fixed.pop("slo.yaml"), trip.options, fixed)
    assert [one for one in findings if one["check"] == code] == []
    assert not [one for one in findings if one["check"].startswith(("spec/", "slo/")) and one["severity"] != "note"], (
        findings
    )
    assert exit_code == (1 if any(one["severity"] == "error" for one in findings) else 0)


LENGTHS = ("1m", "3m", "5m", "10m", "30m", "1h", "2h", "6h", "12h", "1d", "3d", "7d", "8d", "20d")
OWN_TIERS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["one", "two"]),
            "severity": st.sampled_from(["page", "ticket"]),
            "factor": st.sampled_from([1, 1.1, 1.5, 2, 3, 6, 10, 14.4, 50, 150]),
            "long": st.sampled_from(LENGTHS[3:]),
            "short": st.sampled_from(LENGTHS[:10]),
        },
        optional={"min_bad": st.integers(1, 8)},
    ),
    max_size=2,
    unique_by=lambda tier: tier["name"],
)


SLOS = st.tuples(
    st.sampled_from(["15s", "1m", "2m"]),
    st.sampled_from([50, 80, 90, 95, 99, 99.9, 99.99]),
    st.sampled_from(["1d", "7d", "30d", "90d", "month"]),
    st.sampled_from(["auto", "1", "2", "5"]),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OWN_TIERS, SLOS)
def test_the_numbers_that_a_fix_names_end_it(tmp_path, monkeypatch, tiers, slo):
    monkeypatch.setenv("PATH", "")
    scrape, objective, window, min_bad = slo
    text = HEAD.replace("slos:", f"scrape_interval: {scrape}\nslos:") + ONE.replace("99", str(objective))
    text += f"    sli: ttft\n    window: {window}\n    low_traffic: {{min_bad: {min_bad}}}\n"
    text += "".join([TIERS, *(f"        - {json.dumps(tier)}\n" for tier in tiers)] if tiers else [])
    lines = text.split("\n")
    for found in checked(tmp_path, text)[1]:
        named = re.match(r"write (?:less, such as )?`([^`]+)`", found["fix"] or "")
        if named is None or not found["check"].startswith("tier/"):
            continue
        fixed = lines[found["line"] - 1]
        for key, value in (each.split(": ") for each in named[1].split(", ")):
            fixed = re.sub(rf'("?{key}"?: )"?[^,}}"]+"?', rf"\g<1>{value}", fixed, count=1)
        _, after = checked(tmp_path, "\n".join([*lines[: found["line"] - 1], fixed, *lines[found["line"] :]]))
        left = [one for one in after if one["line"] == found["line"]]
        assert not [one for one in left if one["check"] == found["check"] or one["check"].startswith("spec/")], found
