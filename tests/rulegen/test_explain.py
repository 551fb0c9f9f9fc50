from __future__ import annotations

import pytest

from llmslo_rulegen import explain, reading


def one(members):
    text = f"version: llmslo/v1\nservice: bot\nslos: [{{name: one, {members}}}]"
    found = reading.read({"slo.yaml": text.encode()})
    assert found.findings == ()
    return found.slos[0]


def test_the_numbers_of_the_textbook_are_told_in_words():
    text = explain.text(one("sli: availability, objective: 99.9"))
    for line in (
        "bot-one: 99.9 % of what availability counts (llmslo) are good over any 30d",
        "Budget: 0.1 % of the events may be bad: 1,000 of 1,000,000.",
        "At steady traffic: 43m of total outage (43.2 minutes).",
        "page_fast (page): burns 14.4 times too fast or more, over 1h and over 5m.",
        "That is 1.44 % bad events; by then 2 % of the budget is gone.",
    ):
        assert line in text, text


def test_each_tier_tells_its_time_for_each_outage():
    tiers = explain.record(one("sli: availability, objective: 99.9"))["tiers"]
    assert [tier["tier"] for tier in tiers] == ["page_fast", "page_slow", "ticket_fast", "ticket_slow"]
    fast = tiers[0]["detection_seconds"]
    assert fast == {"0.01": None, "0.1": pytest.approx(518.4), "1": pytest.approx(51.84)}
    assert tiers[0]["budget_share_at_firing"] == pytest.approx(0.02)


def test_what_never_fires_is_said_and_a_disabled_tier_is_not_told():
    text = explain.text(one("sli: ttft, objective: 95, alerting: {ticket: {disable: true}}"))
    assert "1% bad: never" in text
    assert "(ticket)" not in text
    assert " t" not in "".join(line.split("|")[1] for line in text.splitlines() if "|" in line)
    both = "alerting: {page: {disable: true}, ticket: {disable: true}}"
    assert "No burn alert is on." in explain.text(one(f"sli: ttft, objective: 95, {both}"))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ("sli: ttft, objective: 95, threshold: 3s", "what ttft counts (llmslo, within 3s)"),
        ("sli: throughput, objective: 90", "what throughput counts (llmslo, at 20)"),
        ("sli: {histogram: lat}, threshold: 300ms, objective: 95", "the observations of lat up to 0.3"),
        ("sli: {ratio: errors}, objective: 95", "sliced by time: each evaluation counts once, whatever the traffic"),
        (
            "sli: {bad: 'rate(a[{{window}}])', total: 'rate(b[{{window}}])'}, objective: 95",
            "the events of its own expressions",
        ),
        ("sli: ttft, objective: 95, window: quarter", "over each calendar quarter (UTC)"),
    ],
)
def test_it_says_what_is_promised(members, said):
    assert said in explain.text(one(members))


@pytest.mark.parametrize("objective", ["50", "80", "99.99"])
@pytest.mark.parametrize("window", ["1d", "1y", "month"])
def test_every_objective_and_window_has_a_plot_of_one_width(objective, window):
    text = explain.text(one(f"sli: availability, objective: {objective}, window: {window}"))
    rows = [line for line in text.splitlines() if " |" in line]
    assert len(rows) == 9
    assert any("P" in row.split("|")[1] for row in rows)
    assert max(map(len, text.splitlines())) <= 120
