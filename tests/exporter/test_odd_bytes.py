"""Odd but legal bytes that servers and gateways may send: told as they are by the kernel's rules and by the parsers."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace

import pytest

from llmslo_exporter.exchange import Outcome
from llmslo_exporter.reading import read
from llmslo_exporter.summary import Piece
from tests.exporter.test_reading_dialects import asked, exchange, streamed, whole
from tests.exporter.wires import (
    ENDS,
    STREAMS,
    TYPES,
    dialect_of,
    kernel_counts,
    name_of,
    parsed,
    parser_counts,
    request_path,
    table,
)

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
GEMINI = "/v1beta/models/g:streamGenerateContent"
FUTURE = {
    "x_future": {"a": [1, 'b"\\', {"c": None}], "d": "\u2028é🎈{[\"'"},
    "x_null": None,
    "x_many": [[], {}, [[{}]]],
}


def on_json(data, change):
    """Return a stream whose JSON lines are changed."""
    lines = []
    for line in data.decode().split("\n"):
        prefix, brace, text = line.partition("{")
        lines.append(prefix + change(json.loads(brace + text)) if brace else line)
    return "\n".join(lines).encode()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def padded(value):
    return json.dumps(value, separators=(" ,  ", " :\t"))


def before_data(data, line):
    """Return a stream with a line before each line of data."""
    return re.sub(rb"^data:", lambda found: line + found[0], data, flags=re.MULTILINE)


def in_lines(value):
    """Return JSON over several lines of data: it may break between its members."""
    return json.dumps(value, indent=1).replace("\n", "\ndata:")


SSE_FORMS = {
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "CR alone": lambda data: data.replace(b"\n", b"\r") + b":",
    "comments between lines": lambda data: before_data(data, b": \xe2\x98\x83\n"),
    "unknown fields": lambda data: before_data(data, b"future: 1\nid: 7\nretry: 9\ndataset: {}\n"),
    "blank events": lambda data: b"\n\n" + data.replace(b"\n\n", b"\n\n\n\n\n"),
    "blanks behind": lambda data: data.replace(b"}\n", b"}  \t\n"),
    "several lines of data": lambda data: on_json(data, in_lines),
    "a huge id": lambda data: data.replace(b"data:", b"id: " + b"x" * 70_000 + b"\ndata:", 1),
}
JSON_FORMS = {
    "unknown members behind": lambda value: compact({**value, **FUTURE}),
    "unknown members before": lambda value: compact({**FUTURE, **value}),
    "blanks in JSON": padded,
    "letters escaped": lambda value: json.dumps(value, ensure_ascii=True),
    "letters as they are": lambda value: json.dumps(value, ensure_ascii=False),
    "a huge member": lambda value: compact({**value, "x_blob": "QUJD" * 5_000}),
}
FORMS = SSE_FORMS | {name: lambda data, change=change: on_json(data, change) for name, change in JSON_FORMS.items()}


# What stands inside scopes is lost where an event's JSON goes over several lines (docs/wires.md).
SCOPED = ("tool_call", "mistral_thinking", "openrouter_comments")
CHANGED = [
    (path, form)
    for path in STREAMS
    for form in FORMS
    if not (path.suffix == ".ndjson" and form in SSE_FORMS)
    and not (form == "several lines of data" and not name_of(path).startswith("openai/"))
    and not (form == "several lines of data" and name_of(path).endswith(SCOPED))
]


@pytest.mark.parametrize(
    ("path", "form"), CHANGED, ids=lambda value: value if isinstance(value, str) else name_of(value)
)
def test_the_form_of_a_stream_changes_nothing(path, form):
    data = path.read_bytes().replace(b"\r\n", b"\n")
    changed = FORMS[form](data)
    assert changed != data or form in {"letters as they are", "letters escaped"}
    want = parser_counts(parsed(dialect_of(path), TYPES[path.suffix], data))
    assert parser_counts(parsed(dialect_of(path), TYPES[path.suffix], changed)) == want
    assert kernel_counts(table().stream_of(request_path(path)), changed, ends=ENDS[path.suffix]) == want


def sse(*events, name=""):
    """An event stream of objects and texts."""
    field = f"event: {name}\n" if name else ""
    texts = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return "".join(f"{field}data: {text}\n\n" for text in texts).encode()


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def choice(delta=None, finish=None, index=0, **more):
    return {"index": index, "delta": delta, "finish_reason": finish} | more


def chunk(*choices, **more):
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": list(choices)} | more


def say(text="x", index=0, **more):
    return chunk(choice({"content": text}, index=index, **more))


STOP = chunk(choice({}, "stop"))
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
FILTERS = {"hate": {"filtered": False, "severity": "safe"}}
UNFILTERED = {"error": {"code": "content_filter_error", "message": "CANARY"}}


def block(delta, index=0):
    return {"type": "content_block_delta", "index": index, "delta": delta}


def text_block(text="x"):
    return block({"type": "text_delta", "text": text})


START = {"type": "message_start", "message": {"model": "m", "content": [], "stop_reason": None,
                                              "usage": {"input_tokens": 5, "output_tokens": 1}}}  # fmt: skip
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
       "usage": {"output_tokens": 7}}  # fmt: skip
OVER = {"type": "message_stop"}


def delta(kind, text="x"):
    return {"type": kind, "item_id": "i", "output_index": 0, "delta": text, "logprobs": []}


def response(kind, **body):
    inner = {"object": "response", "model": "m", "output": [], "error": None, "incomplete_details": None, "usage": None,
             "instructions": 'say {"delta":"x"}',
             "tools": [{"parameters": {"properties": {"delta": {}, "reason": {}}}}],
             "reasoning": {"effort": None, "summary": None}, "text": {"format": {"type": "text"}}, **body}  # fmt: skip
    return {"type": kind, "sequence_number": 1, "response": inner}


def candidate(*parts, finish=None, **more):
    body = {"content": {"role": "model", "parts": list(parts)}} | more
    return {"candidates": [body | ({"finishReason": finish} if finish else {})]}


# path: name: bytes, content events, of them output, finish reasons, input and output tokens, outcome
ODD = {
    CHAT: {
        "usage in a chunk of its own": (
            sse(say(), STOP, chunk(usage=USAGE), "[DONE]"), 1, 1, ["stop"], (9, 2), "ok"),
        "choices null beside usage": (
            sse(say(), STOP, chunk() | {"choices": None, "usage": USAGE}, "[DONE]"), 1, 1, ["stop"], (9, 2), "ok"),
        "usage null, empty and half": (
            sse(say() | {"usage": None}, say() | {"usage": {}}, STOP | {"usage": {"prompt_tokens": None}}, "[DONE]"),
            2, 2, ["stop"], (None, 2), "ok"),
        "finish_reason null for ever": (
            sse(say(), say(), say(), "[DONE]"), 3, 3, [], (None, 3), "stream_interrupted"),
        "finish_reason empty until the end": (
            sse(say(finish_reason=""), say(finish_reason=""), STOP, "[DONE]"), 2, 2, ["stop"], (None, 2), "ok"),
        "no finish_reason until the end": (
            sse({"choices": [{"index": 0, "delta": {"content": "x"}}]}, STOP, "[DONE]"),
            1, 1, ["stop"], (None, 1), "ok"),
        "delta null and absent": (
            sse(chunk(choice(None)), chunk({"index": 0}), say(), STOP, "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "empty choices in between": (
            sse(chunk(), say(), chunk(), chunk(), say(), chunk(), STOP, "[DONE]"), 2, 2, ["stop"], (None, 2), "ok"),
        "content in parts": (
            sse(chunk(choice({"content": [{"type": "text", "text": "x"}]})), STOP, "[DONE]"), 1, 1, ["stop"],
            (None, 1), "ok"),
        "thinking in parts": (
            sse(chunk(choice({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]})),
                say(), STOP, "[DONE]"), 2, 1, ["stop"], (None, 2), "ok"),
        "a refusal": (
            sse(chunk(choice({"role": "assistant", "content": None, "refusal": ""})),
                chunk(choice({"refusal": "I cannot"})), STOP, "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "tool calls first": (
            sse(chunk(choice({"tool_calls": [{"index": 0, "id": "c" * 3000, "type": "function",
                                              "function": {"name": "f", "arguments": ""}}]})),
                chunk(choice({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]})),
                chunk(choice({}, "tool_calls")), "[DONE]"), 2, 2, ["tool_calls"], (None, 2), "ok"),
        "a custom tool": (
            sse(chunk(choice({"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": ""}}]})),
                chunk(choice({"tool_calls": [{"index": 0, "custom": {"input": "ls"}}]})),
                chunk(choice({}, "tool_calls")), "[DONE]"), 2, 2, ["tool_calls"], (None, 2), "ok"),
        "a function call": (
            sse(chunk(choice({"function_call": {"name": "f", "arguments": ""}})), chunk(choice({}, "function_call")),
                "[DONE]"), 1, 1, ["tool_calls"], (None, 1), "ok"),
        "three choices out of order": (
            sse(say(index=2), say(index=0), say(index=1), chunk(choice({}, "stop", 1)), chunk(choice({}, "length", 0)),
                chunk(choice({}, "content_filter", 2)), "[DONE]"),
            3, 3, ["stop", "length", "content_filter"], (None, 3), "ok"),
        "two choices in a chunk": (
            sse(chunk(choice({"content": "a"}), choice({"content": "b"}, index=1)),
                chunk(choice({}, "stop"), choice({}, "length", 1)), "[DONE]"),
            1, 1, ["stop", "length"], (None, 1), "ok"),
        "no index at all": (
            sse({"choices": [{"delta": {"content": "x"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]},
                "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "a reason beside nothing known": (
            sse(say(), chunk(choice({}, "CANARY")), "[DONE]"), 1, 1, ["other"], (None, 1), "ok"),
        "Azure's filters, one of which failed": (
            sse(chunk(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": FILTERS}]),
                say(content_filter_results=FILTERS), say(content_filter_results=UNFILTERED),
                chunk({"index": 0, "finish_reason": None, "content_filter_results": UNFILTERED,
                       "content_filter_offsets": {"check_offset": 44}}),
                chunk(choice({}, "stop", content_filter_results={})), "[DONE]"), 2, 2, ["stop"], (None, 2), "ok"),
        "the whole message beside the delta": (
            sse(*(chunk(choice({"role": "assistant", "content": text}, finish,
                               message={"role": "assistant", "content": "xxx"}))
                  for text, finish in (("x", None), ("x", None), ("", "stop")))), 2, 2, ["stop"], (None, 2), "ok"),
        "error null in every chunk": (
            sse(say() | {"error": None}, say() | {"error": None}, STOP | {"error": None}, "[DONE]"),
            2, 2, ["stop"], (None, 2), "ok"),
        "[DONE] without a blank and its blank line": (
            sse(say(), STOP) + b"data:[DONE]", 1, 1, ["stop"], (None, 1), "ok"),
        "an event of another kind": (
            sse(say(), STOP) + sse({"type": "future", "tool": {"name": "x"}}, name="future") + sse("[DONE]"),
            1, 1, ["stop"], (None, 1), "ok"),
        "blanks as content": (sse(say(" "), say("\n"), STOP, "[DONE]"), 2, 2, ["stop"], (None, 2), "ok"),
        "audio": (
            sse(chunk(choice({"audio": {"id": "audio_1"}})), chunk(choice({"audio": {"transcript": "x"}})),
                chunk(choice({"audio": {"data": "QUJD"}})), chunk(choice({"audio": {"expires_at": 1}})), STOP,
                "[DONE]"),
            2, 2, ["stop"], (None, 2), "ok"),
        "Moonshot's usage, within the choice": (
            sse(say(), chunk(choice({}, "stop", usage=USAGE)), "[DONE]"), 1, 1, ["stop"], (9, 2), "ok"),
        "Zhipu's reasons": (
            sse(say(), say(index=1), chunk(choice({}, "sensitive")), chunk(choice({}, "network_error", 1)), "[DONE]"),
            2, 2, ["content_filter", "error"], (None, 2), "ok"),
        "Groq's tools, with an index and pages of their own": (
            sse(chunk(choice({"executed_tools": [{"index": 0, "type": "search", "arguments": "{}"}]})),
                chunk(choice({"executed_tools": [{"index": 1, "type": "search", "search_results": {
                    "results": [{"title": "t", "content": "x", "score": 0.5}], "images": []}}]})),
                say(), STOP, "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "Databricks' reasoning, a summary in the content": (
            sse(chunk(choice({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}]}]})),
                say(), STOP, "[DONE]"), 2, 1, ["stop"], (None, 2), "ok"),
        "a gateway's word on whom it asked before": (
            sse(say(), chunk(choice({"provider_metadata": {"gateway": {"routing": {"attempts": [
                {"provider": "a", "success": False, "error": "503"}, {"provider": "b", "success": True}]}}}}, "stop")),
                "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "images with an index of their own": (
            sse(say(), chunk(choice({"content": "", "images": [
                {"index": number, "type": "image_url", "image_url": {"url": "data:"}} for number in range(3)]})),
                STOP, "[DONE]"), 1, 1, ["stop"], (None, 1), "ok"),
        "an error that is no data": (
            sse(say()) + b'{"error":{"message":"CANARY","type":"server_error","code":null}}\n\n',
            1, 1, [], (None, 1), "server_error"),
        "Groq, timed and counted": (
            sse(say() | {"x_groq": {"id": "r"}}, STOP | {"x_groq": {"id": "r", "usage": USAGE | {"queue_time": 0.2}}},
                "[DONE]"), 1, 1, ["stop"], (9, 2), "ok"),
    },
    "/v1/completions": {
        "vLLM's members": (
            sse({"choices": [{"index": 0, "text": "x", "logprobs": None, "finish_reason": None, "stop_reason": None,
                              "token_ids": None, "prompt_logprobs": None}], "usage": None},
                {"choices": [{"index": 0, "text": "", "finish_reason": "length", "stop_reason": 13}], "usage": USAGE},
                "[DONE]"), 1, 1, ["length"], (9, 2), "ok"),
        "two prompts": (
            sse({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]},
                {"choices": [{"index": 1, "text": "x", "finish_reason": "stop"}]}, "[DONE]"),
            2, 2, ["stop", "stop"], (None, 2), "ok"),
    },
    MESSAGES: {
        "Anthropic repeats its input": (
            sse(START, text_block(), END | {"usage": {"input_tokens": 5, "cache_read_input_tokens": 0,
                                                      "cache_creation_input_tokens": 0, "output_tokens": 7}}, OVER),
            1, 1, ["stop"], (5, 7), "ok"),
        "the fresh input alone again, behind what the cache held": (
            sse({**START, "message": {**START["message"], "usage": {"input_tokens": 5, "cache_read_input_tokens": 90}}},
                text_block(), END | {"usage": {"input_tokens": 5, "output_tokens": 7}}, OVER),
            1, 1, ["stop"], (95, 7), "ok"),
        "a gateway that knows the input at the end": (
            sse({**START, "message": {**START["message"], "usage": {"input_tokens": 0, "output_tokens": 0}}},
                text_block(), END | {"usage": {"input_tokens": 12, "cache_read_input_tokens": 3, "output_tokens": 7}},
                OVER), 1, 1, ["stop"], (15, 7), "ok"),
        "usage with more in it": (
            sse(START, text_block(), END | {"usage": {"output_tokens": 7, "server_tool_use": {"web_search_requests": 1},
                                                      "cache_creation": {"ephemeral_5m_input_tokens": 3}},
                                            "context_management": {"applied_edits": []}}, OVER),
            1, 1, ["stop"], (5, 7), "ok"),
        "signatures, citations and what nobody knows": (
            sse(START, block({"type": "thinking_delta", "thinking": "x"}),
                block({"type": "signature_delta", "signature": "EqoB" * 300}), text_block(),
                block({"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}}),
                block({"type": "future_delta", "future": "x"}), {"type": "future", "text": "x"}, END, OVER),
            2, 1, ["stop"], (5, 7), "ok"),
        "a tool's input begins empty": (
            sse(START, {"type": "content_block_start", "index": 0,
                        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
                block({"type": "input_json_delta", "partial_json": ""}),
                block({"type": "input_json_delta", "partial_json": '{"a":'}),
                {"type": "content_block_stop", "index": 0},
                END | {"delta": {"stop_reason": "tool_use"}}, OVER), 1, 1, ["tool_calls"], (5, 7), "ok"),
        "a server's tool and its results": (
            sse(START, {"type": "content_block_start", "index": 1, "content_block": {
                "type": "web_search_tool_result", "tool_use_id": "t",
                "content": [{"type": "web_search_result", "title": "x", "text": "y", "error": {"a": 1}}]}},
                text_block(), END, OVER), 1, 1, ["stop"], (5, 7), "ok"),
        "a reason that is null at first": (
            sse(START, text_block(), END | {"delta": {"stop_reason": None}}, END, OVER),
            1, 1, ["stop"], (5, 7), "ok"),
        "pauses and refusals": (
            sse(START, text_block(), END | {"delta": {"stop_reason": "pause_turn"}}, OVER),
            1, 1, ["other"], (5, 7), "ok"),
        "no name of events": (sse(START, {"type": "ping"}, "", text_block(), END, OVER), 1, 1, ["stop"], (5, 7), "ok"),
    },
    RESPONSES: {
        "queued, and every kind of delta": (
            sse(response("response.created"), response("response.queued"), response("response.in_progress"),
                delta("response.reasoning_text.delta"), delta("response.reasoning_summary_text.delta"),
                delta("response.output_text.delta"), delta("response.refusal.delta"), delta("response.audio.delta"),
                delta("response.mcp_call_arguments.delta"), delta("response.future.delta"),
                {"type": "response.output_text.done", "text": "xx"},
                {"type": "response.image_generation_call.partial_image", "partial_image_b64": "QUJD"},
                response("response.completed", status="completed",
                         usage={"input_tokens": 9, "output_tokens": 2, "total_tokens": 11})),
            7, 5, ["stop"], (9, 2), "ok"),
        "completed without usage": (
            sse(delta("response.output_text.delta"), response("response.completed", status="completed")),
            1, 1, ["stop"], (None, 1), "ok"),
        "incomplete": (
            sse(delta("response.output_text.delta"),
                response("response.incomplete", status="incomplete", incomplete_details={"reason": "content_filter"})),
            1, 1, ["content_filter"], (None, 1), "ok"),
        "[DONE] behind it": (
            sse(delta("response.output_text.delta"), response("response.completed", status="completed"), "[DONE]"),
            1, 1, ["stop"], (None, 1), "ok"),
    },
    GEMINI: {
        "several candidates": (
            sse({"candidates": [candidate({"text": "a"})["candidates"][0],
                                candidate({"text": "b"}, index=1)["candidates"][0]]},
                {"candidates": [{"finishReason": "STOP"}, {"finishReason": "MAX_TOKENS", "index": 1}]}),
            1, 1, ["stop", "length"], (None, 1), "ok"),
        "a signature alone, then nothing": (
            sse(candidate({"text": "x"}), candidate({"thoughtSignature": "QUJD" * 900, "text": ""}, finish="STOP")),
            1, 1, ["stop"], (None, 1), "ok"),
        "code that was executed": (
            sse(candidate({"executableCode": {"language": "PYTHON", "code": "x"}}),
                candidate({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "x"}}),
                candidate({"text": "x"}, finish="STOP")), 1, 1, ["stop"], (None, 1), "ok"),
        "feedback that blocks nothing": (
            sse(candidate({"text": "x"}) | {"promptFeedback": {"safetyRatings": [{"category": "c", "blocked": False}]}},
                candidate(finish="STOP")), 1, 1, ["stop"], (None, 1), "ok"),
        "an image": (
            sse(candidate({"inlineData": {"mimeType": "image/png", "data": "QUJD" * 4000}}), candidate(finish="STOP")),
            1, 1, ["stop"], (None, 1), "ok"),
        "usage that grows": (
            sse(candidate({"text": "x"}) | {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}},
                candidate({"text": "x"}, finish="STOP") | {
                    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 5}}),
            2, 2, ["stop"], (9, 7), "ok"),
        "an error over several lines, none of them data": (
            sse(candidate({"text": "x"})).replace(b"\n", b"\r\n")
            + json.dumps({"error": {"code": 503, "message": "CANARY", "status": "UNAVAILABLE"}}, indent=2).encode(),
            1, 1, [], (None, 1), "overloaded"),
        "newer reasons": (
            sse(candidate({"text": "x"}), candidate(finish="IMAGE_SAFETY")), 1, 1, ["content_filter"], (None, 1), "ok"),
        "a tool call nobody asked for": (
            sse(candidate({"text": "x"}), candidate(finish="UNEXPECTED_TOOL_CALL")), 1, 1, ["error"], (None, 1), "ok"),
    },
    "/api/chat": {
        "a model that is loaded": (
            lines({"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}),
            0, 0, ["other"], (None, None), "ok"),
        "blank lines and CR LF": (
            lines({"message": {"content": "x"}, "done": False}).replace(b"\n", b"\r\n\r\n")
            + lines({"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 9,
                     "eval_count": 2}), 1, 1, ["stop"], (9, 2), "ok"),
        "a prompt from the cache is not counted": (
            lines({"message": {"content": "x"}, "done": False},
                  {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 2}),
            1, 1, ["stop"], (None, 2), "ok"),
    },
    "/api/generate": {
        "a long context before the counts": (
            lines({"response": "x", "done": False},
                  {"response": "", "done": True, "done_reason": "stop", "context": list(range(9000)),
                   "prompt_eval_count": 9, "eval_count": 2}), 1, 1, ["stop"], (9, 2), "ok"),
    },
    "/v2/chat": {
        "citations, tool results and debug": (
            sse({"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant", "content": [],
                                                                           "tool_plan": "", "tool_calls": []}}},
                {"type": "debug", "prompt": 'say "text":"x"'},
                {"type": "content-delta", "delta": {"message": {"content": {"text": "x"}}}},
                {"type": "citation-start",
                 "delta": {"message": {"citations": {"text": "x", "sources": [{"text": "y"}]}}}},
                {"type": "citation-end"},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": None}}, "[DONE]"),
            1, 1, ["stop"], (None, 1), "ok"),
    },
    "/generate_stream": {
        "an empty text and special tokens": (
            sse({"index": 1, "token": {"id": 1, "text": "x", "logprob": None, "special": False}, "generated_text": None,
                 "details": None},
                {"index": 2, "token": {"id": 2, "text": "</s>", "special": True}, "generated_text": "",
                 "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 9, "seed": None}}),
            1, 1, ["stop"], (9, 2), "ok"),
    },
    "/v2/models/m/generate_stream": {
        "more outputs": (
            sse({"model_name": "m", "text_output": "", "sequence_id": 0, "sequence_end": False},
                {"model_name": "m", "text_output": "x", "context_logits": 0.0, "output_log_probs": [0.0, 0.1]}),
            1, 1, [], (None, 1), "ok"),
    },
    "/completion": {
        "tokens beside the text": (
            sse({"index": 0, "content": "", "tokens": [], "stop": False}, {"index": 0, "content": "x", "tokens": [7],
                "stop": False, "id_slot": 0}, {"content": "", "stop": True, "stop_type": "word", "stopping_word": "END",
                "tokens_evaluated": 9, "tokens_predicted": 2,
                "generation_settings": {"stop": ["END"], "content": "x"}}),
            1, 1, ["stop"], (9, 2), "ok"),
    },
    "/ml/v1/text/generation_stream": {
        "a failure of no known word": (
            sse({"errors": [{"code": "downstream_request_failed", "message": "x"}], "status_code": 503}),
            0, 0, [], (None, None), "overloaded"),
        "warnings": (
            sse({"model_id": "m", "results": [{"generated_text": "", "generated_token_count": 0, "input_token_count": 9,
                                               "stop_reason": "NOT_FINISHED"}],
                 "system": {"warnings": [{"message": "x", "id": "disclaimer"}]}},
                {"model_id": "m", "results": [{"generated_text": "x", "generated_token_count": 2,
                                               "input_token_count": 0, "stop_reason": "EOS_TOKEN"}]}),
            1, 1, ["stop"], (9, 2), "ok"),
    },
}  # fmt: skip
CASES = {name: (path, *said) for path, cases in ODD.items() for name, said in cases.items()}


def told(found):
    """Return what is compared of an exchange."""
    tokens = found.tokens[0] if found.tokens else None
    counts = (tokens.input, tokens.output) if tokens else (None, None)
    reasons = sorted(reason.name.lower() for reason in found.finishes)
    return found.content_events, reasons, counts, found.outcome, found.faults


@pytest.mark.parametrize("name", CASES)
def test_odd_streams_are_told_as_they_are(name, tmp_path):
    path, data, content, output, reasons, tokens, outcome = CASES[name]
    fixture = tmp_path / ("x.ndjson" if path.startswith("/api/") else "x.sse")
    found = exchange(streamed(fixture, data, path=path))
    want = (content, sorted(reasons), tokens, Outcome(outcome), frozenset())
    assert told(found) == want
    assert kernel_counts(table().stream_of(path), data, ends=ENDS[fixture.suffix]).output == output
    # The same stream, compressed: the parsers alone must tell the same.
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[fixture.suffix]}\r\ncontent-encoding: gzip\r\n\r\n".encode()
    packed = (Piece(100.2, gzip.compress(data, mtime=0)),)
    unseen = exchange(replace(asked(path), stream=True, encoded=True, response_head=head, pieces=packed))
    assert told(unseen) == want
    assert (unseen.first_output_s is not None) == (output > 0)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (404, {"error": {"code": "DeploymentNotFound"}}, "not_found"),
        (400, {"error": {"code": "model_not_found"}}, "not_found"),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], "rate_limited"),
        (500, {"error": {"code": "429"}}, "rate_limited"),
        (500, {"error": {"code": 429.0}}, "server_error"),
        (500, {"error": {"code": None, "type": None}}, "server_error"),
        (500, {"error": {"code": {"a": 1}, "type": ["x"]}}, "server_error"),
        (500, {"error": [{"code": "rate_limit_exceeded"}]}, "server_error"),
        (503, {"error": None}, "overloaded"),
        (503, [], "overloaded"),
        (503, None, "overloaded"),
        (401, "CANARY", "auth"),
        (400, {"error": {"type": "INSUFFICIENT_QUOTA"}}, "quota_exhausted"),
        (200, {"error": {"message": "CANARY"}}, "_other"),
        (200, {"error": None, "choices": []}, "ok"),
    ],
)
def test_errors_of_any_form_are_classed(status, body, outcome):
    text = json.dumps(body).encode()
    summary = whole(CHAT, text, status)
    bare = f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\n\r\n".encode()  # Azure's 404 has no content type
    for found in (exchange(summary), exchange(replace(summary, response_head=bare))):
        assert found.outcome is Outcome(outcome)


@pytest.mark.parametrize(
    ("body", "is_call"),
    [
        ({"model": "m", "message": "x"}, True),
        ({"model": "m", "messages": [], "input": "x"}, True),
        ({"model": "m"}, True),
        ({"model": "m", "input": "x", "stream": True}, False),
        ({"model": "m", "input": [{"type": "message", "content": '{"messages":[]}'}]}, False),
    ],
)
def test_the_chat_of_lm_studio_is_not_coheres(body, is_call):
    text = json.dumps(body).encode()
    summary = replace(whole("/api/v1/chat", b"{}"), request_body=text, request_tail=text)
    assert (read(summary, provider_map={}, process="x") is not None) is is_call


@pytest.mark.parametrize("value", ["59", "Wed, 21 Oct 2026 07:28:00 GMT", "CANARY"])
def test_a_retry_after_is_no_error(value):
    body = b'{"type":"message","content":[]}'
    found = exchange(whole(MESSAGES, body, headers=f"retry-after: {value}\r\nretry-after-ms: 1\r\n"))
    assert found.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/predictions/p1"),
        ("POST", "/v1/predictions"),
        ("GET", "/v1/threads/t/runs/r"),
        ("POST", "/v1/threads/t/runs"),
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/batches"),
    ],
)
def test_polls_are_no_exchange(method, path):
    summary = whole(path, b"{}")
    head = summary.request_head.replace(b"POST", method.encode(), 1)
    assert read(replace(summary, request_head=head), provider_map={}, process="x") is None
    assert method == "GET" or table().stream_of(path) == 0
