"""The dialects this exporter reads, in the order in which they are asked."""

from __future__ import annotations

from llmslo_exporter.dialects.dialect import Dialect
from llmslo_exporter.dialects.openai import OPENAI

DIALECTS: tuple[Dialect, ...] = (OPENAI,)


def find(path: str) -> Dialect | None:
    """Return the dialect of a request path (with or without its query); None: no LLM call."""
    path = path.partition("?")[0]
    return next((dialect for dialect in DIALECTS if dialect.matches(path)), None)
