"""The command as a user runs it: arguments in, streams, files and an exit code out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from llmslo_exporter.catalog import BY_SOURCE, SLIS
from llmslo_rulegen import cli, promtool

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("llmslo-rulegen")
SPEC = """\
version: llmslo/v1
service: bot
labels: {team: assistants}
runbook_url: https://example.org/runbooks/bot
slos:
  - {name: up, sli: availability, objective: 99.5, description: Calls are answered.}
  - name: first-token
    description: The first token comes in time.
    sli: ttft
    objective: 95
    threshold: 2s
    group_by: [model]
    select: {namespace: prod, model: "~gpt-4o.*", provider: [openai, azure.ai.openai]}
  - name: own
    description: The shop works.
    sli:
      bad: sum(rate(http_requests_total{code=~"5.."}[{{window}}]))
      total: sum(rate(http_requests_total[{{window}}]))
    objective: 99.9
"""
needs_promtool = pytest.mark.skipif(promtool.find() is None, reason="needs promtool")


def run(*argv):
    """Return exit code and output of the command."""
    out = io.StringIO()
    return cli.main([str(argument) for argument in argv], out), out.getvalue()


def output(*argv):
    code, text = run(*argv)
    assert code == 0
    return text


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def spec(tmp_path):
    """Return an SLO file alone in a folder that shares its parent with no other test's."""
    (tmp_path / "team").mkdir()
    path = tmp_path / "team" / "slo.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def out(spec):
    return spec.parent / "out"


def without_promtool(monkeypatch):
    monkeypatch.setenv("PATH", "")


def test_slis_lists_each_with_its_metrics():
    text = output("slis")
    for sli in SLIS:
        assert f"{sli.name}: {sli.description}\n" in text
    assert "  llm_time_to_first_token_seconds\n" in text


def test_slis_as_json_holds_what_a_rule_needs():
    every = json.loads(output("slis", "--json"))
    assert {one["source"] for one in every} == set(BY_SOURCE)
    found = {sli["name"]: sli for sli in every if sli["source"] == "llmslo"}
    assert set(found) == {sli.name for sli in SLIS}
    ttft = found["ttft"]
    assert ttft["metrics"] == ["llm_streams_total", "llm_time_to_first_token_seconds"]
    assert ttft["threshold"] in ttft["edges"]
    assert ttft["good"] == [{"metric": "llm_time_to_first_token_seconds", "part": "within", "labels": {}}]
    assert ttft["total"][0]["labels"] == {"outcome": ["completed", "error_event", "truncated"]}


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nothing"],
        ["slis", "--yaml"],
        ["render", "slo.yaml"],
        ["render", "--out", "out"],
        ["check"],
        ["test", "slo.yaml", "--prune"],
        ["render", "slo.yaml", "--out", "out", "--no-test"],
    ],
)
def test_wrong_usage_is_2(argv, capsys):
    assert run(*argv)[0] == 2
    assert "usage: llmslo-rulegen" in capsys.readouterr().err


def test_version(capsys):
    assert run("--version")[0] == 0
    assert capsys.readouterr().out.startswith("llmslo-rulegen ")


