"""The table of `top` in terminals of any width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmslo_exporter.activity import Row
from llmslo_exporter.board import count, lines, rate, seconds
from llmslo_exporter.columns import width

ROW = Row(
    namespace="",
    workload="support-bot.service",
    provider="openai",
    model="gpt-5-mini-2026-01-01",
    operation="chat",
    role="client",
    in_flight=3,
    oldest_s=1.5,
    calls=123_456,
    failed=3,
    ttft_s=0.3432,
    duration_s=12.34,
    tokens_per_s=88.123,
    outcome="ok",
)
ODD = replace(
    ROW,
    namespace="店",
    workload="支持机器人服务支持机器人",
    model="evil\x1b]0;title\x07\u202ename",
    role="server",
    in_flight=0,
    oldest_s=None,
    ttft_s=None,
    duration_s=None,
    tokens_per_s=None,
    outcome="stream_interrupted",
)


@pytest.mark.parametrize("columns", [*range(20, 140), 200, 500])
def test_no_line_is_wider_than_the_terminal_or_obeyed_by_it(columns):
    for line in lines([ROW, ODD], columns):
        assert sum(map(width, line)) <= columns
        assert line.isprintable()


def test_eighty_columns_hold_what_matters():
    heading, row, _ = lines([ROW, ODD], 80)
    assert heading.split() == ["WORKLOAD", "MODEL", "ROLE", "OPEN", "CALLS", "FAIL", "TTFT", "TOK/S", "LAST"]
    assert row.split() == ["support-bot.…", "gpt-5-mini-202…", "client", "3", "123k", "3", "343", "ms", "88.1", "ok"]


def test_a_wide_terminal_shows_all_in_full():
    heading, row, odd = lines([ROW, ODD], 200)
    assert "PROVIDER" in heading
    assert "OLDEST" in heading
    assert "gpt-5-mini-2026-01-01 " in row
    assert odd.startswith("店/支持机器人服务支持机器人 ")
    assert "stream_interrupted" in odd


def test_no_rows_are_a_heading():
    assert len(list(lines([], 80))) == 1


def test_colours_are_only_those_asked_for():
    assert "\x1b" not in "".join(lines([ROW, ODD], 80))
    heading, good, bad = lines([ROW, ODD], 80, is_coloured=True)
    assert heading.startswith("\x1b[1m")
    assert "\x1b" not in good
    assert bad.startswith("\x1b[31m")
    assert bad.endswith("\x1b[0m")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), (0.0, "0 ms"), (0.0004, "0.4 ms"), (0.08525, "85.2 ms"), (0.9994, "999 ms"), (0.9996, "1 s")),
        *((1.424, "1.42 s"), (59.96, "60 s"), (60.0, "1 m"), (3599.0, "60 m"), (7200.0, "2 h"), (86_400.0, "1 d")),
        (1e12, "9999 d"),
    ],
)
def test_times_fit_their_column(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (12_345, "12.3k"), (998_999, "999k"), (999_000, "0.999M"), (10**13, "many")],
)
def test_counts_fit_their_column(value, text):
    assert count(value) == text
    assert len(text) <= 6


def test_rates():
    assert [rate(value) for value in (None, 0.123, 88.123, 998.9, 5_000.0)] == ["-", "0.123", "88.1", "999", "5k"]
