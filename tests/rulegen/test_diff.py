"""What a change of SLO files means, in sentences that are worked out here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmslo_rulegen import reading_cost
from tests.rulegen.test_cli import COMMAND, run
from tests.rules.backend import Series, lacks, storage
from tests.rules.counters import EPOCH_S

BASE = """\
version: llmslo/v1
service: bot
labels: {team: assistants}
scrape_interval: 1m
slos:
  - name: first-token
    description: The first token comes in time.
    sli: ttft
    threshold: 2s
    objective: 99
    window: 30d
    select: {namespace: prod}
    runbook_url: https://example.org/r
    alerting: {name: Slow, labels: {area: chat}, annotations: {chat: "#a"}}
  - name: shop
    sli:
      bad: sum(rate(http_requests_total{code=~"5..", job="a"}[{{window}}]))
      total: sum(rate(http_requests_total{job="a"}[{{window}}]))
    objective: 99.9
"""
MIXED = "other events count from now on: for 30d the budget is made of both"
ANEW = "its records have other labels, back-fill them to keep the past"
EXTRA = """\
  - name: extra
    sli: availability
    objective: 99.5
"""
# What is replaced by what, and sentences that must be said; a line that begins with `!` must not be.
CHANGES = {
    "a looser objective": (
        "objective: 99.9", "objective: 99.5",
        "changed bot-shop (2.yaml:15)",
        "objective 99.9 % -> 99.5 %: looser",
        "budget: 0.1 % -> 0.5 % of the events, 1,000 -> 5,000 of 1,000,000; 43m -> 3h36m of total outage",
        # 14.4 x 0.001 x 1h = 51.8 s, 14.4 x 0.005 x 1h = 259 s; a tenth of the outage takes ten times as long.
        ("page_fast (page): burn 14.4 over 1h and 5m, not before 4 bad events; "
        "tells of 100% bad after 52s -> 4m19s, 10% bad after 8m38s -> 43m, 1% bad never"),
        f"!{MIXED}",
    ),
    "a stricter objective": (
        "objective: 99\n", "objective: 99.9\n",
        "objective 99 % -> 99.9 %: stricter",
        "budget: 1 % -> 0.1 % of the events, 10,000 -> 1,000 of 1,000,000; 7h12m -> 43m of total outage",
    ),
    "a shorter window": (
        "window: 30d", "window: 7d",
        "window 30d -> 7d",
        # 1 % of 7 d are 100.8 minutes.
        "budget: 1 % of the events, 10,000 of 1,000,000; 7h12m -> 1h41m of total outage",
    ),
    "a calendar's window": (
        "window: 30d", "window: month",
        "window 30d -> calendar month",
        "budget: 1 % of the events, 10,000 of 1,000,000; 7h12m -> 7h26m of total outage",
        "!page_fast",
    ),
    "a stricter threshold": ("2s", "1s", "threshold 2s -> 1s: stricter", MIXED, "!budget:", "!cost:"),
    "a looser threshold": ("2s", "3s", "threshold 2s -> 3s: looser", MIXED),
    "another SLI": ("sli: ttft", "sli: latency", "sli ttft of llmslo -> latency of llmslo", MIXED),
    "another source": (
        "sli: ttft\n    threshold: 2s", "sli: ttft\n    source: vllm\n    threshold: 1s",
        "sli ttft of llmslo -> ttft of vllm", "threshold 2s -> 1s: stricter",
        'select was role="client", and is gone', MIXED,
    ),
    "a native histogram": ("threshold: 2s", "threshold: 2s\n    native: true", "native is on", MIXED),
    "another label's value": ("prod", "test", 'select namespace="prod" -> namespace="test"', MIXED),
    "one label more": ("{namespace: prod}", "{namespace: prod, model: a}", 'select is model="a"', MIXED),
    "one label less": ("    select: {namespace: prod}\n", "", 'select was namespace="prod", and is gone', MIXED),
    "a budget per model": (
        "window: 30d", "group_by: [model]",
        "group_by is model", f"the budget begins anew, one for each model: {ANEW}", f"!{MIXED}",
    ),
    "other bad events": (
        "5..", "5..|429",
        ('bad sum(rate(http_requests_total{code=~"5..",job="a"}[{{window}}])) -> '
        'sum(rate(http_requests_total{code=~"5..|429",job="a"}[{{window}}]))'),
        MIXED,
    ),
    "other events at all": (
        'total{job="a"}', 'total{job=~"a|b"}',
        ('total sum(rate(http_requests_total{job="a"}[{{window}}])) -> '
        'sum(rate(http_requests_total{job=~"a|b"}[{{window}}]))'),
        MIXED,
    ),
    "a name": (
        "name: shop", "name: store",
        "renamed bot-shop -> bot-store (2.yaml:15)",
        "alert ShopBudgetBurn -> StoreBudgetBurn: routes and silences by the old name no longer meet it",
        f"the budget begins anew: {ANEW}",
    ),
    "a service": (
        "service: bot", "service: chat",
        "renamed bot-first-token -> chat-first-token (2.yaml:6)", "renamed bot-shop -> chat-shop (2.yaml:15)",
    ),
    "an SLO more": (
        "    objective: 99.9\n", "    objective: 99.9\n" + EXTRA,
        "added bot-extra (2.yaml:20)",
        "objective is 99.5 %", "window is 30d", "sli is availability of llmslo",
        "budget: 0.5 % of the events, 5,000 of 1,000,000; 3h36m of total outage",
        ("page_fast (page) is new: burn 14.4 over 1h and 5m, not before 4 bad events; "
        "tells of 100% bad after 4m19s, 10% bad after 43m, 1% bad never"),
    ),
    "an SLO less": (
        BASE[BASE.index("  - name: shop") :], "",
        "removed bot-shop (1.yaml:15)",
        "its records and alerts end; `render --prune` takes its files away",
    ),
    "an alert's name": (
        "name: Slow", "name: Slower",
        "alert Slow -> Slower: routes and silences by the old name no longer meet it", "!cost:",
    ),
    "an alert's label": ("area: chat", "area: shop", "alert label area chat -> shop: on its alerts only"),
    "an annotation": ('"#a"', '"#b"', "annotation chat #a -> #b: on its alerts only"),
    "a label of the file": (
        "team: assistants", "team: chat",
        "label team assistants -> chat: on alerts and on slo:info only, no budget begins anew",
        "changed bot-first-token (2.yaml:6)", "changed bot-shop (2.yaml:15)",
    ),
    "a description": (
        "comes in time", "comes", "description The first token comes in time. -> The first token comes.: in alerts and"
    ),
    "a runbook": (
        "org/r", "org/s", "runbook_url https://example.org/r -> https://example.org/s: on its alerts only"
    ),
    "how often is scraped": ("scrape_interval: 1m", "scrape_interval: 30s", "scrape_interval 1m -> 30s", "cost: "),
    "no pages": (
        "{name: Slow,", "{name: Slow, page: {disable: true},",
        "page is off: nobody is woken while it is off", "page_fast (page) is gone", "page_slow (page) is gone",
    ),
    "a least count": (
        "    alerting:", "    low_traffic: {min_bad: 9}\n    alerting:",
        "low_traffic solved -> min_bad 9",
        ("page_fast (page): burn 12.5 over 1h and 5m, not before 4 -> 9 bad events; "
        "tells of 100% bad after 7m30s, 10% bad never, 1% bad never"),
    ),
    "tiers of one's own": (
        "{name: Slow,", "{tiers: [{name: p, severity: page, factor: 10, long: 1h, short: 5m}], name: Slow,",
        "tiers solved -> your own",
        ("p (page) is new: burn 10 over 1h and 5m, not before 5 bad events; "
        "tells of 100% bad after 6m, 10% bad after 1h, 1% bad never"),
        "ticket_slow (ticket) is gone",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def diff(before, after, *options):
    Path("1.yaml").write_text(before)
    Path("2.yaml").write_text(after)
    return run("diff", "1.yaml", "2.yaml", *options)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_said_with_what_it_means(name):
    old, new, *sentences = CHANGES[name]
    assert BASE.count(old) == 1
    code, text = diff(BASE, BASE.replace(old, new))
    assert code == 0
    lines = [line.strip() for line in text.splitlines()]
    for sentence in sentences:
        found = [line for line in lines if line.startswith(sentence.removeprefix("!"))]
        assert bool(found) != sentence.startswith("!"), f"{sentence}\n{text}"


def test_twenty_changes_are_told():
    assert len(CHANGES) >= 20


REWRITTEN = """\
# A comment, other order, other quotes, other lines, a flow and an anchor: the same promises.
slos:
  - objective: 99.90
    sli: {total: 'sum(rate(http_requests_total{job="a"}[{{ window }}]))',
          bad: "sum(\\n rate( http_requests_total{job='a',code=~'5..'}[{{.window}}] )\\n)"}
    name: shop
  - {name: first-token, sli: ttft, objective: 99.0, threshold: 2000ms, window: 4w2d, select: {namespace: [prod]},
     source: llmslo, low_traffic: {min_bad: auto}, runbook_url: "https://example.org/r",
     description: "The first token comes in time.",
     alerting: {annotations: {chat: "#a"}, labels: {area: chat}, name: Slow, tiers: null, page: {disable: false}}}
