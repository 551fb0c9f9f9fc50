"""One page of a replay."""

from __future__ import annotations
from collections.abc import Sequence
from llmslo_rulegen.backtest.trial import Result


def html(results: Sequence[Result]) -> str:
    """Return a page."""
    return ""
