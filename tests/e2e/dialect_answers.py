"""What a server of each dialect answers: the fixtures' bytes, laid on the wire, with what is true of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.e2e.answers import Answer, Framing, Kind, Part, Truth, answer, error_truth, json_answer
from tests.e2e.daemon import ROOT

FIXTURES = ROOT / "tests" / "exporter" / "fixtures"
KINDS = {".": Kind.NONE, "r": Kind.REASONING, "o": Kind.OUTPUT}
SSE = ("content-type: text/event-stream; charset=utf-8",)
NDJSON = ("content-type: application/x-ndjson",)
PAUSE_MS = 4.0
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")

Body = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One answer of one dialect. `{model}` stands for the model in a path; `body` makes the request of a model."""

    name: str
    path: str
    provider: str
    body: Body
    answer: Answer
    names_model: bool = True

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream."""
        return self.answer.truth.stream


def usage(**counts: int) -> tuple[Mapping[str, Any], ...]:
    """The tokens of a usage object."""
    return ({"source": "usage", **counts},)


def _stream(fixture: str, kinds: str, truth: Truth) -> Answer:
    data = (FIXTURES / fixture).read_bytes()
    is_lines = fixture.endswith(".ndjson")
    found = data.splitlines(keepends=True) if is_lines else _EVENT_END.split(data)
    events = [event for event in found if event.strip()]
    if len(events) != len(kinds):
        msg = f"{fixture} has {len(events)} events, {len(kinds)} are described"
        raise ValueError(msg)
    parts = [Part(event, KINDS[kind], PAUSE_MS) for event, kind in zip(events, kinds, strict=True)]
    return answer(parts, truth, Framing(headers=NDJSON if is_lines else SSE))


def _array(kinds: str, truth: Truth) -> Answer:
    """Gemini's stream without `alt=sse`: an element is complete with its last brace."""
    data = (FIXTURES / "gemini" / "array.json").read_bytes()
    pieces = data.split(b",\r\n{")
    whole = [pieces[0], *(b",\r\n{" + piece for piece in pieces[1:])]
    parts = [Part(piece, KINDS[kind], PAUSE_MS) for piece, kind in zip(whole, kinds, strict=True)]
    return answer(parts, truth, Framing(headers=("content-type: application/json; charset=UTF-8",)))


def _json(fixture: str, truth: Truth, *, compress: bool = True, headers: tuple[str, ...] = ()) -> Answer:
    body = json.loads((FIXTURES / fixture).read_bytes())
    return json_answer(body, truth, compress=compress, headers=("content-type: application/json", *headers))


def _truth(finish: str | None, tokens: Any, operation: str = "chat") -> Truth:
    return Truth(finishes=(finish,) if finish else (), tokens=tokens, operation=operation)


def _plain(finish: str | None, tokens: Any, operation: str = "chat") -> Truth:
    return replace(_truth(finish, tokens, operation), stream=False, stream_outcome=None)


def _failed(outcome: str, tokens: Any = None) -> Truth:
    return Truth(outcome=outcome, stream_outcome="error_event", finishes=(), tokens=tokens)


