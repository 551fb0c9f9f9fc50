"""What is left of a provider's limits: a share where both numbers are told, else nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.catalog.metrics import OTHER
from llmslo_exporter.http1 import Headers, parse_response_head
from llmslo_exporter.ratelimits import ratelimits

PROVIDERS = {
    "OpenAI": (
        (
            b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 200000\r\n"
            b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 150000\r\n"
            b"x-ratelimit-reset-requests: 8.64s\r\nx-ratelimit-reset-tokens: 12ms\r\n"
            b"x-ratelimit-limit-input-images: 5\r\nx-ratelimit-remaining-input-images: 0\r\n"
        ),
        {"requests": 0.9999, "tokens": 0.75},
    ),
    "OpenAI, a project's": (
        (
            b"x-ratelimit-limit-tokens: 100\r\nx-ratelimit-remaining-tokens: 90\r\n"
            b"x-ratelimit-limit-project-tokens: 100\r\nx-ratelimit-remaining-project-tokens: 20\r\n"
        ),
        {"tokens": 0.2},
    ),
    "Groq": (
        (
            b"x-ratelimit-limit-requests: 14400\r\nx-ratelimit-limit-tokens: 6000\r\n"
            b"x-ratelimit-remaining-requests: 7200\r\nx-ratelimit-remaining-tokens: 5994\r\n"
            b"x-ratelimit-reset-requests: 17.399999999s\r\n"
        ),
        {"requests": 0.5, "tokens": 0.999},
    ),
    "Azure": (
        (
            b"x-ratelimit-remaining-requests: 499\r\nx-ratelimit-remaining-tokens: 49900\r\n"
            b"x-ratelimit-renewalperiod-tokens: 60\r\nx-ratelimit-reset-tokens: 7\r\n"
        ),
        {},
    ),
    "Azure, with limits": (
        b"x-ratelimit-limit-tokens: 50000\r\nx-ratelimit-remaining-tokens: 49900\r\nx-ratelimit-reset-tokens: 7\r\n",
        {"tokens": 0.998},
    ),
    "Anthropic": (
        (
            b"anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"
            b"anthropic-ratelimit-requests-reset: 2025-06-23T10:26:53Z\r\n"
            b"anthropic-ratelimit-tokens-limit: 480000\r\nanthropic-ratelimit-tokens-remaining: 480000\r\n"
            b"anthropic-ratelimit-input-tokens-limit: 400000\r\nanthropic-ratelimit-input-tokens-remaining: 100000\r\n"
            b"anthropic-ratelimit-output-tokens-limit: 80000\r\nanthropic-ratelimit-output-tokens-remaining: 0\r\n"
            b"retry-after: 59\r\n"
        ),
        {"requests": 0.99975, "tokens": 1.0, "input_tokens": 0.25, "output_tokens": 0.0},
    ),
    "Mistral": (
        (
            b"x-ratelimit-limit-req-10-second: 10\r\nx-ratelimit-remaining-req-10-second: 9\r\n"
            b"x-ratelimit-limit-tokens-minute: 500000\r\nx-ratelimit-remaining-tokens-minute: 400000\r\n"
            b"x-ratelimit-limit-tokens-month: 1000000000\r\nx-ratelimit-remaining-tokens-month: 10000000\r\n"
            b"x-ratelimit-tokens-query-cost: 44\r\n"
        ),
        {"requests": 0.9, "tokens": 0.01},
    ),
    "Together": (
        b"x-ratelimit-limit: 60.0\r\nx-ratelimit-remaining: 15.0\r\nx-ratelimit-reset: 1\r\n",
        {"requests": 0.25},
    ),
    "Fireworks": (
        (
            b"x-ratelimit-limit-requests: 600\r\nx-ratelimit-remaining-requests: 599\r\n"
            b"x-ratelimit-limit-tokens-prompt: 60000\r\nx-ratelimit-remaining-tokens-prompt: 30000\r\n"
            b"x-ratelimit-limit-tokens-generated: 6000\r\nx-ratelimit-remaining-tokens-generated: 600\r\n"
        ),
        {"requests": 599 / 600, "input_tokens": 0.5, "output_tokens": 0.1},
    ),
    "Cerebras": (
        (
            b"x-ratelimit-limit-requests-day: 1000\r\nx-ratelimit-remaining-requests-day: 10\r\n"
            b"x-ratelimit-limit-tokens-minute: 60000\r\nx-ratelimit-remaining-tokens-minute: 60000\r\n"
        ),
        {"requests": 0.01, "tokens": 1.0},
    ),
    "LiteLLM": (
        b"llm_provider-x-ratelimit-limit-tokens: 100\r\nllm_provider-x-ratelimit-remaining-tokens: 7\r\n",
        {"tokens": 0.07},
    ),
    "OpenRouter": (b"X-RateLimit-Limit: 20\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 17\r\n", {"requests": 0}),
    "the IETF draft": (b"RateLimit-Limit: 100, 100;w=60\r\nRateLimit-Remaining: 50\r\n", {"requests": 0.5}),
    "Replicate": (b"ratelimit-remaining: 599\r\nratelimit-reset: 1\r\n", {}),
    "Gemini": (b"server-timing: gfet4t7; dur=17\r\n", {}),
}
ODD = {
    "no number": (b"x-ratelimit-limit-requests: many\r\nx-ratelimit-remaining-requests: 1\r\n", {}),
    "unlimited": (b"x-ratelimit-limit-requests: 0\r\nx-ratelimit-remaining-requests: 0\r\n", {}),
    "unlimited, as -1": (b"x-ratelimit-limit-requests: -1\r\nx-ratelimit-remaining-requests: -1\r\n", {}),
    "overdrawn": (b"x-ratelimit-limit-tokens: 10\r\nx-ratelimit-remaining-tokens: -3\r\n", {"tokens": 0.0}),
    "more left than the limit": (
        b"x-ratelimit-limit-tokens: 10\r\nx-ratelimit-remaining-tokens: 30\r\n",
        {"tokens": 1.0},
    ),
    "a number without end": (
        b"x-ratelimit-limit-tokens: " + b"9" * 400 + b"\r\nx-ratelimit-remaining-tokens: 3\r\n",
        {},
    ),
    "other digits": ("x-ratelimit-limit-tokens: \u0661\u0660\r\nx-ratelimit-remaining-tokens: 3\r\n".encode(), {}),
    "a field twice": (
        b"x-ratelimit-limit: 10\r\nx-ratelimit-remaining: 5\r\nx-ratelimit-remaining: 1\r\n",
        {"requests": 0.5},
    ),
    "a head cut within the value": (b"x-ratelimit-limit-tokens: 10\r\nx-ratelimit-remaining-tokens: 1", {}),
}


@pytest.mark.parametrize(("fields", "shares"), [*PROVIDERS.values(), *ODD.values()], ids=[*PROVIDERS, *ODD])
def test_the_share_that_is_left_by_kind(fields, shares):
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n" + fields)
    assert head is not None
    assert dict(ratelimits(head.headers)) == pytest.approx(shares)


NAMES = st.sampled_from(
    [*("x-ratelimit-" + w + "-tokens" for w in ("limit", "remaining")), "ratelimit-limit", "ratelimit-remaining"]
)


@given(st.lists(st.tuples(NAMES, st.text(max_size=20) | st.integers().map(str)), max_size=6))
def test_foreign_values_never_raise_and_shares_stay_between_0_and_1(fields):
    found = ratelimits(Headers(tuple(fields)))
    assert all(0.0 <= share <= 1.0 and kind != OTHER for kind, share in found)
