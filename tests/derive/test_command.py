"""The command as a user runs it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmslo_rulegen import cli
from llmslo_rulegen.derive import document
from tests.derive import baselines

ROOT = Path(__file__).parents[2]
SPANS = ROOT / "tests/data/spans/usual.jsonl.gz"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def _run(*arguments):
    out = io.StringIO()
    code = cli.main([str(one) for one in arguments], out)
    return code, out.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return baselines.save(tmp_path_factory.mktemp("saved") / "mixed.jsonl", baselines.world("mixed models"))


@pytest.mark.skipif(not SPANS.exists(), reason="spans of the real model are not recorded: make spans")
@pytest.mark.parametrize("ending", ["html", "md"])
def test_recorded_spans_become_slos_and_rules(tmp_path, ending):
    slo, out = tmp_path / "slo.yaml", tmp_path / "out"
    assert _run("derive", SPANS, "--out", slo, "--report", tmp_path / f"report.{ending}") == (0, "")
    text = slo.read_text()
    assert "PROVISIONAL" in text
    assert (tmp_path / f"report.{ending}").stat().st_size > 1000
    assert _run("render", slo, "--out", out)[0] == 0
    assert _run("check", slo, "--out", out)[0] == 0
    for document_ in text.split("---\n"):
        service = document_.split("service: ")[1].split("\n")[0]
        assert f"job: {service}" in document_


def test_without_out_the_file_goes_to_standard_output(saved):
    code, text = _run("derive", saved)
    assert code == 0
    assert "# derived: learnt from 28 days, 2024-10-07 00:00Z to 2024-11-04 00:00Z\n" in text
    assert text.count("  - name: ") == 3


def test_json_says_what_is_proposed(saved, tmp_path):
    code, text = _run("derive", saved, "--json", "--hold-out", "20%", "--out", tmp_path / "slo.yaml")
    assert code == 0
    slos = json.loads(text)["slos"]
    assert [one["slo"] for one in slos] == ["availability", "ttft-m-small", "ttft-m-large"]
    for one in slos:
        assert one["bad_share_low"] <= one["bad_share"] <= one["bad_share_high"] <= one["bad_share_next_30d_high"]
        assert one["held_out"]["holds"]
        assert one["block_hours"] == 24
        assert one["aspired_percent"] > one["objective_percent"]


def test_update_shows_a_diff_and_write_makes_it(saved, tmp_path, capsys):
    slo = tmp_path / "slo.yaml"
    _run("derive", saved, "--out", slo)
    slo.write_text(slo.read_text().replace("objective: 98", "objective: 99.9"))
    before = slo.read_text()
    capsys.readouterr()
    code, diff = _run("derive", saved, "--update", slo)
    assert code == 0
    assert "-    objective: 99.9\n" in diff
    assert "+    objective: 98\n" in diff
    assert "loosen" in capsys.readouterr().err
    assert slo.read_text() == before
    assert json.loads(_run("derive", saved, "--update", slo, "--write", "--json")[1])["diff"] == diff
    assert "objective: 98\n" in slo.read_text()
    assert _run("derive", saved, "--update", slo) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--write",), "--write is for --update"),
        (("--update", "slo.yaml", "--out", "b.yaml"), "leave it out"),
        (("--update", "nowhere.yaml"), "cannot read nowhere.yaml"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_line(saved, capsys, arguments, says):
    assert _run("derive", saved, *arguments) == (1, "")
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--hold-out", "60%"), ("--hold-out", "x"), ("--report", "a.pdf"), ("--cross-source", "x")]
)
def test_wrong_values_are_usage_errors(saved, arguments):
    assert _run("derive", saved, *arguments)[0] == 2


def test_files_of_other_formats_and_line_ends_are_not_updated(saved, tmp_path, capsys):
    path = tmp_path / "sloth.yaml"
    path.write_text("version: prometheus/v1\nservice: a-b\nslos: []\n")
    assert _run("derive", saved, "--update", path)[0] == 1
    path.write_bytes(
        b"version: llmslo/v1\r\nservice: ab\r\nslos:\r\n  - {name: up, sli: availability, objective: 99}\r\n"
    )
    assert _run("derive", saved, "--update", path)[0] == 1
    assert "line ends of Windows" in capsys.readouterr().err


def test_nothing_that_can_be_promised_is_an_error_and_no_file(tmp_path, capsys):
    from llmslo_rulegen.baseline.cell import Kind  # noqa: PLC0415

    few = baselines.of_calls(Kind("vllm", "s1", "chat", "p", "m", stream=True), 2, 5, 1)
    path = baselines.save(tmp_path / "few.jsonl", few)
    assert _run("derive", path, "--out", tmp_path / "slo.yaml", "--report", tmp_path / "r.html")[0] == 1
    assert "10 events are too few: 50 are needed" in capsys.readouterr().err
    assert not (tmp_path / "slo.yaml").exists()
    assert "Refused" in (tmp_path / "r.html").read_text()


def test_another_source_warns(saved, capsys):
    code, text = _run("derive", saved, "--cross-source", "llmslo")
    assert code == 0
    assert "WARNING: measured by vllm" in text
    assert "measured by vllm, promised of llmslo" in capsys.readouterr().err


def test_the_library_is_not_loaded_for_other_commands():
    code = "import sys; from llmslo_rulegen import cli; cli.main(['slis'], sys.stderr); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: apt-get install chromium")
def test_a_browser_shows_the_page(saved, tmp_path):
    page = tmp_path / "report.html"
    _run("derive", saved, "--out", tmp_path / "slo.yaml", "--report", page)
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=1"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    assert done.stdout.count("<figure") == 2 + 3 + 3
    assert done.stdout.count("<svg") == done.stdout.count("</svg>") == 8
    assert "CONSOLE" not in done.stderr  # no error of style, policy or markup
    assert document.MARK not in done.stdout
