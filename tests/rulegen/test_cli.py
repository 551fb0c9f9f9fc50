from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from llmslo_exporter.catalog import SLIS
from llmslo_rulegen import cli


def output(*argv):
    out = io.StringIO()
    assert cli.main(argv, out) == 0
    return out.getvalue()


def test_slis_lists_each_with_its_metrics():
    text = output("slis")
    for sli in SLIS:
        assert f"{sli.name}: {sli.description}\n" in text
    assert "  llm_time_to_first_token_seconds\n" in text


def test_slis_as_json_holds_what_a_rule_needs():
    found = {sli["name"]: sli for sli in json.loads(output("slis", "--json"))}
    assert set(found) == {sli.name for sli in SLIS}
    ttft = found["ttft"]
    assert ttft["metrics"] == ["llm_time_to_first_token_seconds", "llm_streams_total"]
    assert ttft["threshold"] in ttft["edges"]
    assert ttft["bad"][0] == {"metric": "llm_time_to_first_token_seconds", "part": "above", "labels": {}}
    assert ttft["bad"][1]["labels"] == {"outcome": ["completed", "error_event", "truncated"], "first_token": ["false"]}


@pytest.mark.parametrize("argv", [[], ["nothing"], ["slis", "--yaml"]])
def test_wrong_usage_is_2(argv, capsys):
    assert cli.main(argv, io.StringIO()) == 2
    assert "usage: llmslo-rulegen" in capsys.readouterr().err


def test_version(capsys):
    assert cli.main(["--version"], io.StringIO()) == 0
    assert capsys.readouterr().out.startswith("llmslo-rulegen ")


def test_the_command_needs_nothing_of_the_exporter_but_its_catalog():
    code = (
        "import sys, llmslo_rulegen.cli;"
        "print(*sorted(name for name in sys.modules if name.startswith(('llmslo_exporter', 'prometheus_client'))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["llmslo_exporter", "llmslo_exporter.catalog"]
