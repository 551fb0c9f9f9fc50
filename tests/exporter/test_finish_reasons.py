"""Every family's finish reasons (wire-formats 6.5) as one of eight: by the kernel's rules, and by the parsers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmslo_exporter.catalog import FINISH_REASONS
from llmslo_exporter.dialects import find
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from tests.exporter.wires import ENDS, kernel_counts, table

OPENAI = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter", "model_length": "length", "error": "error", "abort": "cancelled",
    "insufficient_system_resource": "error", "eos_token": "stop", "stop_sequence": "stop", "CANARY": "other",
}  # fmt: skip
COHERE = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "ERROR": "error",
    "TIMEOUT": "error", "ERROR_TOXIC": "content_filter", "USER_CANCEL": "cancelled", "CANARY": "other",
}  # fmt: skip
EventOf = Callable[[str], dict[str, Any]]
FAMILIES: dict[str, tuple[str, str, EventOf, dict[str, str]]] = {
    "OpenAI chat": (
        "/v1/chat/completions", ".sse", lambda raw: {"choices": [{"index": 0, "delta": {}, "finish_reason": raw}]},
        OPENAI),
    "OpenAI completions": (
        "/v1/completions", ".sse", lambda raw: {"choices": [{"index": 0, "text": "", "finish_reason": raw}]}, OPENAI),
    "Responses": (
        "/v1/responses", ".sse",
        lambda raw: {"type": "response.incomplete", "response": {
            "object": "response", "status": "incomplete", "incomplete_details": {"reason": raw}}},
        {"max_output_tokens": "length", "content_filter": "content_filter", "steered": "cancelled", "CANARY": "other"}),
    "Responses, by its end": (
        "/v1/responses", ".sse",
        lambda raw: {"type": f"response.{raw}", "response": {"object": "response", "status": raw}},
        {"completed": "stop"}),
    "Anthropic": (
        "/v1/messages", ".sse", lambda raw: {"type": "message_delta", "delta": {"stop_reason": raw}},
        {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
         "refusal": "refusal", "model_context_window_exceeded": "length", "pause_turn": "other", "CANARY": "other"}),
    "Gemini": (
        "/v1beta/models/g:streamGenerateContent", ".sse", lambda raw: {"candidates": [{"finishReason": raw}]},
        {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter",
         "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter", "SPII": "content_filter",
         "IMAGE_SAFETY": "content_filter", "MALFORMED_FUNCTION_CALL": "error", "OTHER": "other", "LANGUAGE": "other"}),
    "Ollama": (
        "/api/chat", ".ndjson", lambda raw: {"message": {"content": ""}, "done": True, "done_reason": raw},
        {"stop": "stop", "length": "length", "load": "other", "unload": "other"}),
    "Cohere v2": (
        "/v2/chat", ".sse", lambda raw: {"type": "message-end", "delta": {"finish_reason": raw}}, COHERE),
    "Cohere v1": (
        "/v1/chat", ".ndjson",
        lambda raw: {"event_type": "stream-end", "is_finished": True, "finish_reason": raw}, COHERE),
    "Writer": (
        "/v1/chat", ".sse", lambda raw: {"choices": [{"index": 0, "message": {}, "finish_reason": raw}]},
        {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}),
    "TGI": (
        "/generate_stream", ".sse",
        lambda raw: {"token": {"text": "", "special": True}, "generated_text": "", "details": {"finish_reason": raw}},
        {"length": "length", "eos_token": "stop", "stop_sequence": "stop", "CANARY": "other"}),
    "llama.cpp": (
        "/completion", ".sse", lambda raw: {"content": "", "stop": True, "stop_type": raw},
        {"eos": "stop", "word": "stop", "limit": "length", "CANARY": "other"}),
    "watsonx": (
        "/ml/v1/text/generation_stream", ".sse",
        lambda raw: {"results": [{"generated_text": "", "stop_reason": raw}]},
        {"eos_token": "stop", "EOS_TOKEN": "stop", "stop_sequence": "stop", "max_tokens": "length",
         "token_limit": "length", "cancelled": "cancelled", "error": "error", "time_limit": "other"}),
}  # fmt: skip
CASES = {
    f"{family} {raw}": (path, kind, event(raw), reason)
    for family, (path, kind, event, reasons) in FAMILIES.items()
    for raw, reason in reasons.items()
}


@pytest.mark.parametrize(("path", "kind", "event", "reason"), CASES.values(), ids=CASES)
def test_a_reason_by_family(path, kind, event, reason):
    text = json.dumps(event).encode()
    data = text + b"\n" if kind == ".ndjson" else b"data: " + text + b"\n\n"
    counts = kernel_counts(table().stream_of(path), data, ends=ENDS[kind])
    want = FINISH_REASONS.index(reason)
    assert counts.finishes == tuple(int(number == want) for number in range(len(FinishReason)))
    dialect = find(path)
    assert dialect is not None
    assert list(dialect.event(Event(b"", text)).finishes.values()) == [FinishReason(want)]


def test_every_reason_of_the_contract_is_met():
    assert {reason for *_, reason in CASES.values()} == set(FINISH_REASONS)
