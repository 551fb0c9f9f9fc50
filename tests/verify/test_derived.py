"""From recorded spans to SLOs, rules and back: what is derived holds for its own traces, and tells of every fault."""

from __future__ import annotations

import io
import json

import pytest

from llmslo_rulegen import cli
from llmslo_rulegen.verify.gate import BREACH, FINE
from tests.verify import made
from tests.verify.test_command import INCIDENT, USUAL


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    """Return the SLO file that `derive` writes of the recorded calls."""
    folder = tmp_path_factory.mktemp("derived")
    words = ["derive", USUAL, "--out", str(folder / "slo.yaml"), "--report", str(folder / "report.html")]
    assert cli.main(words, io.StringIO()) == 0
    return folder / "slo.yaml"


def verified(*words):
    out = io.StringIO()
    code = cli.main(["verify", *words, "--json"], out)
    return code, json.loads(out.getvalue())


def test_the_baseline_keeps_the_slos_derived_from_it_and_every_fault_fails_what_it_should(derived):
    code, found = verified(USUAL, "--slo", str(derived), "--faults")
    assert code == FINE
    assert {one["details"]["verdict"] for one in found["baseline_evaluations"]} == {"met"}
    assert {(one["missed"] or one["strays"]) == [] for one in found["test_results"]} == {True}
    assert found["coverage"]["untested"] == []
    services = {call.service for call in made.recorded()}
    assert {one["service"] for one in found["slo_candidates"]} == services
    told_of = {name for one in found["test_results"] for name in one["failed"]}
    assert told_of == {one["slo"] for one in found["baseline_evaluations"]}


def test_the_incident_breaks_what_was_derived_before_it(derived):
    code, found = verified(INCIDENT, "--slo", str(derived))
    assert code == BREACH
    assert found["baseline_failures"] >= 1


def test_what_was_derived_renders(derived, tmp_path):
    assert cli.main(["render", str(derived), "--out", str(tmp_path / "out")], io.StringIO()) == 0
    assert list((tmp_path / "out" / "rules").glob("*.yaml"))
