import json
import os
import re
import threading
from io import StringIO

import pytest

from llmslo_rulegen.baseline import period
from llmslo_rulegen.cli import main
from tests.traces import written
from tests.traces.test_formats import SPANS
from tests.traces.test_hostile_traces import spans
from tests.traces.written import BEGIN_NS, Told


def run(*argv):
    out = StringIO()
    return main(["baseline", *map(str, argv)], out), out.getvalue()


@pytest.fixture
def traces(tmp_path):
    path = tmp_path / "traces.json"
    path.write_bytes(written.lines([*SPANS, *spans(20)]))
    return path


def test_a_baseline_is_saved_merged_and_shown(traces, tmp_path, capsys):
    one, both = tmp_path / "one", tmp_path / "both"
    code, text = run("save", traces, "--out", one)
    assert (code, text) == (0, f"{one}: 23 calls of 3 kinds in 1 hour, from 2025-10-09T08:00Z to 2025-10-09T09:00Z\n")
    assert capsys.readouterr().err == "skipped 1 span: not an LLM call\n"
    code, text = run("merge", one, one, "--out", both, "--json")
    assert (code, json.loads(text)["calls"]) == (0, 46)
    assert run("show", one)[1] == run("show", traces)[1]
    shown = json.loads(run("show", both, traces, "--json")[1])
    assert shown["calls"] == 69
    assert shown["skipped"] == {"not_llm": 1}
    first = shown["kinds"][0]
    assert (first["service"], first["calls"], first["outcomes"]) == ("chat", 63, {"ok": 63})
    assert first["quantiles"]["time_to_first_token_seconds"]["p50"] == pytest.approx(0.25, rel=0.01)


def test_a_table_for_people(traces):
    code, text = run("show", traces)
    assert code == 0
    assert "chat  chat  openai  gpt-4o  stream  prompt 8k  (otel-genai-b)\n  calls      21, 0 failed\n" in text
    assert re.search(r"  ttft       p50 (2\d\d) ms, p95 \1 ms, p99 \1 ms \(21\)\n", text)
    assert "  calls      1, 1 failed: 1 rate_limited\n" in text


def test_names_of_strangers_do_not_command_the_terminal(tmp_path):
    path = tmp_path / "spans"
    path.write_bytes(written.lines([Told("a\x1b[2J\nb", "c", BEGIN_NS, BEGIN_NS + 5, SPANS[1].attributes)]))
    assert "\x1b" not in run("show", path)[1]


def test_a_time_leaves_out_what_is_outside(traces, tmp_path, capsys):
    assert run("show", traces, "--from", "2025-10-09T08:53:20Z", "--to", "2025-10-09T08:53:21+00:00")[0] == 0
    assert run("show", traces, "--from", "2025-10-09T08:53:21Z")[0] == 1
    assert "none of 24 spans is an LLM call: 23 outside the time that was asked for" in capsys.readouterr().err
    run("save", traces, "--out", tmp_path / "b")
    assert run("show", tmp_path / "b", "--from", "2025-10-09", "--to", "2025-10-10")[0] == 0
    assert run("show", tmp_path / "b", "--from", "2025-10-10")[0] == 1


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["show"], "nothing to read: give trace files, folders of them, a saved baseline"),
        (["show", "{}/none"], "none: No such file or directory"),
        (["show", "{}/traces.json", "--from", "noon"], "'noon' is no time: write 2026-11-01"),
        (["show", "{}/traces.json", "--from", "2026-01-02", "--to", "2026-01-01"], "is not before --to"),
        (["save", "{}/traces.json", "--out", "{}/none/b"], "cannot write"),
        (
            ["merge", "{}/traces.json", "--out", "{}/b"],
            "traces.json: it is no saved baseline: `llmslo-rulegen baseline save` makes",
        ),
        (["show", "{}/web.json"], "none of 1 spans is an LLM call: 1 not an LLM call; docs/traces.md lists"),
        (["show", "{}/nothing.json"], "there is no span in what was read"),
    ],
)
def test_wrong_input_is_one_line(traces, argv, text, capsys):
    (traces.parent / "web.json").write_bytes(written.lines(SPANS[3:]))
    (traces.parent / "nothing.json").write_bytes(b'{"resourceSpans":[]}')
    assert run(*(part.format(traces.parent) for part in argv))[0] == 1
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1
    assert not (traces.parent / "b").exists()


def test_a_pipe_is_read(traces):
    pipe = traces.parent / "pipe"
    os.mkfifo(pipe)
    feeding = threading.Thread(target=lambda: pipe.write_bytes(traces.read_bytes()), daemon=True)
    feeding.start()
    assert run("show", pipe)[1].startswith("23 calls of 3 kinds")
    feeding.join(10)


def test_what_is_left_out_of_a_folder_is_named(traces, capsys):
    (traces.parent / "README.md").write_text("notes")
    assert run("show", traces.parent)[0] == 0
    assert f"left out, by name no traces: {traces.parent}/README.md\n" in capsys.readouterr().err


def test_saved_baselines_and_traces_of_one_folder_add_up(traces):
    assert run("save", traces, "--out", traces.parent / "old.baseline")[0] == 0
    assert json.loads(run("show", traces.parent, "--json")[1])["calls"] == 46


def test_times_as_people_write_them():
    now = 10**18
    assert period.instant_ns("2h", now) == now - 2 * 3600 * 10**9
    assert period.instant_ns("1970-01-02", now) == 86400 * 10**9
    assert period.instant_ns("1970-01-01T02:00:00.5+01:00", now) == 3600 * 10**9 + 500_000_000
    for text in ("", "later", "2026-13-01", "-5d", "1e9"):
        with pytest.raises(ValueError, match="is no time"):
            period.instant_ns(text, now)
