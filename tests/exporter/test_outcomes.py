"""Every class of the contract's outcomes, by the error shapes of every family (wire-formats 7)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmslo_exporter.exchange import ClosedBy, Outcome, StreamOutcome
from llmslo_exporter.summary import Closer, End, Role
from tests.exporter.test_reading_dialects import asked, exchange, streamed, whole


def openai(code=None, kind="invalid_request_error", **more):
    """OpenAI's shape, which most copy."""
    return {"error": {"message": "CANARY", "type": kind, "param": None, "code": code, **more}}


def anthropic(kind):
    return {"type": "error", "error": {"type": kind, "message": "CANARY"}, "request_id": "req_1"}


def google(status, code, *details):
    return {"error": {"code": code, "message": "CANARY", "status": status, "details": list(details)}}


def quota(period):
    violation = {"quotaMetric": "x", "quotaId": f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier"}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def vllm(kind, code):
    return {"object": "error", "message": "CANARY", "type": kind, "param": None, "code": code}


def watsonx(code, status):
    return {"errors": [{"code": code, "message": "CANARY"}], "trace": "t", "status_code": status}


CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
AZURE = "/openai/deployments/d/chat/completions"
GEMINI, VERTEX = (
    "/v1beta/models/g:generateContent",
    "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
)
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
FLAT = {"id": "1", "message": "CANARY"}
TEXT = {"error": "CANARY"}
PAGE = "<html>CANARY</html>"

# family: path, then status, body and class
WHOLE = {
    "OpenAI": (CHAT, [
        (200, {"choices": []}, "ok"),
        (302, "", "_other"),
        (400, openai("context_length_exceeded"), "invalid_request"),
        (400, openai("content_policy_violation"), "content_filter"),
        (400, openai(None), "invalid_request"),
        (400, openai("model_not_found"), "not_found"),
        (401, openai("invalid_api_key"), "auth"),
        (401, openai(None), "auth"),
        (403, openai("unsupported_country_region_territory", "request_forbidden"), "auth"),
        (404, openai("model_not_found"), "not_found"),
        (408, openai(None, "timeout"), "timeout"),
        (409, openai(None), "invalid_request"),
        (413, PAGE, "invalid_request"),
        (418, TEXT, "_other"),
        (429, openai("rate_limit_exceeded", "requests"), "rate_limited"),
        (429, openai("rate_limit_exceeded", "tokens"), "rate_limited"),
        (429, openai("insufficient_quota", "insufficient_quota"), "quota_exhausted"),
        (429, openai("credit_balance_exhausted", "insufficient_quota"), "quota_exhausted"),
        (429, openai(None, "insufficient_quota"), "quota_exhausted"),
        (429, PAGE, "rate_limited"),
        (499, "", "client_cancelled"),
        (500, openai(None, "server_error"), "server_error"),
        (502, PAGE, "server_error"),
        (503, PAGE, "overloaded"),
        (504, PAGE, "timeout"),
        (520, PAGE, "server_error"),
    ]),
    "Responses": (RESPONSES, [
        (200, {"object": "response", "status": "completed", "output": []}, "ok"),
        (200, {"object": "response", "status": "failed", "error": {"code": "rate_limit_exceeded"}}, "rate_limited"),
        (200, {"object": "response", "status": "failed", "error": {"code": "server_error"}}, "server_error"),
        (200, {"object": "response", "status": "failed", "error": {"code": "invalid_prompt"}}, "invalid_request"),
        (200, {"object": "response", "status": "failed", "error": {"code": "CANARY"}}, "_other"),
        (400, openai("model_not_found"), "not_found"),
        (401, openai("invalid_api_key"), "auth"),
        (429, openai(None, "insufficient_quota"), "quota_exhausted"),
    ]),
    "Azure": (AZURE, [
        (400, openai("content_filter", None, status=400, innererror={"code": "ResponsibleAIPolicyViolation"}),
         "content_filter"),
        (400, openai("context_length_exceeded"), "invalid_request"),
        (401, {"error": {"code": "401", "message": "CANARY"}}, "auth"),
        (401, {"statusCode": 401, "message": "CANARY"}, "auth"),
        (403, {"error": {"code": "403", "message": "CANARY"}}, "auth"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "CANARY"}}, "not_found"),
        (408, {"error": {"code": "Timeout", "message": "CANARY"}}, "timeout"),
        (424, {"error": {"code": "424", "message": "CANARY"}}, "server_error"),
        (429, {"error": {"code": "429", "message": "CANARY"}}, "rate_limited"),
        (429, {"error": {"code": "RateLimitReached", "message": "CANARY"}}, "rate_limited"),
        (429, openai("insufficient_quota", "insufficient_quota"), "quota_exhausted"),
        (500, {"error": {"code": "InternalServerError", "message": "CANARY"}}, "server_error"),
        (503, {"error": {"code": "ServiceUnavailable", "message": "CANARY"}}, "overloaded"),
    ]),
    "Anthropic": (MESSAGES, [
        (200, {"type": "message", "content": []}, "ok"),
        (400, anthropic("invalid_request_error"), "invalid_request"),
        (401, anthropic("authentication_error"), "auth"),
        (402, anthropic("billing_error"), "quota_exhausted"),
        (403, anthropic("permission_error"), "auth"),
        (404, anthropic("not_found_error"), "not_found"),
        (409, anthropic("conflict_error"), "invalid_request"),
        (413, anthropic("request_too_large"), "invalid_request"),
        (429, anthropic("rate_limit_error"), "rate_limited"),
        (499, "", "client_cancelled"),
        (500, anthropic("api_error"), "server_error"),
        (504, anthropic("timeout_error"), "timeout"),
        (504, anthropic("api_error"), "timeout"),
        (529, anthropic("overloaded_error"), "overloaded"),
        (529, PAGE, "overloaded"),
    ]),
    "Gemini": (GEMINI, [
        (200, {"candidates": []}, "ok"),
        (200, {"promptFeedback": {"blockReason": "SAFETY"}}, "content_filter"),
        (400, google("INVALID_ARGUMENT", 400), "invalid_request"),
        (400, google("INVALID_ARGUMENT", 400, BAD_KEY), "auth"),
        (400, google("FAILED_PRECONDITION", 400), "invalid_request"),
        (401, google("UNAUTHENTICATED", 401), "auth"),
        (403, google("PERMISSION_DENIED", 403), "auth"),
        (404, google("NOT_FOUND", 404), "not_found"),
        (429, google("RESOURCE_EXHAUSTED", 429, RETRY), "rate_limited"),
        (429, google("RESOURCE_EXHAUSTED", 429, quota("Minute"), RETRY), "rate_limited"),
        (429, google("RESOURCE_EXHAUSTED", 429, RETRY, quota("Day")), "quota_exhausted"),
        (499, google("CANCELLED", 499), "client_cancelled"),
        (500, google("INTERNAL", 500), "server_error"),
        (503, google("UNAVAILABLE", 503), "overloaded"),
        (504, google("DEADLINE_EXCEEDED", 504), "timeout"),
    ]),
    "Vertex": (VERTEX, [
        (404, [google("NOT_FOUND", 404)], "not_found"),
        (429, [google("RESOURCE_EXHAUSTED", 429)], "rate_limited"),
        (403, PAGE, "auth"),
    ]),
    "Ollama": ("/api/chat", [
        (200, {"message": {"content": ""}, "done": True}, "ok"),
        (400, TEXT, "invalid_request"), (401, TEXT, "auth"), (404, TEXT, "not_found"), (429, TEXT, "rate_limited"),
        (500, TEXT, "server_error"), (503, TEXT, "overloaded"),
    ]),
    "Cohere v1": ("/v1/chat", [
        (400, FLAT, "invalid_request"), (401, FLAT, "auth"), (402, FLAT, "quota_exhausted"), (404, FLAT, "not_found"),
        (422, FLAT, "invalid_request"), (429, FLAT, "rate_limited"), (499, FLAT, "client_cancelled"),
        (500, FLAT, "server_error"), (503, FLAT, "overloaded"), (504, FLAT, "timeout"),
    ]),
    "Cohere v2": ("/v2/chat", [
        (200, {"message": {}, "finish_reason": "COMPLETE"}, "ok"),
        (400, FLAT, "invalid_request"), (401, FLAT, "auth"), (404, FLAT, "not_found"), (429, FLAT, "rate_limited"),
        (500, FLAT, "server_error"), (503, FLAT, "overloaded"),
    ]),
    "Mistral": (CHAT, [
        (400, vllm("invalid_model", "1500"), "invalid_request"),
        (401, {"detail": "CANARY"}, "auth"),
        (401, {"message": "CANARY", "request_id": "r"}, "auth"),
        (422, {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "CANARY"}]}, "invalid_request"),
        (422, {"object": "error", "message": {"detail": [{}]}, "type": "invalid_request_error", "code": None},
         "invalid_request"),
        (429, vllm("rate_limited", "1300"), "rate_limited"),
        (429, vllm("service_tier_capacity_exceeded", "3505"), "overloaded"),
        (500, vllm("internal_server_error", "3000"), "server_error"),
        (503, PAGE, "overloaded"),
    ]),
    "Groq": (CHAT, [
        (400, openai("json_validate_failed", failed_generation="CANARY"), "invalid_request"),
        (401, openai("invalid_api_key"), "auth"),
        (413, openai("rate_limit_exceeded", "tokens"), "rate_limited"),
        (429, openai("rate_limit_exceeded", "tokens"), "rate_limited"),
        (498, openai("capacity_exceeded", "flex"), "overloaded"),
        (503, openai(None, "service_unavailable"), "overloaded"),
    ]),
    "DeepSeek": (CHAT, [
        (401, openai("invalid_request_error", "authentication_error"), "auth"),
        (402, openai("invalid_request_error", "unknown_error"), "quota_exhausted"),
        (422, openai("invalid_request_error"), "invalid_request"),
        (429, openai("invalid_request_error", "rate_limit_reached"), "rate_limited"),
        (503, openai(None, "service_unavailable_error"), "overloaded"),
    ]),
    "OpenRouter": (CHAT, [
        (400, {"error": {"code": 400, "message": "CANARY"}}, "invalid_request"),
        (200, {"error": {"code": 429, "message": "CANARY"}}, "rate_limited"),
        (200, {"choices": [{"error": {"code": 502, "message": "CANARY"}}]}, "server_error"),
        (402, {"error": {"code": 402, "message": "CANARY"}}, "quota_exhausted"),
        (403, {"error": {"code": 403, "message": "CANARY", "metadata": {"reasons": []}}}, "auth"),
        (408, {"error": {"code": 408, "message": "CANARY"}}, "timeout"),
        (502, {"error": {"code": 502, "message": "CANARY"}}, "server_error"),
        (503, {"error": {"code": 503, "message": "CANARY"}}, "overloaded"),
    ]),
    "Writer": ("/v1/chat", [
        (400, {"tpe": "fail.input", "errors": [{"description": "CANARY"}]}, "invalid_request"),
        (401, {"errors": [{"description": "CANARY"}]}, "auth"),
        (429, {"errors": [{"description": "CANARY"}]}, "rate_limited"),
        (500, {"errors": [{"description": "CANARY"}]}, "server_error"),
    ]),
    "xAI": (CHAT, [
        (400, {"code": "CANARY", "error": "CANARY"}, "invalid_request"),
        (404, {"code": "CANARY", "error": "CANARY"}, "not_found"),
        (429, {"code": "CANARY", "error": "CANARY"}, "rate_limited"),
    ]),
    "LiteLLM": (CHAT, [
        (401, openai("401", "auth_error"), "auth"),
        (429, openai("429", "None"), "rate_limited"),
        (429, openai("429", "throttling_error"), "rate_limited"),
        (400, openai("400", "budget_exceeded"), "quota_exhausted"),
        (500, openai("500", "None"), "server_error"),
    ]),
    "watsonx": ("/ml/v1/text/generation", [
        (400, watsonx("invalid_request_entity", 400), "invalid_request"),
        (401, watsonx("authentication_token_expired", 401), "auth"),
        (403, watsonx("token_quota_reached", 403), "quota_exhausted"),
        (404, watsonx("model_not_supported", 404), "not_found"),
        (429, watsonx("rate_limit_reached_requests", 429), "rate_limited"),
        (500, watsonx("internal_error", 500), "server_error"),
    ]),
    "TGI": ("/generate", [
        (404, {"error": "CANARY", "error_type": "not_found"}, "not_found"),
        (422, {"error": "CANARY", "error_type": "validation"}, "invalid_request"),
        (422, {"error": "CANARY", "error_type": "template_error"}, "invalid_request"),
        (422, {"error": "CANARY", "error_type": "tool_error"}, "invalid_request"),
        (424, {"error": "CANARY", "error_type": "generation"}, "server_error"),
        (429, {"error": "CANARY", "error_type": "overloaded"}, "overloaded"),
        (500, {"error": "CANARY", "error_type": "incomplete_generation"}, "server_error"),
    ]),
    "TGI, OpenAI's path": (CHAT, [
        (422, {"error": "CANARY", "error_type": "validation"}, "invalid_request"),
        (429, {"error": "CANARY", "error_type": "overloaded"}, "overloaded"),
    ]),
    "Triton": ("/v2/models/m/generate", [
        (400, TEXT, "invalid_request"), (404, TEXT, "not_found"), (500, TEXT, "server_error"),
        (503, TEXT, "overloaded"),
    ]),
    "vLLM": (CHAT, [
        (400, vllm("BadRequestError", 400), "invalid_request"),
        (400, {"error": vllm("BadRequestError", 400)}, "invalid_request"),
        (401, TEXT, "auth"),
        (404, {"error": vllm("NotFoundError", 404)}, "not_found"),
        (500, {"error": vllm("InternalServerError", 500)}, "server_error"),
        (503, {"error": vllm("ServiceUnavailableError", 503)}, "overloaded"),
    ]),
    "SGLang": (CHAT, [
        (400, vllm("BadRequestError", 400), "invalid_request"),
        (500, vllm("InternalServerError", 500), "server_error"),
    ]),
    "llama.cpp": ("/completion", [
        (400, openai(400, "exceed_context_size_error"), "invalid_request"),
        (400, openai(400), "invalid_request"),
        (401, openai(401, "authentication_error"), "auth"),
        (404, openai(404, "not_found_error"), "not_found"),
        (500, openai(500, "server_error"), "server_error"),
        (501, openai(501, "not_supported_error"), "invalid_request"),
        (503, openai(503, "unavailable_error"), "overloaded"),
    ]),
}  # fmt: skip
CELLS = {
    f"{family} {status} {number}": (path, status, body, outcome)
    for family, (path, cells) in WHOLE.items()
    for number, (status, body, outcome) in enumerate(cells)
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("path", "status", "body", "outcome"), CELLS.values(), ids=CELLS)
def test_a_whole_answer_by_family_and_class(path, status, body, outcome, role):
    text = body if isinstance(body, str) else json.dumps(body)
    found = exchange(replace(whole(path, text.encode(), status), role=role))
    assert (found.outcome, found.status, found.stream_outcome) == (Outcome(outcome), status, None)


