"""convert, and files of others given to the commands, as a user runs them."""

from __future__ import annotations

import io
import json

import pytest

from llmslo_rulegen import cli
from tests.rules import documents
from tests.rules.documents import slo, sloth, text

OURS = """\
version: llmslo/v1
service: shop
slos:
  - name: requests
    sli: {bad: 'sum(rate(failed_total[{{window}}]))', total: 'sum(rate(calls_total[{{window}}]))'}
    objective: 99.9
    window: month
"""


@pytest.fixture
def file(tmp_path):
    def write(content, name="slo.yaml"):
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def run(*argv):
    out = io.StringIO()
    return cli.main([str(one) for one in argv], out), out.getvalue()


def test_what_cannot_be_held_is_an_error_with_its_place(file, capsys):
    code, printed = run("convert", file(OURS), "--to", "pyrra")
    assert (code, printed) == (1, "")
    assert "slo.yaml:4: error: shop-requests: `window` is lost: Pyrra has no calendar" in capsys.readouterr().err


def test_lossy_writes_the_rest_and_lists_what_went(file, capsys):
    code, printed = run("convert", file(OURS), "--to", "sloth", "--lossy")
    assert code == 0
    assert printed.startswith("version: prometheus/v1\n")
    assert "shop-requests: `window` is lost: Sloth has no calendar windows: month" in capsys.readouterr().err


SLICED = """\
version: llmslo/v1
service: shop
slos:
  - {name: queue, sli: {good_when: max(queue_depth) < 100}, objective: 99}
"""


def test_a_document_of_nothing_is_not_written(file, tmp_path, capsys):
    target = tmp_path / "pyrra.yaml"
    assert run("convert", file(SLICED), "--to", "pyrra", "--lossy", "--out", target) == (1, "")
    assert "slo.yaml:4: error: shop-queue: " in (said := capsys.readouterr().err)
    assert "; nothing is left to write" in said
    assert not target.exists()


def test_what_a_document_of_others_loses_is_an_error_too(file, capsys):
    path = file(documents.SLOTH["contrib-slo-plugins"])
    assert run("convert", path, "--to", "llmslo") == (1, "")
    assert "chain[0].id` is left out: sloth.dev/contrib/info_labels/v1" in capsys.readouterr().err
    code, printed = run("convert", path, "--to", "llmslo", "--lossy")
    assert code == 0
    assert printed.startswith("version: llmslo/v1\nservice: shop\n")


def test_a_flag_that_the_target_needs_is_printed(file, capsys):
    path = file(text(sloth(slo())))
    assert run("convert", path, "--to", "sloth", "--sloth-period", "28d")[0] == 0
    assert "give sloth the flag --default-slo-period=28d" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["render", "check", "test", "explain", "convert", "compare", "diff", "backfill"])
def test_every_command_that_reads_files_takes_the_window_of_sloths(command, capsys):
    assert run(command, "--help")[0] == 0
    assert "--sloth-period 30d" in capsys.readouterr().out


def test_a_conversion_goes_to_a_file_whole_or_not_at_all(file, tmp_path, capsys):
    path = file(text(sloth(slo())))
    assert run("convert", path, "--to", "llmslo", "--out", tmp_path / "ours.yaml") == (0, "")
    assert run("check", tmp_path / "ours.yaml")[0] == 0
    assert run("convert", path, "--to", "llmslo", "--out", tmp_path)[0] == 1
    assert "cannot write" in capsys.readouterr().err
    assert {one.name for one in tmp_path.iterdir()} == {"slo.yaml", "ours.yaml"}