def test_the_command_needs_nothing_of_the_exporter_but_its_catalog():
    code = (
        "import sys, llmslo_rulegen.cli, llmslo_rulegen.commands;"
        "print(*sorted(name for name in sys.modules if name.startswith(('llmslo_exporter.', 'prometheus_client'))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout
    assert all(name.startswith("llmslo_exporter.catalog") for name in result.stdout.split())


def test_listing_slis_loads_neither_the_reader_nor_the_rules():
    code = (
        "import sys, llmslo_rulegen.cli as cli; cli.main(['slis'], open('/dev/null', 'w'));"
        "sys.exit(bool({'pydantic', 'yaml', 'jinja2', 'promql_parser'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_rendered_files_say_what_rendered_them_from_what(spec, out):
    assert (
        output("render", spec, "--out", out)
        == f"{out}: 3 SLOs, {len(tree(out))} files written, 0 unchanged, 0 removed\n"
    )
    assert {"rules/bot.yaml", "tests/bot-up.yaml", "tests/bot-first-token.yaml", "tests/bot-own.yaml"} <= tree(
        out
    ).keys()
    assert any(path.startswith("alertmanager/") for path in tree(out))
    assert any(path.startswith("runbooks/") for path in tree(out))
    for path, text in tree(out).items():
        assert "Rendered by llmslo-rulegen" in text.split("\n", 1)[0], path
        assert "from slo.yaml: " in text.split("\n", 1)[0], path
        if path.endswith(".yaml"):
            yaml.safe_load(text)


def test_a_rule_file_holds_one_group_an_slo_in_the_order_of_their_names(spec, out):
    output("render", spec, "--out", out, "--no-tests")
    groups = yaml.safe_load((out / "rules/bot.yaml").read_text())["groups"]
    assert [group["name"] for group in groups] == ["slo-bot-first-token", "slo-bot-own", "slo-bot-up"]
    assert not (out / "tests").exists()


def test_output_is_the_same_on_every_run_wherever_it_goes(spec, tmp_path):
    """Another folder, another order of hashing, another locale, time zone and umask."""
    digests = set()
    for seed, folder in enumerate(("a", "b/c")):
        shutil.copytree(spec.parent, tmp_path / folder / "src", dirs_exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "LC_ALL": ("C", "C.UTF-8")[seed],
            "TZ": ("UTC", "Asia/Tokyo")[seed],
        }
        command = [COMMAND, "render", tmp_path / folder / "src" / "slo.yaml", "--out", tmp_path / folder / "out"]
        subprocess.run(
            command, env=environment, umask=(0o022, 0o077)[seed], timeout=60, check=True, capture_output=True
        )
        found = tree(tmp_path / folder / "out")
        assert len(found) > 6
        digests.add(hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest())
    assert len(digests) == 1


def test_rendering_again_changes_nothing(spec, out):
    output("render", spec, "--out", out, "--no-tests")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.yaml")}
    assert "0 files written" in output("render", spec, "--out", out, "--no-tests")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.yaml")} == before


def test_without_sloth_its_records_and_labels_are_left_out(spec, out):
    output("render", spec, "--out", out, "--no-tests")
    assert "sloth_id" in (out / "rules/bot.yaml").read_text()
    output("render", spec, "--out", out, "--no-tests", "--no-sloth-compat")
    assert "sloth" not in (out / "rules/bot.yaml").read_text()


def test_an_error_writes_nothing_and_says_all_of_it(spec, out, capsys):
    spec.write_text(SPEC.replace("ttft", "tfft").replace("99.9", "100"))
    assert run("render", spec, "--out", out) == (1, "")
    errors = capsys.readouterr().err
    assert f"{spec}:19: error: `objective`: 100 leaves no budget" in errors
    assert not out.exists()
    code, text = run("render", spec, "--out", out, "--json")
    assert code == 1
    assert [finding["line"] for finding in json.loads(text)["findings"]] == [19]


def test_snapping_is_said_and_needed(spec, out, capsys):
    spec.write_text(SPEC.replace("2s", "2100ms"))
    assert run("render", spec, "--out", out)[0] == 1
    assert "nearest 2s and 3s: write one of them, or render with --snap" in capsys.readouterr().err
    assert run("render", spec, "--out", out, "--snap", "--no-tests")[0] == 0
    assert f"{spec}:11: warning: no bucket ends at 2.1s, nearest 2s and 3s: moved to 2s" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.yaml", ".", "/dev/zero"])
def test_files_that_cannot_be_read_are_said(name, spec, out, capsys):
    assert run("render", spec.parent / name if name != "/dev/zero" else name, "--out", out)[0] == 1
    assert "error: " in capsys.readouterr().err


def test_a_file_given_twice_is_read_once(spec, out):
    assert "3 SLOs" in output("render", spec, spec.parent / ".." / "team" / "slo.yaml", "--out", out, "--no-tests")


def test_files_that_are_not_ours_are_left_alone(spec, out, capsys):
    (out / "rules").mkdir(parents=True)
    (out / "rules/bot.yaml").write_text("groups: []\n")
    assert run("render", spec, "--out", out)[0] == 1
    assert "is not ours: move it away or give another --out" in capsys.readouterr().err
    assert tree(out) == {"rules/bot.yaml": "groups: []\n"}


def test_pruning_takes_files_of_slos_that_are_gone_and_no_others(spec, out):
    output("render", spec, "--out", out)
    (out / "rules/hand.yaml").write_text("groups: []\n")
    spec.write_text(SPEC[: SPEC.index("  - name: own")])
    output("render", spec, "--out", out)
    assert "tests/bot-own.yaml" in tree(out)
    done = json.loads(output("render", spec, "--out", out, "--no-tests", "--prune", "--json"))
    assert "tests/bot-own.yaml" in done["removed"]
    assert {"rules/hand.yaml", "tests/bot-up.yaml", "rules/bot.yaml"} <= tree(out).keys()
    assert not any("own" in path for path in tree(out))


def test_check_finds_nothing_wrong_with_what_render_wrote(spec, out, capsys):
    output("render", spec, "--out", out)
    assert run("check", spec, "--out", out) == (0, "")
    assert capsys.readouterr().err == "0 errors, 0 warnings\n"
    assert output("check", spec) == ""


def test_check_finds_drift_and_its_line(spec, out):
    output("render", spec, "--out", out)
    path = out / "rules/bot.yaml"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:6], lines[6] + " ", *lines[7:]]))
    (out / "tests/bot-up.yaml").unlink()
    code, text = run("check", spec, "--out", out)
    assert code == 1
    assert f"{path}:7: error: is not what rendering gives: render again, edit the SLO file only (file/drift)" in text
    assert f"{out}/tests/bot-up.yaml: error: is missing: render again" in text
    assert run("check", spec, "--out", out, "--no-tests")[1].count("\n") == 1


