"""The command from end to end: files in, words, JSON and a page out."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from llmslo_rulegen import cli
from llmslo_rulegen.backtest import traffic
from llmslo_rulegen.traces.call import Call
from tests.backtest import made
from tests.rules.backend import Series, lacks, storage

SHIFT_S = 1_767_571_200  # Monday 2026-01-05 00:00 UTC


def _run(*arguments):
    out = io.StringIO()
    code = cli.main(["backtest", *map(str, arguments)], out)
    return code, out.getvalue()


@pytest.fixture
def files(tmp_path):
    slo, spans = tmp_path / "slo.yaml", tmp_path / "spans.json"
    slo.write_text(made.SLO_FILE)
    spans.write_text(made.otlp(made.calls(), SHIFT_S))
    return spans, "--slo", slo


def _instant(second):
    return datetime.fromtimestamp(SHIFT_S + second, UTC)


def test_a_known_outage_is_told_with_its_pages_and_its_budget(files):
    code, text = _run(*files)
    assert code == 0
    # At 09:02 it began; the first scrape of the errors' new series cannot tell how many they were before.
    assert "episode 1: 2026-01-05 09:03 to 2026-01-05 09:41" in text
    assert "2 pages (0 false), 2 tickets (0 false); 1 episode, 0 missed" in text
    assert re.search(r"page   page_fast   2026-01-05 09:\d\d, \d+m, episode 1", text)
    assert "chat/availability: 99.5 % over 30d" in text


def test_json_holds_the_same(files):
    code, text = _run(*files, "--json", "--grid", "objective=99,99.5", "factor=1,2")
    assert code == 0
    (found,) = json.loads(text)["slos"]
    (episode,) = found["episodes"]
    assert episode["begin"] - SHIFT_S == pytest.approx(made.OUTAGE_S[0], abs=120)
    assert episode["end"] - SHIFT_S == pytest.approx(made.OUTAGE_S[1], abs=180)
    first = min(alert["begin"] for alert in found["alerts"] if alert["severity"] == "page")
    assert episode["page_after_s"] == pytest.approx(first - episode["begin"])
    assert (found["pages"], found["false_pages"], found["missed"]) == (2, 0, 0)
    # Two of three calls fail for 40 minutes; since the day began at midnight, all of it.
    bad = sum(bool(call.error) for call in made.calls())
    total = len(made.calls())
    # Of each series the first sample hides what was before it.
    assert found["budgets"][-1]["spent"] == pytest.approx(
        bad / total / 0.005 * found["budgets"][-1]["covered"], rel=0.05
    )
    own = next(cell for cell in found["grid"] if (cell["objective"], cell["factor"]) == (99.5, 1))
    assert (own["pages"], own["missed"]) == (2, 0)
    assert len(found["grid"]) == 4


def test_given_episodes_are_what_alerts_are_judged_by(files):
    span = f"{_instant(3600):%Y-%m-%dT%H:%M}..{_instant(7200):%Y-%m-%dT%H:%M}"
    code, text = _run(*files, "--json", "--episode", span, "--exit-code")
    (found,) = json.loads(text)["slos"]
    assert (code, found["missed"], found["false_pages"], len(found["episodes"])) == (1, 1, 2, 1)


def test_the_exit_code_is_0_where_every_page_was_right(files):
    assert _run(*files, "--exit-code")[0] == 0


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]


def test_the_page_stands_alone_and_escapes_what_it_shows(files, tmp_path):
    spans, _, slo = files
    slo.write_text(made.SLO_FILE.replace("objective", 'description: "<script>alert(1)</script>", objective'))
    code, _ = _run(spans, "--slo", slo, "--grid", "factor=1,2", "--report", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    found = _Page()
    found.feed(text)
    assert code == 0
    assert "script" not in found.tags
    assert "&lt;script&gt;alert(1)" in text
    assert found.links
    assert all(link.startswith("#") for link in found.links)
    assert {"svg", "title", "desc", "path", "table"} <= set(found.tags)
    assert 'role="img" aria-labelledby="t1 d1"' in text
    _run(spans, "--slo", slo, "--grid", "factor=1,2", "--report", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "{name: own, sli: {bad: 'sum(rate(b_total[{{window}}]))', total: 'sum(rate(a_total[{{window}}]))'}}",
            "PromQL",
        ),
        ("{name: gap, sli: gap}", "no span tells"),
        ("{name: other, sli: availability}", "--cross-source"),
        ("{name: chosen, source: otel-genai-b, sli: availability, select: {server_address: a}}", "server_address"),
    ],
)
def test_what_spans_do_not_tell_is_refused_by_name(files, capsys, line, said):
    spans, _, slo = files
    slo.write_text(f"version: llmslo/v1\nservice: chat\nslos:\n  - {line[:-1]}, objective: 99.5}}\n")
    code, _ = _run(spans, "--slo", slo)
    assert code == 1
    assert said in capsys.readouterr().err


def test_what_cannot_be_replayed_stands_beside_what_can(files):
    spans, _, slo = files
    slo.write_text(made.SLO_FILE + "  - {name: gap, sli: gap, objective: 99}\n")
    code, text = _run(spans, "--slo", slo)
    assert code == 0
    assert "chat/gap: 99 % over 30d\n  not replayed:" in text


def test_another_source_counts_where_that_is_asked_for(files):
    spans, _, slo = files
    slo.write_text("version: llmslo/v1\nservice: chat\nslos:\n  - {name: own, sli: availability, objective: 99.5}\n")
    code, text = _run(spans, "--slo", slo, "--cross-source")
    assert code == 0
    assert "1 episode, 0 missed" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--every", "6m"),
        ("--every", "x"),
        ("--episode", "2026-01-01"),
        ("--episode", "2026-01-02..2026-01-01"),
        ("--grid", "objective=100"),
        ("--grid", "objective=nan"),
        ("--grid", "factor=0"),
        ("--grid", "factor=inf"),
        ("--grid", "window=1d"),
    ],
)
def test_wrong_arguments_are_usage_errors(files, capsys, arguments):
    assert _run(*files, *arguments)[0] == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_grid_without_end_is_refused(files, capsys):
    many = ",".join(str(90 + number / 10) for number in range(1, 60))
    assert _run(*files, "--grid", f"objective={many}", "factor=1,2")[0] == 1
    assert "118 cells" in capsys.readouterr().err


def test_nothing_to_read_is_one_clear_line(files, capsys):
    _, flag, slo = files
    assert _run(flag, slo)[0] == 1
    assert "nothing to read" in capsys.readouterr().err


def test_time_that_is_too_long_is_refused_with_what_to_do(files, capsys, tmp_path):
    spans = tmp_path / "long.json"
    ends = [
        Call(made.SOURCE, "chat", "chat", "o", "m", stream=False, start_ns=at * 10**9, duration_s=1)
        for at in (1, 10**9)
    ]
    spans.write_text(made.otlp(ends))
    assert _run(spans, *files[1:])[0] == 1
    assert "--every 5m" in capsys.readouterr().err


@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
@pytest.mark.timeout(300)
def test_a_prometheus_with_the_same_counters_tells_the_same(files):
    slo = made.slo()
    what = traffic.measured(slo.sli)
    shifted = [made.call(call.start_ns / 1e9 + SHIFT_S, error=call.error) for call in made.calls()]
    tally = traffic.tallied(shifted, [what], cross_source=False)
    begin_ms, end_ms = tally.span_ms
    store = tally.store(what, traffic.scrapes(begin_ms, end_ms, 60))
    series = [
        Series(name, {key: value for key, value in own if key != "__name__"}, _samples(points))
        for name, found in store._by_name.items()
        for own, points in found.items()
    ]
    bounds = "--from", f"{_instant(0):%Y-%m-%dT%H:%M}", "--to", f"{_instant(made.LASTS_S):%Y-%m-%dT%H:%M}"
    with storage() as stored:
        stored.fill(series)
        with stored.served() as server:
            code, text = _run(*files[1:], "--prometheus", server.url, *bounds, "--json")
    _, by_spans = _run(*files, "--json")
    assert code == 0
    ours, theirs = (json.loads(each)["slos"][0] for each in (by_spans, text))
    assert theirs["alerts"] == ours["alerts"]
    assert [each["begin"] for each in theirs["episodes"]] == [each["begin"] for each in ours["episodes"]]
    assert [each["page_after_s"] for each in theirs["episodes"]] == [each["page_after_s"] for each in ours["episodes"]]


def _samples(points):
    return list(zip((points.at_ms / 1000).tolist(), points.values.astype(np.float64).tolist(), strict=True))


@pytest.mark.parametrize("url", ["nowhere", "http://127.0.0.1:1"])
def test_a_server_that_does_not_answer_is_one_clear_line(files, capsys, url):
    assert _run(*files[1:], "--prometheus", url)[0] == 1
    assert url in capsys.readouterr().err


def test_traces_and_a_server_at_once_are_refused(files, capsys):
    assert _run(*files, "--prometheus", "http://127.0.0.1:1")[0] == 1
    assert "either" in capsys.readouterr().err