def test_a_conversion_as_json(file):
    code, printed = run("convert", file(OURS), "--to", "sloth", "--lossy", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found.keys() == {"document", "losses", "flags", "findings"}
    assert found["losses"][0] == {
        "slo": "shop-requests",
        "key": "window",
        "text": "Sloth has no calendar windows: month",
        "lost": True,
    }


@pytest.mark.parametrize(
    "argv",
    [
        ("convert", "slo.yaml"),
        ("convert", "slo.yaml", "--to", "nobl9"),
        ("compare", "slo.yaml"),
        ("render", "slo.yaml", "--out", "out", "--format", "helm"),
        ("render", "slo.yaml", "--out", "out", "--namespace", "Not_Valid"),
        ("render", "slo.yaml", "--out", "out", "--namespace", "a" * 64),
        ("render", "slo.yaml", "--out", "out", "--label", "role"),
        ("render", "slo.yaml", "--out", "out", "--label", "a b=c"),
        ("render", "slo.yaml", "--out", "out", "--label", f"a={'b' * 64}"),
        ("render", "slo.yaml", "--out", "out", "--sloth-period", "month"),
        ("render", "slo.yaml", "--out", "out", "--sloth-period", "1h"),
    ],
)
def test_wrong_usage_is_2(argv, capsys):
    assert run(*argv)[0] == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["getting-started", "kubernetes-apiserver", "multifile, Kubernetes"])
def test_rules_are_rendered_from_files_of_others(file, tmp_path, name):
    path, out = file(documents.SLOTH[name]), tmp_path / "out"
    assert run("render", path, "--out", out)[0] == 0
    assert run("check", path, "--out", out)[0] == 0
    assert (out / "rules/shop.yaml").read_text().startswith("# Rendered by llmslo-rulegen")
    assert "requests" in run("explain", path)[1]


def test_what_is_left_out_is_a_warning_of_render_and_fails_a_strict_check(file, tmp_path, capsys):
    path = file(documents.PYRRA["alerting: absent off"])
    assert run("render", path, "--out", tmp_path / "out")[0] == 0
    assert "slo.yaml:" in (said := capsys.readouterr().err)
    assert "warning: `spec.alerting.absent` is left out" in said
    assert run("check", path)[0] == 0
    assert run("check", path, "--strict")[0] == 1


@pytest.mark.parametrize("name", ["prometheusrule", "vmrule", "mimir", "thanos", "openslo"])
def test_a_format_is_compared_with_what_was_rendered(file, tmp_path, name):
    path, out = file(OURS), tmp_path / "out"
    assert run("render", path, "--out", out, "--format", name)[0] == 0
    assert run("check", path, "--out", out, "--rendered", name)[0] == 0
    (changed, *_) = sorted(out.glob("*/*shop*.yaml"))
    changed.write_text(changed.read_text() + "# more\n")
    code, printed = run("check", path, "--out", out, "--rendered", name)
    assert code == 1
    assert "is not what rendering gives" in printed


def test_another_format_prunes_the_files_of_the_one_before(file, tmp_path):
    # A file of this name in a folder beside would keep them.
    path, out = file(OURS, "pruned.yaml"), tmp_path / "out"
    assert run("render", path, "--out", out)[0] == 0
    assert run("render", path, "--out", out, "--format", "prometheusrule", "--prune")[0] == 0
    assert not list(out.glob("rules/*"))
    assert (out / "prometheusrule/shop-requests.yaml").exists()


def test_what_openslo_cannot_say_is_listed(file, tmp_path, capsys):
    path = file(OURS)
    code, printed = run("render", path, "--out", tmp_path / "out", "--format", "openslo", "--json")
    assert code == 0, capsys.readouterr().err
    assert {"alerting", "alerting.tiers"} <= {one["key"] for one in json.loads(printed)["losses"]}


def test_a_file_whose_slos_lean_on_another_one_keeps_its_files(tmp_path):
    """In doubt a file stays: alone it cannot be read."""
    sli, promise = documents.OPENSLO["SLO and SLI, `indicatorRef`"].split("---\n")
    for name, content in (("sli.yaml", sli), ("promise.yaml", promise), ("ours.yaml", OURS)):
        (tmp_path / name).write_text(content)
    files = [tmp_path / name for name in ("sli.yaml", "promise.yaml", "ours.yaml")]
    assert run("render", *files, "--out", tmp_path / "out")[0] == 0
    assert run("render", files[2], "--out", tmp_path / "out", "--prune")[0] == 0
    assert (tmp_path / "out/tests/shop-shop-availability.yaml").exists()