def test_files_of_an_slo_that_is_gone_are_a_warning(spec, out):
    output("render", spec, "--out", out)
    spec.write_text(SPEC[: SPEC.index("  - name: own")])
    output("render", spec, "--out", out)
    code, text = run("check", spec, "--out", out)
    assert code == 0
    assert f"{out}/tests/bot-own.yaml: warning: is of an SLO that is gone: render with --prune (file/stale)" in text
    assert run("check", spec, "--out", out, "--strict")[0] == 1


def test_findings_of_check_are_data(spec):
    spec.write_text(SPEC.replace("threshold: 2s", "threshold: 7s"))
    code, text = run("check", spec, "--json")
    assert code == 1
    assert json.loads(text)["findings"] == [
        {
            "check": "slo/bucket",
            "file": str(spec),
            "line": 11,
            "column": 0,
            "severity": "error",
            "text": "no bucket ends at 7s, nearest 6s and 10s: write one of them, or render with --snap",
            "fix": "",
        }
    ]


def test_check_goes_on_without_promtool_and_says_so(spec, monkeypatch):
    without_promtool(monkeypatch)
    code, text = run("check", spec, "--strict")
    assert code == 0
    assert "rules: note: not checked by promtool: promtool is not found: install Prometheus" in text


def test_the_tests_need_promtool(spec, monkeypatch, capsys):
    without_promtool(monkeypatch)
    assert run("test", spec)[0] == 1
    assert "llmslo-rulegen: promtool is not found: install Prometheus" in capsys.readouterr().err


@needs_promtool
def test_a_rule_file_that_promtool_refuses_is_an_error(spec):
    """promql-parser knows functions that promtool 2.42 does not."""
    spec.write_text(
        SPEC[: SPEC.index("  - {name: up")]
        + "  - {name: odd, sli: {ratio: 'avg(mad_over_time(a[5m]))'}, objective: 99}\n"
    )
    code, text = run("check", spec)
    if promtool.find().version < (3, 0):
        assert code == 1
        assert "promtool refuses: " in text
        assert "mad_over_time" in text


FAILING = """\
rule_files: [../rules/bot.yaml]
tests:
  - promql_expr_test:
"""


@needs_promtool
def test_a_test_that_fails_is_1_and_says_which(spec, out):
    spec.write_text(SPEC[: SPEC.index("  - name: first-token")])
    output("render", spec, "--out", out, "--no-tests")
    (out / "tests").mkdir()
    (out / "tests/bot-up.yaml").write_text(FAILING + "      - {expr: vector(1), exp_samples: []}\n" * 40)
    for part in ("history", "burns"):
        (out / f"tests/bot-up+{part}.yaml").write_text("rule_files: [../rules/bot.yaml]\ntests: []\n")
    code, text = run("test", spec, "--out", out)
    assert code == 1
    assert text.startswith("FAILED bot-up\n")
    assert "lines more: --json has them all" in text
    assert text.endswith("0 passed, 1 failed, 0 skipped\n")
    code, text = run("test", spec, "--out", out, "--json")
    assert code == 1
    assert list(json.loads(text)["failed"]) == ["bot-up"]


