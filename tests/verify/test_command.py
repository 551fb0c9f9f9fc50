"""The command: exit codes, JSON under the copilot's names, OpenSLO documents, and one line for what is wrong."""

from __future__ import annotations

import gzip
import io
import json
import sys

import pytest

from llmslo_rulegen import cli, reading
from llmslo_rulegen.verify.gate import BREACH, FINE, NO_DATA, UNPROVEN
from tests.verify import made

USUAL, INCIDENT = (str(made.SPANS / f"{name}.jsonl.gz") for name in ("usual", "incident"))
COPILOT = {  # reference of the copilot's report and of its gate's
    "slo_candidates",
    "baseline_evaluations",
    "test_results",
    "coverage",
    "telemetry_recommendation",
    "rca",
    "policy_snippets",
    "integrations",
    "future_integrations",
    "baseline_failures",
    "test_failures",
    "guardrail_passed",
}


@pytest.fixture
def own(tmp_path):
    """Return an SLO file that the recorded calls keep."""
    path = tmp_path / "slo.yaml"
    path.write_text(made.own_promises(made.recorded()))
    return str(path)


def run(*words):
    out = io.StringIO()
    return cli.main(["verify", *words], out), out.getvalue()


def told(*words):
    code, out = run(*words, "--json")
    return code, json.loads(out)


def test_recorded_calls_pass_their_own_slos_and_every_fault_is_told_of(own):
    code, out = run(USUAL, "--slo", own, "--faults")
    assert code == FINE
    assert out.endswith("10 SLOs over 683 calls of 4 services: 10 met; 16 faults, all told of as they should\n")


def test_the_recorded_incident_is_a_breach_and_says_by_what(own):
    code, found = told(INCIDENT, "--slo", own)
    assert code == BREACH
    causes = {one["slo"]: one["bad_events"] for one in found["rca"]}
    assert causes["support-chat-availability"]["connection_error"] > 3
    assert "out_of_bounds" in causes["tagger-latency"]


def test_the_report_has_the_copilots_fields_and_every_slo_once(own):
    code, found = told(USUAL, "--slo", own, "--fault", "latency:service=tagger,+10s")
    assert code == FINE
    assert found.keys() >= COPILOT
    names = [f"{one['service']}-{one['name']}" for one in found["slo_candidates"]]
    assert [one["slo"] for one in found["baseline_evaluations"]] == names
    assert [one["slo"] for one in found["test_results"][0]["evaluations"]] == names
    assert all(one["passed"] is True for one in found["baseline_evaluations"])
    assert {"slo", "passed", "observed_value", "threshold", "comparator", "metric", "details"} == found[
        "baseline_evaluations"
    ][0].keys()
    targets = [one["target"] for one in found["slo_candidates"]]
    assert all(isinstance(one["metric"], str) and isinstance(one["window_days"], int) for one in targets)
    assert found["test_results"][0]["failed"] == ["tagger-latency"]
    assert found["coverage"]["ratio"] == 1.0
    assert found["guardrail_passed"] is True


def document(service, name, sli, objective):
    return f"version: llmslo/v1\nservice: {service}\nslos:\n  - name: {name}\n    {sli}\n    objective: {objective}\n"


BREACHED = document("tagger", "fast", "sli: latency\n    source: otel-genai-b\n    threshold: 20ms", 99)
SILENT = document("nobody", "up", "sli: availability\n    source: otel-genai-b", 99)
BLIND = document("tagger", "slow", "sli: latency\n    source: otel-genai-b\n    threshold: 81.92s", 50)


