"""Token counts: which of the sources that spoke is believed."""

from __future__ import annotations

from llmslo_exporter.exchange import Tokens, TokenSource

# The largest context windows are 10 M tokens; a larger number is not a count of one exchange.
MAX_TOKENS = 10**9


def token_count(value: object) -> int | None:
    """Return a JSON value as a count; None when it is none (a text, a boolean, negative, absurd)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value <= MAX_TOKENS or value != int(value):
        return None
    return int(value)


def best_tokens(usage: Tokens | None, timings: Tokens | None, content_events: int | None) -> tuple[Tokens, ...]:
    """Return the counts of the best source alone: usage, else the server's timings, else events counted as tokens.

    One event is not one token (wire-formats 2), so the count of events is used only where nothing better came, and
    never beside another source. `content_events` is None where the body is no stream or was not seen whole.
    """
    if usage is not None:
        return (usage,)
    if timings is not None:
        return (timings,)
    return (Tokens(TokenSource.CHUNKS, output=content_events),) if content_events else ()
