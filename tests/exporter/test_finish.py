"""Finish reasons of every provider, as one of eight."""

from __future__ import annotations

import pytest

from llmslo_exporter.finish import FINISH_VALUES, finish_reason
from llmslo_exporter.summary import FinishReason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("end_turn", FinishReason.STOP),
        ("eos_token", FinishReason.STOP),
        ("COMPLETE", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("function_call", FinishReason.TOOL_CALLS),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("guardrail_intervened", FinishReason.CONTENT_FILTER),
        ("refusal", FinishReason.REFUSAL),
        ("MALFORMED_FUNCTION_CALL", FinishReason.ERROR),
        ("abort", FinishReason.CANCELLED),
        ("pause_turn", FinishReason.OTHER),
        ("a word of tomorrow", FinishReason.OTHER),
        ("", FinishReason.OTHER),
    ],
)
def test_reasons_are_normalised(raw, reason):
    assert finish_reason(raw) is reason


def test_the_kernels_table_is_the_same():
    assert all(finish_reason(raw) == number for raw, number in FINISH_VALUES.items())