@needs_promtool
def test_tests_that_were_not_rendered_are_an_error(spec, out, capsys):
    output("render", spec, "--out", out, "--no-tests")
    assert run("test", spec, "--out", out)[0] == 1
    assert "tests/bot-up.yaml: error: has not been rendered: render with tests first" in capsys.readouterr().err


@needs_promtool
def test_native_histograms_are_skipped_by_name_and_counted(spec):
    spec.write_text(
        SPEC[: SPEC.index("  - {name: up")]
        + "  - {name: nat, sli: {histogram: a, native: true}, threshold: 2s, objective: 99}\n"
    )
    code, text = run("test", spec)
    if promtool.find().version < (3, 0):
        assert code == 0
        assert "skipped bot-nat: native histograms need promtool 3, this is 2." in text
        assert text.endswith("0 passed, 0 failed, 1 skipped\n")


def test_explain_takes_names_ids_and_files_in_any_order(spec, monkeypatch):
    monkeypatch.chdir(spec.parent)
    assert output("explain", "up").startswith("bot-up: 99.5 % of what availability counts")
    assert output("explain", "bot-up", spec) == output("explain", spec, "up") == output("explain", "up")
    assert output("explain").count("% of") > 3
    assert [one["slo"] for one in json.loads(output("explain", "--json", spec))["slos"]] == [
        "bot-up",
        "bot-first-token",
        "bot-own",
    ]


def test_explaining_nobody_is_an_error(spec, capsys):
    assert run("explain", "fist-token", spec)[0] == 1
    assert "no SLO is called fist-token: did you mean first-token?" in capsys.readouterr().err


def test_the_starter_is_accepted_as_it_is_printed(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text(output("init"))
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(output("schema")))
    assert "2 SLOs" in output("render", path, "--out", tmp_path / "out", "--no-tests")


def test_what_the_starter_leaves_out_works_too(tmp_path):
    """Taking the # away from every example in it gives a file that is accepted."""
    example = re.compile(r"^( *)# ((?:  )*(?:- )?[a-z_]+:(?: .*)?)$", re.MULTILINE)
    text, count = example.subn(r"\1\2", output("init"))
    assert count >= 11
    path = tmp_path / "slo.yaml"
    path.write_text(text)
    assert output("explain", "checkout", path)
    assert run("check", path)[0] == 0


def test_a_bug_of_ours_is_3_with_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_run", lambda found, out: 1 / 0)  # noqa: ARG005
    assert run("slis")[0] == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_bug():
    with subprocess.Popen(
        [COMMAND, "slis", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    "words", [["slis"], ["slis", "--json"], ["explain", "slo.yaml"], ["check", "slo.yaml", "--json"]]
)
@pytest.mark.parametrize(
    ("redirection", "said"),
    [(">/dev/full", "standard output: No space left on device"), (">&-", "standard output is closed")],
)
def test_results_that_cannot_be_written_are_one_clear_line(tmp_path, words, redirection, said):
    (tmp_path / "slo.yaml").write_text(SPEC)
    shell = f'"$0" "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", shell, COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_nobody_need_listen_to_what_is_said_beside_the_results(tmp_path):
    (tmp_path / "slo.yaml").write_text(SPEC)
    done = subprocess.run(
        ["sh", "-c", '"$0" check slo.yaml 2>&-', COMMAND], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0


def test_a_reader_that_leaves_ends_it_quietly(tmp_path):
    shell = '"$0" slis --json | head -c 1; exit 0'
    done = subprocess.run(["sh", "-c", shell, COMMAND], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"{" if done.stdout == b"{" else b"[", b"")


@pytest.mark.parametrize("command", ["render", "check", "test", "diff", "convert"])
def test_an_empty_path_is_wrong_usage(command, capsys):
    assert run(command, "slo.yaml", "--out", "", *(["--to", "sloth"] if command == "convert" else []))[0] == 2
    assert "--out: is empty: give a path" in capsys.readouterr().err
