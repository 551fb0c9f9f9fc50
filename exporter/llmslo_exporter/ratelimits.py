"""What is left of a provider's rate limits, by the headers of its answer (wire-formats 8).

A share needs both numbers, remaining and limit, of one answer: Azure often sends only what remains, and then nothing is
said. Gemini, Bedrock, Cohere and DeepSeek send neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmslo_exporter.http1 import Headers

REQUESTS, TOKENS, INPUT_TOKENS, OUTPUT_TOKENS = "requests", "tokens", "input_tokens", "output_tokens"

# Field names around the kind. OpenAI's are also those of Groq, Azure, vLLM gateways, Fireworks, Cerebras; a LiteLLM
# proxy passes its upstream's on behind a prefix of its own.
_SHAPES = (
    ("x-ratelimit-remaining-{}", "x-ratelimit-limit-{}"),
    ("anthropic-ratelimit-{}-remaining", "anthropic-ratelimit-{}-limit"),
    ("x-ratelimit-{}-remaining", "x-ratelimit-{}-limit"),
    ("llm_provider-x-ratelimit-remaining-{}", "llm_provider-x-ratelimit-limit-{}"),
    ("llm_provider-anthropic-ratelimit-{}-remaining", "llm_provider-anthropic-ratelimit-{}-limit"),
)
_KINDS = {
    "requests": REQUESTS,
    "tokens": TOKENS,
    "input-tokens": INPUT_TOKENS,
    "output-tokens": OUTPUT_TOKENS,
    "project-requests": REQUESTS,  # OpenAI
    "project-tokens": TOKENS,
    "tokens-prompt": INPUT_TOKENS,  # Fireworks
    "tokens-generated": OUTPUT_TOKENS,
    "req-10-second": REQUESTS,  # Mistral, by its windows
    "req-minute": REQUESTS,
    "requests-minute": REQUESTS,  # Cerebras
    "requests-hour": REQUESTS,
    "requests-day": REQUESTS,
    "tokens-minute": TOKENS,
    "tokens-hour": TOKENS,
    "tokens-day": TOKENS,
    "tokens-month": TOKENS,
}
# Without a kind they count requests (Together, OpenRouter, the IETF draft's and others' spellings of it).
_BARE = (
    ("x-ratelimit-remaining", "x-ratelimit-limit"),
    ("x-rate-limit-remaining", "x-rate-limit-limit"),
    ("ratelimit-remaining", "ratelimit-limit"),
)
_PAIRS = (
    *((kind, shape.format(word), of.format(word)) for shape, of in _SHAPES for word, kind in _KINDS.items()),
    *((REQUESTS, left, limit) for left, limit in _BARE),
)
# Whole numbers; Together writes some as 60.0, and the IETF draft lets a window follow: `100, 100;w=60`. Fifteen digits
# are more than any limit.
_NUMBER = re.compile(r"(\d{1,15})(?:\.\d{1,6})?(?:\s*[,;].{0,200})?$", re.ASCII)


def ratelimits(headers: Headers) -> tuple[tuple[str, float], ...]:
    """Return (kind, remaining / limit) with a share from 0 to 1, the lowest of a kind's windows, in a fixed order."""
    lowest: dict[str, float] = {}
    for kind, share in _shares(headers):
        lowest[kind] = min(share, lowest.get(kind, 1.0))
    return tuple((kind, lowest[kind]) for kind in (REQUESTS, TOKENS, INPUT_TOKENS, OUTPUT_TOKENS) if kind in lowest)


def _shares(headers: Headers) -> Iterator[tuple[str, float]]:
    values = dict(reversed(headers.fields))  # of a field that is repeated the first
    if not any("limit" in name for name in values):
        return
    for kind, left, limit in _PAIRS:
        if left in values and limit in values:
            remaining, whole = _number(values[left]), _number(values[limit])
            # A limit of 0 is none; and one may be lowered while more than it is left.
            if remaining is not None and whole:
                yield kind, min(1.0, remaining / whole)


def _number(text: str) -> int | None:
    found = _NUMBER.match(text.strip())
    if found is not None:
        return int(found[1])
    # What remains of a limit that was overdrawn.
    return 0 if re.fullmatch(r"-\d{1,15}", text.strip(), re.ASCII) else None
