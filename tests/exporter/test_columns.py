"""Text in the columns of a terminal, whatever a stranger called it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter.columns import cut, harmless, left, right, width


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("gpt-5", 5, "gpt-5"),
        ("gpt-5", 7, "gpt-5  "),
        ("gpt-5-mini", 5, "gpt-…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日… "),
        ("e\u0301clair", 6, "e\u0301clair"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
        ("", 2, "  "),
    ],
)
def test_a_text_is_cut_with_an_ellipsis_and_filled(text, columns, shown):
    assert left(text, columns) == shown
    assert right(text, columns).strip() == shown.strip()


@pytest.mark.parametrize(
    "char", ["\x1b", "\x9b", "\x07", "\r", "\n", "\t", "\x7f", "\u202e", "\u2066", "\ud800", "\ue000"]
)
def test_what_a_terminal_would_obey_is_replaced(char):
    assert harmless(f"a{char}b") == "a\ufffdb"


def test_a_tower_of_marks_is_cut():
    assert len(cut("e" + "\u0301" * 50 + "x", 10).text) < 6


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(0, 30))
def test_every_text_takes_exactly_its_columns_and_holds_no_control(text, columns):
    for shown in (left(text, columns), right(text, columns)):
        assert sum(map(width, shown)) == columns
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