service: "bot"
labels:
  team: 'assistants'
version: llmslo/v1
"""


def test_what_only_looks_different_is_silent(capsys):
    assert diff(BASE, REWRITTEN, "--exit-code") == (0, "")
    assert diff(BASE, REWRITTEN, "--format=markdown") == (0, "")
    assert capsys.readouterr().err == ""
    assert json.loads(diff(BASE, REWRITTEN, "--json")[1]) == {"changes": []}


def test_the_exit_code_says_whether_something_changed():
    changed = BASE.replace("99.9", "99.5")
    assert diff(BASE, changed)[0] == 0
    assert diff(BASE, changed, "--exit-code")[0] == 1


def test_output_is_the_same_on_every_run():
    Path("1.yaml").write_text(BASE)
    Path("2.yaml").write_text(BASE.replace("service: bot", "service: shop").replace("prod", "test"))
    said = {
        subprocess.run(
            [COMMAND, "diff", "1.yaml", "2.yaml", "--json"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(said) == 1


def test_json_holds_the_numbers():
    _, text = diff(BASE, BASE.replace("99.9", "99.5"))
    (change,) = json.loads(diff(BASE, BASE.replace("99.9", "99.5"), "--json")[1])["changes"]
    assert change["budget"] == {
        "before": {"share": 0.001, "events_per_million": 1000, "minutes": pytest.approx(43.2)},
        "after": {"share": 0.005, "events_per_million": 5000, "minutes": 216},
    }
    (fast, *_) = change["detection"]
    assert fast["after"]["detection_seconds"]["1"] == pytest.approx(14.4 * 0.005 * 3600)
    assert change["text"][0] in text


def test_markdown_is_a_comment_whose_values_mean_nothing_to_it():
    hostile = BASE.replace("The first token comes in time.", "'`a` | **b** <script>'")
    _, text = diff(BASE, hostile.replace("99.9", "99.5"), "--format=markdown")
    assert text.startswith("**SLOs: 2 changed**\n\n#### `bot-first-token`: changed (`2.yaml:6`)\n")
    assert "- description `The first token comes in time.` -> `` `a` | **b** <script> ``: in alerts" in text
    rows = re.findall(r"^\|.*\|$", text, flags=re.MULTILINE)
    assert rows[:3] == [
        "| alert | 100% bad | 10% bad | 1% bad |",
        "|---|---|---|---|",
        "| page_fast | after 52s -> 4m19s | after 8m38s -> 43m | never |",
    ]


def git(*words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture
def repository():
    git("init", "-q", "-b", "main")
    Path("team").mkdir()
    Path("team/slo.yaml").write_text(BASE)
    git("add", ".")
    git("commit", "-qm", "one")
    Path("team/slo.yaml").write_text(BASE.replace("99.9", "99.5"))
    git("commit", "-qam", "two")


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["main~1:team/slo.yaml", "team/slo.yaml"], "objective 99.9 % -> 99.5 %"),
        (["team/slo.yaml", "HEAD~1:./team/slo.yaml"], "objective 99.5 % -> 99.9 %"),
        (["--rev", "HEAD~1..HEAD", "team/slo.yaml"], "objective 99.9 % -> 99.5 %"),
        (["--rev", "HEAD~1", "team/slo.yaml"], "objective 99.9 % -> 99.5 %"),
        (["--rev", "HEAD~1..", "team/slo.yaml"], "objective 99.9 % -> 99.5 %"),
    ],
)
def test_revisions_of_git_are_compared(words, sentence):
    code, text = run("diff", *words)
    assert code == 0
    assert sentence in text


@pytest.mark.usefixtures("repository")
def test_a_file_that_a_revision_did_not_have_is_all_new():
    Path("new.yaml").write_text(BASE.replace("service: bot", "service: new"))
    assert "added new-shop" in run("diff", "--rev", "HEAD", "new.yaml", "team/slo.yaml")[1]
    Path("new.yaml").unlink()
    Path("team/slo.yaml").unlink()
    assert "removed bot-shop" in run("diff", "--rev", "HEAD", "team/slo.yaml")[1]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rev", "nowhere..HEAD", "team/slo.yaml"], "nowhere: error: git knows no such revision here"),
        (["--rev=--output=x..HEAD", "team/slo.yaml"], "git knows no such revision here"),
        (["HEAD:missing.yaml", "team/slo.yaml"], "HEAD:missing.yaml: error: git knows no such file"),
        (["HEAD:team", "team/slo.yaml"], "HEAD:team: error: "),
        (["missing.yaml", "team/slo.yaml"], "missing.yaml: error: cannot be read"),
        (["--upload-pack=x:y", "team/slo.yaml"], ""),
    ],
)
def test_what_git_does_not_have_is_one_clear_line(words, said, capsys):
    code, text = run("diff", *words)
    assert (code, text) in {(1, ""), (2, "")}
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_without_a_repository_revisions_are_refused(capsys):
    Path("slo.yaml").write_text(BASE)
    assert run("diff", "--rev", "HEAD", "slo.yaml")[0] == 1
    assert "git knows no such revision here" in capsys.readouterr().err


def test_a_side_that_cannot_be_read_is_refused_with_its_name(capsys):
    assert diff(BASE, BASE.replace("ttft", "tfft"))[0] == 1
    assert capsys.readouterr().err.startswith("2.yaml:8: error: the catalog has no metric for an SLI tfft")


@pytest.mark.parametrize("words", [["1.yaml"], ["1.yaml", "2.yaml", "3.yaml"], ["--rev", "A", "--out", "b", "c"]])
def test_other_counts_of_files_are_wrong_usage(words):
    assert run("diff", *words)[0] == 2


@pytest.mark.parametrize("name", ["a looser objective", "tiers of one's own", "a label of the file", "an alert's name"])
def test_files_are_compared_with_what_was_rendered_of_them(name):
    Path("slo.yaml").write_text(BASE)
    assert run("render", "slo.yaml", "--out", "out", "--no-tests")[0] == 0
    assert run("diff", "slo.yaml", "--out", "out", "--exit-code") == (0, "")
    old, new, *sentences = CHANGES[name]
    Path("slo.yaml").write_text(BASE.replace(old, new))
    code, text = run("diff", "slo.yaml", "--out", "out", "--exit-code")
    assert code == 1
    for sentence in sentences:
        if not sentence.startswith(("!", "tiers ", "changed ")):
            assert sentence in text, text


@pytest.mark.parametrize("option", ["--pyrra", "--no-sloth-compat"])
def test_what_was_rendered_with_an_option_is_compared_with_it(option):
    Path("slo.yaml").write_text(BASE)
    run("render", "slo.yaml", "--out", "out", "--no-tests", option)
    assert run("diff", "slo.yaml", "--out", "out", option) == (0, "")
    assert run("diff", "slo.yaml", "--out", "out")[1].endswith("2 changed\n")


SLOTH = """\
version: prometheus/v1
service: bot
slos:
  - name: calls
    objective: 99.9
    sli: {events: {error_query: 'sum(rate(e_total[{{.window}}]))', total_query: 'sum(rate(c_total[{{.window}}]))'}}
    alerting: {name: Calls}
