"""Finish reasons: every provider's word for why an answer ended, as one of eight."""

from __future__ import annotations

from types import MappingProxyType

from llmslo_exporter.summary import FinishReason

_WORDS = {
    FinishReason.STOP: (
        "stop",
        "end_turn",
        "stop_sequence",
        "STOP",
        "COMPLETE",
        "STOP_SEQUENCE",
        "eos_token",
        "eos",
        "FINISH",
        "completed",
    ),
    FinishReason.LENGTH: (
        "length",
        "max_tokens",
        "MAX_TOKENS",
        "max_output_tokens",
        "model_length",
        "model_context_window_exceeded",
    ),
    FinishReason.TOOL_CALLS: ("tool_calls", "tool_call", "function_call", "tool_use", "TOOL_CALL"),
    FinishReason.CONTENT_FILTER: (
        "content_filter",
        "content_filtered",
        "SAFETY",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SPII",
        "guardrail_intervened",
        "sensitive",  # Zhipu, and "network_error"
    ),
    FinishReason.REFUSAL: ("refusal",),
    FinishReason.ERROR: (
        "error",
        "ERROR",
        "TIMEOUT",
        "failed",
        "network_error",
        "insufficient_system_resource",  # DeepSeek: interrupted for lack of capacity
        "malformed_model_output",
        "malformed_tool_use",
        "malformed_function_call",
        "MALFORMED_FUNCTION_CALL",
    ),
    FinishReason.CANCELLED: ("abort", "steered", "cancelled"),
    FinishReason.OTHER: ("pause_turn", "load", "unload", "OTHER"),
}

# wire-formats 6.5. One table for the parsers and for the kernel's automaton: both must count alike.
FINISH_VALUES = MappingProxyType({word: int(reason) for reason, words in _WORDS.items() for word in words})


def finish_reason(raw: str) -> FinishReason:
    """Return the normalised reason; a word nobody documented is `OTHER`."""
    return FinishReason(FINISH_VALUES.get(raw, FinishReason.OTHER))