def messages(model: str) -> dict[str, Any]:
    return {"max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], "model": model}


def _input(model: str) -> dict[str, Any]:
    return {"input": "hi", "model": model}


def _prompt(model: str) -> dict[str, Any]:
    return {"model": model, "prompt": "hi"}


def _contents(_model: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def _inputs(_model: str) -> dict[str, Any]:
    return {"inputs": "hi", "parameters": {"max_new_tokens": 9}}


def _text_input(_model: str) -> dict[str, Any]:
    return {"text_input": "hi", "parameters": {"stream": True}}


def _watsonx(model: str) -> dict[str, Any]:
    return {"input": "hi", "model_id": model, "project_id": "p"}


def _message(model: str) -> dict[str, Any]:
    return {"message": "hi", "model": model}


GEMINI = "/v1beta/models/{model}"
VERTEX = "/v1/projects/p/locations/l/publishers/google/models/{model}"
CLAUDE = {"input": 52, "output": 216, "cache_read": 0, "cache_write": 0}
THOUGHT = {"input": 8, "output": 2056, "reasoning": 1702}
RESPONSE = {"input": 25, "output": 40, "cache_read": 8, "reasoning": 16}
TEXT, EMBED, GENERATE = "text_completion", "embeddings", "generate_content"


def _openai_shapes() -> list[Case]:
    old = "/openai/deployments/{model}/chat/completions?api-version=2024-10-21"
    azure = _stream("openai/azure.sse", "..o..", _truth("stop", None))
    return [
        Case("Azure, old path", old, "azure.ai.openai", messages, azure),
        Case("Azure, new path", "/openai/v1/chat/completions", "openai", messages, azure),
        Case("embeddings", "/v1/embeddings", "openai", _input,
             _json("openai/embeddings.json", _plain(None, usage(input=8), EMBED))),
        Case("Responses", "/v1/responses", "openai", _input,
             _stream("responses/text.sse", "....oo.....", _truth("stop", usage(**RESPONSE)))),
        Case("Responses, reasoning", "/v1/responses", "openai", _input,
             _stream("responses/reasoning.sse", "...rr...o....", _truth("length", usage(**RESPONSE)))),
        Case("Responses, failed", "/v1/responses", "openai", _input,
             _stream("responses/failed.sse", "....o.", _failed("rate_limited"))),
        Case("Responses, JSON", "/v1/responses", "openai", _input,
             _json("responses/response.json", _plain("stop", usage(**RESPONSE)))),
        Case("Writer chat", "/v1/chat", "cohere", messages,
             _stream("writer/chat.sse", ".oo..", _truth("stop", usage(input=9, output=4)))),
        Case("Writer completions", "/v1/completions", "openai", _prompt,
             _stream("writer/completions.sse", "oo.", _truth(None, None, TEXT))),
    ]  # fmt: skip


def _hosted() -> list[Case]:
    cohere = usage(input=7, output=109)
    return [
        Case("Anthropic", "/v1/messages", "anthropic", messages,
             _stream("anthropic/text.sse", "...oo...", _truth("stop", usage(**CLAUDE)))),
        Case("Anthropic, thinking", "/v1/messages", "anthropic", messages,
             _stream("anthropic/thinking.sse", "..r.r...o....",
                     _truth("length", usage(input=100, output=30, cache_read=40, cache_write=8)))),
        Case("Anthropic, overloaded", "/v1/messages", "anthropic", messages,
             _stream("anthropic/overloaded.sse", "..o.",
                     _failed("overloaded", usage(input=52, cache_read=0, cache_write=0)))),
        Case("Anthropic, JSON", "/v1/messages", "anthropic", messages,
             _json("anthropic/message.json",
                   _plain("stop", usage(input=115, output=7, cache_read=100, cache_write=5)))),
        Case("Anthropic, 529", "/v1/messages", "anthropic", messages, json_answer(
            json.loads((FIXTURES / "anthropic/error_overloaded_529.json").read_bytes()),
            error_truth(529, "overloaded"), status="529 Overloaded")),
        Case("Gemini", f"{GEMINI}:streamGenerateContent?alt=sse", "gcp.gemini", _contents,
             _stream("gemini/text.sse", "ooo", _truth("stop", usage(**THOUGHT), GENERATE))),
        Case("Gemini, thoughts", f"{GEMINI}:streamGenerateContent?alt=sse", "gcp.gemini", _contents,
             _stream("gemini/thoughts.sse", "rro.", _truth("length", usage(**THOUGHT), GENERATE))),
        Case("Gemini, array", f"{GEMINI}:streamGenerateContent", "gcp.gemini", _contents,
             _array("ooo", _truth("stop", usage(**THOUGHT), GENERATE))),
        Case("Gemini, JSON", f"{GEMINI}:generateContent", "gcp.gemini", _contents,
             _json("gemini/answer.json", _plain("stop", usage(**THOUGHT), GENERATE))),
        Case("Gemini, blocked", f"{GEMINI}:generateContent", "gcp.gemini", _contents, _json(
            "gemini/blocked.json",
            replace(error_truth(200, "content_filter"), operation=GENERATE, tokens=usage(input=8)))),
        Case("Vertex", f"{VERTEX}:streamGenerateContent?alt=sse", "gcp.vertex_ai", _contents,
             _stream("gemini/function_call.sse", "o.", _truth("stop", usage(**THOUGHT, cache_read=4), GENERATE))),
        Case("Cohere v2", "/v2/chat", "cohere", messages,
             _stream("cohere/v2_chat.sse", "..o..o...", _truth("stop", cohere))),
        Case("Cohere v2, tools", "/v2/chat", "cohere", messages,
             _stream("cohere/v2_tools.sse", ".o.oo...", _truth("tool_calls", cohere))),
        Case("Cohere v2, JSON", "/v2/chat", "cohere", messages,
             _json("cohere/v2_answer.json", _plain("stop", cohere))),
        Case("Cohere v1", "/v1/chat", "cohere", _message,
             _stream("cohere/v1_chat.ndjson", "...oo..", _truth("stop", cohere))),
        Case("Cohere v1, JSON", "/v1/chat", "cohere", _message,
             _json("cohere/v1_answer.json", _plain("stop", cohere))),
        Case("watsonx", "/ml/v1/text/generation_stream", "ibm.watsonx.ai", _watsonx,
             _stream("watsonx/generation.sse", ".oo.", _truth("stop", usage(input=8, output=5), TEXT))),
        Case("watsonx, JSON", "/ml/v1/text/generation", "ibm.watsonx.ai", _watsonx,
             _json("watsonx/generation.json", _plain("stop", usage(input=8, output=5), TEXT))),
    ]  # fmt: skip


def _own_servers() -> list[Case]:
    ollama = usage(input=17, output=63)
    timings = ({"source": "timings", "input": 12, "output": 2, "cache_read": 5},)
    return [
        Case("Ollama chat", "/api/chat", "ollama", messages,
             _stream("ollama/thinking.ndjson", "rro.", _truth("length", ollama))),
        Case("Ollama generate", "/api/generate", "ollama", _prompt,
             _stream("ollama/generate.ndjson", "oo.", _truth("stop", ollama, TEXT))),
        Case("Ollama, error", "/api/chat", "ollama", messages,
             _stream("ollama/error.ndjson", "o.", _failed("stream_interrupted"))),
        Case("Ollama chat, JSON", "/api/chat", "ollama", messages,
             _json("ollama/chat.json", _plain("stop", ollama), compress=False)),
        Case("Ollama embed", "/api/embed", "ollama", _input,
             _json("ollama/embed.json", _plain(None, usage(input=8), EMBED), compress=False)),
        Case("TGI", "/generate_stream", "tgi", _inputs,
             _stream("generate/tgi.sse", "oo.", _truth("stop", usage(input=11, output=3), TEXT)), names_model=False),
        Case("TGI, JSON", "/generate", "tgi", _inputs,
             _json("generate/tgi.json", _plain("stop", usage(input=2, output=5), TEXT)), names_model=False),
        Case("Triton", "/v2/models/{model}/generate_stream", "triton", _text_input,
             _stream("generate/triton.sse", "oo", _truth(None, None, TEXT))),
        Case("llama.cpp", "/completion", "llama_cpp", _prompt,
             _stream("llama_cpp/completion.sse", "oo.", _truth("stop", timings, TEXT))),
        Case("llama.cpp, JSON", "/completion", "llama_cpp", _prompt,
             _json("llama_cpp/completion.json", _plain("stop", timings, TEXT), compress=False)),
    ]  # fmt: skip


def cases() -> list[Case]:
    """Every answer of every dialect."""
    return [*_openai_shapes(), *_hosted(), *_own_servers()]