BEGUN = {
    CHAT: b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
    MESSAGES: b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"x"}}\n\n',
    RESPONSES: b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n',
    GEMINI.replace(":g", ":streamG"): b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\r\n\r\n',
    "/api/chat": b'{"message":{"content":"x"},"done":false}\n',
    "/v2/chat": b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"x"}}}}\n\n',
    "/v1/chat": b'{"event_type":"text-generation","text":"x"}\n',
    "/generate_stream": b'data:{"index":1,"token":{"id":1,"text":"x","special":false},"generated_text":null}\n\n',
    "/v2/models/m/generate_stream": b'data: {"text_output":"x"}\n\n',
    "/completion": b'data: {"content":"x","stop":false}\n\n',
    "/ml/v1/text/generation_stream": b'data: {"results":[{"generated_text":"x","stop_reason":"not_finished"}]}\n\n',
}
DONE = b"data: [DONE]\n\n"


def line(value):
    return json.dumps(value).encode() + b"\n"


def data(value, name=""):
    return (f"event: {name}\n" if name else "").encode() + b"data: " + line(value) + b"\n"


STREAMED = [
    (CHAT, data(openai(None, "server_error")), "server_error"),
    (CHAT, data(openai("rate_limit_exceeded", "tokens")), "rate_limited"),
    (CHAT, data(openai("insufficient_quota", "insufficient_quota")) + DONE, "quota_exhausted"),
    (CHAT, data({"error": vllm("InternalServerError", 500)}) + DONE, "server_error"),
    (CHAT, data({"error": vllm("BadRequestError", 400)}) + DONE, "invalid_request"),
    (CHAT, data({"error": {"message": "CANARY", "http_status_code": 422}}) + DONE, "stream_interrupted"),
    (CHAT, data({"error": {"message": "CANARY", "code": 429}, "choices": [{"finish_reason": "error"}]}),
     "rate_limited"),
    (CHAT, data({"error": {"message": "CANARY", "code": 503}}), "overloaded"),
    (CHAT, data({"error": {"code": "content_filter"}}), "content_filter"),
    (CHAT, data(openai(500, "server_error")), "server_error"),
    (CHAT, b"error: " + line(openai(500, "server_error")["error"]) + b"\n" + DONE, "server_error"),
    (CHAT, data({"error": "CANARY"}), "stream_interrupted"),
    (CHAT, data({"message": "CANARY", "type": "timeout"}, "error"), "timeout"),
    (MESSAGES, data(anthropic("overloaded_error"), "error"), "overloaded"),
    (MESSAGES, data(anthropic("api_error"), "error"), "server_error"),
    (MESSAGES, data(anthropic("rate_limit_error"), "error"), "rate_limited"),
    (MESSAGES, data(anthropic("invalid_request_error"), "error"), "invalid_request"),
    (MESSAGES, data(anthropic("timeout_error"), "error"), "timeout"),
    (RESPONSES, data({"type": "error", "code": "server_error", "message": "CANARY", "param": None}, "error"),
     "server_error"),
    (RESPONSES, data({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded"}}, "error"),
     "rate_limited"),
    (RESPONSES, data({"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}}),
     "invalid_request"),
    (GEMINI.replace(":g", ":streamG"), data(google("RESOURCE_EXHAUSTED", 429)), "rate_limited"),
    (GEMINI.replace(":g", ":streamG"), data(google("INTERNAL", 500)), "server_error"),
    (GEMINI.replace(":g", ":streamG"), data(google("CANCELLED", 499)), "client_cancelled"),
    ("/api/chat", line(TEXT), "stream_interrupted"),
    ("/v2/chat", data({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "CANARY"}}),
     "stream_interrupted"),
    ("/v1/chat", line({"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR", "error": "CANARY"}),
     "stream_interrupted"),
    ("/generate_stream", data({"error": "CANARY", "error_type": "incomplete_generation"}), "server_error"),
    ("/generate_stream", data({"error": "CANARY", "error_type": "overloaded"}), "overloaded"),
    ("/v2/models/m/generate_stream", data(TEXT), "stream_interrupted"),
    ("/completion", data(openai(500, "server_error")), "server_error"),
    ("/completion", data(openai(400, "exceed_context_size_error")), "invalid_request"),
    ("/ml/v1/text/generation_stream", data(watsonx("internal_error", 500), "error"), "server_error"),
]  # fmt: skip
LINES = {"/api/chat", "/v1/chat"}


@pytest.mark.parametrize(("path", "event", "outcome"), STREAMED)
def test_an_in_stream_error_by_family_and_class(path, event, outcome, tmp_path):
    fixture = tmp_path / ("x.ndjson" if path in LINES else "x.sse")
    found = exchange(streamed(fixture, BEGUN[path] + event, path=path))
    assert (found.stream_outcome, found.outcome) == (StreamOutcome.ERROR_EVENT, Outcome(outcome))
    assert found.content_events == 1


def test_every_class_of_an_answer_has_its_bytes():
    ended_elsewhere = {Outcome.CONNECTION_ERROR, Outcome.STREAM_INTERRUPTED}
    assert {Outcome(outcome) for *_, outcome in CELLS.values()} == set(Outcome) - ended_elsewhere


PATHS = sorted({path for path, _ in WHOLE.values()})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("role", "ending", "outcome", "closed_by"),
    [
        (Role.CLIENT, (Closer.PEER, End.CLOSED), "connection_error", ClosedBy.SERVER),
        (Role.CLIENT, (Closer.NETWORK, End.CLOSED), "connection_error", ClosedBy.NETWORK),
        (Role.CLIENT, (Closer.THIS, End.CLOSED), "timeout", ClosedBy.CLIENT),
        (Role.CLIENT, (Closer.THIS, End.EXITED), "timeout", ClosedBy.CLIENT),
        (Role.CLIENT, (Closer.NONE, End.SWEPT), "timeout", ClosedBy.NONE),
        (Role.SERVER, (Closer.THIS, End.CLOSED), "connection_error", ClosedBy.SERVER),
        (Role.SERVER, (Closer.PEER, End.CLOSED), "client_cancelled", ClosedBy.CLIENT),
    ],
)
def test_a_request_without_an_answer_by_family(path, role, ending, outcome, closed_by):
    closer, end = ending
    silent = replace(asked(path), role=role, closer=closer, end=end, first_byte_s=None, response_complete=False)
    found = exchange(silent)
    assert (found.outcome, found.closed_by, found.status) == (Outcome(outcome), closed_by, None)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("closer", "outcome"), [(Closer.PEER, "stream_interrupted"), (Closer.THIS, "client_cancelled")]
)
def test_a_whole_answer_cut_half_way_by_family(path, closer, outcome):
    cut = replace(whole(path, b'{"choices":[{"mess'), closer=closer, end=End.CLOSED, response_complete=False)
    assert exchange(cut).outcome is Outcome(outcome)