"""


def test_the_window_of_sloths_files_is_given_as_everywhere():
    Path("slo.yaml").write_text(SLOTH)
    run("render", "slo.yaml", "--out", "out", "--no-tests", "--sloth-period", "28d")
    assert run("diff", "slo.yaml", "--out", "out", "--sloth-period", "28d") == (0, "")
    assert "window 28d -> 30d" in run("diff", "slo.yaml", "--out", "out")[1]
    _, text = diff(SLOTH, SLOTH.replace("99.9", "99"), "--sloth-period", "28d")
    assert "40m -> 6h43m of total outage" in text  # of 28 days: 40 min 19 s and 403 min 12 s


def test_an_edited_rule_is_seen_and_other_files_are_left_out():
    Path("slo.yaml").write_text(BASE)
    run("render", "slo.yaml", "--out", "out", "--no-tests")
    Path("out/rules/hand.yaml").write_text("groups: [")
    path = Path("out/rules/bot.yaml")
    path.write_text(path.read_text().replace("time() % 3600", "time() % 1800", 1))
    _, text = run("diff", "slo.yaml", "--out", "out")
    assert "rendered with other options, by another version, or edited by hand" in text
    assert text.endswith("1 changed\n")


READ = (
    "x",
    "x offset 5m",
    "x + on () x",
    "x or x",
    "sum(x) and on () (x > 1e9)",
    "sum_over_time(x[1h])",
    "increase(x[5m])",
    "max_over_time(x[1h:5m])",
    "last_over_time((x offset 10m)[39m59s999ms:20m])",
    "sum_over_time(last_over_time((x offset 10m)[39m59s999ms:20m])[2h59m59s999ms:1h])",
    "max without (replica) (last_over_time(x[1h])) - (min_over_time(x[15m] offset 1h) or x)",
    "label_replace(x, 'a', 'b', '', '') or label_replace(-x, 'a', 'c', '', '')",
    "vector(time() % 3600) < 1800",
    "absent(x) or group(x == 0)",
)


@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
def test_samples_are_counted_as_prometheus_counts_them():
    counted = Series("x", {"job": "a"}, [(EPOCH_S + at_s, at_s) for at_s in range(0, 6 * 3600 + 1, 30)])
    at_s = EPOCH_S + 5 * 3600 + 10  # between two samples and off every step
    with storage() as stored:
        stored.fill([counted])
        with stored.served() as server:
            read = {each: server.query(each, at_s).touched for each in READ}
    assert {each: reading_cost.cost([("a", each)], 30).samples for each in READ} == read


def test_the_cost_of_rules_is_the_sum_of_theirs():
    rules = [("a", "sum_over_time(x[1h]) + y"), ("b", "max_over_time(slo:x[5m:1m])"), ("c", "1")]
    assert reading_cost.cost(rules, 30) == reading_cost.Cost(3, 3, 120 + 1 + 5)
    assert reading_cost.cost([("a", "sum_over_time(slo:x[1h])")], 30).samples == 60


def test_an_outline_of_many_slos_does_not_render_them():
    """Only what changed is looked at closely: a review of one line must not cost what a rendering does."""
    many = "".join(f"  - {{name: s{n}, sli: ttft, objective: 99}}\n" for n in range(300))
    head = "version: llmslo/v1\nservice: bot\nslos:\n"
    Path("1.yaml").write_text(head + many)
    Path("2.yaml").write_text((head + many).replace("s7, sli: ttft, objective: 99}", "s7, sli: ttft, objective: 95}"))
    code = (
        "import sys; from llmslo_rulegen import cli, outline; made = [];"
        "real = outline.groups; outline.groups = lambda *a, **k: made.append(1) or real(*a, **k);"
        "cli.main(['diff', '1.yaml', '2.yaml'], sys.stderr); print(len(made))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert int(found.stdout) <= 2


PAGE = (Path(__file__).parents[2] / "docs" / "diff.md").read_text()


def test_the_example_of_the_page_is_what_diff_prints():
    (before,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (shown,) = re.findall(r"```\n(changed .*?)```", PAGE, flags=re.DOTALL)
    assert diff(before, before.replace("99.5", "99.9"))[1].replace("2.yaml", "slo.yaml") == shown


def test_the_commands_of_the_page_are_taken():
    commands = [line.split() for line in re.findall(r"^llmslo-rulegen (.*)$", PAGE, flags=re.MULTILINE)]
    assert len(commands) >= 4
    Path("out").mkdir()
    git("init", "-q", "-b", "main")
    Path("slo.yaml").write_text(BASE)
    git("add", ".")
    git("commit", "-qm", "one")
    git("commit", "-qm", "two", "--allow-empty")
    Path("old.yaml").write_text(BASE)
    assert [run(*words)[0] for words in commands] == [0] * len(commands)