@pytest.mark.parametrize(
    ("documents", "on", "code"),
    [
        ((BREACHED, SILENT), (), BREACH),  # what is missing never hides a breach
        ((BREACHED, SILENT), ("no-data",), NO_DATA),
        ((BREACHED, SILENT), ("no-data", "baseline"), BREACH),
        ((BREACHED, SILENT), ("tests",), UNPROVEN),
        ((BREACHED, SILENT), ("never",), FINE),
        ((SILENT,), (), NO_DATA),
        ((SILENT,), ("baseline",), FINE),
        ((BLIND,), (), UNPROVEN),
        ((BLIND,), ("baseline", "no-data"), FINE),
    ],
)
def test_what_stops_and_with_which_code(tmp_path, documents, on, code):
    blind = BLIND if BLIND not in documents else ""
    text = "---\n".join(filter(None, (*documents, blind if "tests" in on else "")))
    text = text.replace("name: slow", "name: blind") if blind else text
    (tmp_path / "slo.yaml").write_text(text)
    words = [word for one in on for word in ("--fail-on", one)]
    found, report = told(USUAL, "--slo", str(tmp_path / "slo.yaml"), "--fault", "latency:service=tagger,+1s", *words)
    assert (found, report["exit_code"], report["guardrail_passed"]) == (code, code, code == FINE)


def test_openslo_documents_are_read_again(own, tmp_path):
    folder = tmp_path / "openslo"
    code, found = told(USUAL, "--slo", own, "--openslo", str(folder))
    assert code == FINE
    written = found["integrations"]["openslo"]
    assert len(written) == 4
    back = reading.read({name: (tmp_path / name).read_bytes() for name in written})
    assert [one.level.value for one in back.findings if one.level.value == "error"] == []
    assert {one.id for one in back.slos} == {one["slo"] for one in found["baseline_evaluations"]}


def test_a_source_that_is_not_the_slos_is_refused_unless_asked_for(tmp_path, capsys):
    path = tmp_path / "slo.yaml"
    path.write_text(made.text("tagger", ("availability", 90, None), source="llmslo"))
    code, found = told(USUAL, "--slo", str(path))
    assert code == NO_DATA
    assert "--cross-source" in found["telemetry_recommendation"][0]["text"]
    code, out = run(USUAL, "--slo", str(path), "--cross-source")
    assert code == FINE
    assert "1 met" in out
    assert "not those of another measuring point" in capsys.readouterr().err


def test_own_promql_is_named_as_what_traces_cannot_say(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text(
        "version: llmslo/v1\nservice: tagger\nslos:\n  - name: own\n    objective: 99\n    sli:\n"
        "      bad: rate(e_total[{{window}}])\n      total: rate(t_total[{{window}}])\n"
    )
    code, out = run(USUAL, "--slo", str(path))
    assert code == NO_DATA
    assert "tagger-own  not verifiable: it counts by PromQL of its own" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fault", "latency:service=taggr,+1s"), "hit none of 683 calls: their services are assistant, summaries"),
        (("--slo", "missing.yaml"), "cannot be read"),
        (("--from", "yesterday"), "yesterday"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(own, words, said, tmp_path, capsys):
    code, out = run(USUAL, "--slo", own, *words, "--openslo", str(tmp_path / "out"))
    err = capsys.readouterr().err
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("--fault", "latency"), ("--fail-on", "maybe"), ("--seed", "x"), ()])
def test_wrong_usage_exits_2(words, capsys):
    assert run(USUAL, *words)[0] == 2
    err = capsys.readouterr().err
    assert "usage:" in err
    assert "maybe" not in words or "any, baseline, tests, no-data, never" in err


def test_spans_without_a_call_are_no_data(own, tmp_path):
    path = tmp_path / "other.json"
    span = {"name": "GET /", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    code, found = told(str(path), "--slo", own)
    assert code == NO_DATA
    assert found["coverage"]["skipped"] == {"not_llm": 1}
    assert {one["details"]["verdict"] for one in found["baseline_evaluations"]} == {"no events"}


def test_names_from_traces_do_not_reach_the_terminal_as_they_are(tmp_path):
    path = tmp_path / "spans.jsonl"
    path.write_bytes(
        gzip.decompress((made.SPANS / "incident.jsonl.gz").read_bytes()).replace(b'"tagger"', b'"\\u001b[31m"')
    )
    slo = tmp_path / "slo.yaml"
    slo.write_text(made.text("tagger", ("availability", 90, None)))
    code, out = run(str(path), "--slo", str(slo))
    assert code == NO_DATA
    assert "\x1b" not in out


def test_a_run_is_the_same_again(own):
    words = (USUAL, "--slo", own, "--faults", "--seed", "7")
    assert run(*words) == run(*words)
    assert "llmslo_rulegen.verify.command" in sys.modules
