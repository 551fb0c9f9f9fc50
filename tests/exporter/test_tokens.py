"""Which token count is believed."""

from __future__ import annotations

import pytest

from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.tokens import best_tokens, token_count

USAGE = Tokens(TokenSource.USAGE, input=1, output=2)
TIMINGS = Tokens(TokenSource.TIMINGS, input=3, output=4)


@pytest.mark.parametrize(
    ("usage", "timings", "events", "best"),
    [
        (USAGE, TIMINGS, 9, (USAGE,)),
        (None, TIMINGS, 9, (TIMINGS,)),
        (None, None, 9, (Tokens(TokenSource.CHUNKS, output=9),)),
        (None, None, 0, ()),
        (None, None, None, ()),
    ],
)
def test_sources_are_never_mixed(usage, timings, events, best):
    assert best_tokens(usage, timings, events) == best


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (12, 12), (12.0, 12), (1.5, None), (-1, None), (True, None), ("3", None), (None, None), (10**12, None)],
)
def test_only_counts_are_counts(value, count):
    assert token_count(value) == count


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_beyond_json_are_no_counts(value):
    assert token_count(value) is None
