"""What a server of each dialect answers: the fixtures' bytes, laid on the wire, with what is true of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.e2e import packers
from tests.e2e.answers import Answer, Framing, Kind, Part, Truth, answer, chat, error_truth, json_answer
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
    """One answer of one dialect. `{model}` stands for the model in a path; `body` makes the request of a model.

    `host` is what our own client calls the server.
    """

    name: str
    path: str
    provider: str
    body: Body
    answer: Answer
    names_model: bool = True
    host: str = "localhost"

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream."""
        return self.answer.truth.stream


def usage(**counts: int) -> tuple[Mapping[str, Any], ...]:
    """The tokens of a usage object."""
    return ({"source": "usage", **counts},)


def _stream(fixture: str, kinds: str, truth: Truth, *, coding: str = "", headers: tuple[str, ...] = ()) -> Answer:
    data = (FIXTURES / fixture).read_bytes()
    is_lines = fixture.endswith(".ndjson")
    found = data.splitlines(keepends=True) if is_lines else _EVENT_END.split(data)
    events = [event for event in found if event.strip()]
    if len(events) != len(kinds):
        msg = f"{fixture} has {len(events)} events, {len(kinds)} are described"
        raise ValueError(msg)
    parts = [Part(event, KINDS[kind], PAUSE_MS) for event, kind in zip(events, kinds, strict=True)]
    framing = Framing(headers=((*NDJSON, *headers) if is_lines else (*SSE, *headers)))
    return answer(parts, truth, framing) if not coding else packed(parts, truth, framing, coding)


def packed(parts: Sequence[Part], truth: Truth, framing: Framing, coding: str) -> Answer:
    """The same stream in a content coding, flushed behind each event."""
    runs = packers.packed([part.data for part in parts], coding)
    coded = [replace(part, data=run) for part, run in zip(parts, runs, strict=True)]
    return answer(coded, truth, replace(framing, headers=(*framing.headers, f"content-encoding: {coding}")))


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
COUNTED = usage(input=12, output=3, cache_read=4, reasoning=1)
THINKING = Truth(finishes=("length",), tokens=usage(input=100, output=30, cache_read=40, cache_write=8))
CHAT = "/v1/chat/completions"
TEXT, EMBED, GENERATE = "text_completion", "embeddings", "generate_content"


def _openai_shapes() -> list[Case]:
    old = "/openai/deployments/{model}/chat/completions?api-version=2024-10-21"
    azure = _stream("openai/azure.sse", "..o..", _truth("stop", None))
    return [
        Case("OpenAI chat", CHAT, "openai", messages,
             _stream("openai/chat_with_usage.sse", ".ooo...", _truth("stop", COUNTED))),
        Case("OpenAI chat, tools", CHAT, "openai", messages,
             _stream("openai/tool_call.sse", "ooo..", _truth("tool_calls", None))),
        Case("OpenAI chat, JSON", CHAT, "openai", messages,
             _json("openai/chat.json", _plain("stop", COUNTED))),
        Case("OpenAI completions", "/v1/completions", "openai", _prompt,
             _stream("openai/completions.sse", "oo.", _truth("stop", None, TEXT))),
        Case("Mistral", CHAT, "openai", messages, chat(5, 3.0, usage=(5, 5))),
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
             _stream("anthropic/thinking.sse", "..r.r...o....", THINKING)),
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


def _by_host() -> list[Case]:
    """OpenAI's shape as others speak it: the host, or the server's name, tells who answers."""
    found = [
        ("DeepSeek", "api.deepseek.com", "deepseek", "/chat/completions",
         _stream("openai/deepseek_reasoning.sse", ".rro..",
                 _truth("stop", usage(input=20, output=30, cache_read=16, reasoning=25)))),
        ("Groq", "api.groq.com", "groq", "/openai/v1/chat/completions",
         _stream("openai/groq.sse", ".o..", _truth("stop", usage(input=18, output=73)))),
        ("OpenRouter", "openrouter.ai", "openrouter", "/api/v1/chat/completions",
         _stream("openai/openrouter_comments.sse", ".....ro....",
                 _truth("stop", usage(input=3, output=2)))),
        ("Mistral, thinking", "api.mistral.ai", "mistral_ai", CHAT,
         _stream("openai/mistral_thinking.sse", ".ro..", _truth("length", usage(input=5, output=4)))),
        ("vLLM", "", "vllm", CHAT,
         _stream("openai/vllm_finish_with_content.sse", ".oo.", _truth("length", usage(input=9, output=2)),
                 headers=("server: vllm",))),
        ("TGI chat", "", "tgi", CHAT,
         _stream("openai/tgi_no_space.sse", "o...", _truth("stop", None),
                 headers=("server: text-generation-inference",))),
        ("vLLM, error and DONE", "", "openai", CHAT,
         _stream("openai/vllm_error_then_done.sse", ".o..", _failed("server_error"))),
    ]  # fmt: skip
    return [
        Case(name, path, provider, messages, said, host=host or "localhost")
        for name, host, provider, path, said in found
    ]


def _compressed() -> list[Case]:
    """Compressed streams, which the kernel cannot read."""
    found = []
    for coding in packers.CODINGS:
        said = _stream("anthropic/thinking.sse", "..r.r...o....", THINKING, coding=coding)
        found.append(Case(f"Anthropic, {coding}", "/v1/messages", "anthropic", messages, said))
        lines = _stream("ollama/chat.ndjson", "oo.", _truth("stop", usage(input=17, output=63)), coding=coding)
        found.append(Case(f"Ollama chat, {coding}", "/api/chat", "ollama", messages, lines))
        body = packers.packed([(FIXTURES / "openai/chat.json").read_bytes()], coding)[0]
        headers = ("content-type: application/json", f"content-encoding: {coding}")
        whole = answer([Part(body)], _plain("stop", COUNTED), Framing(kind="length", headers=headers))
        found.append(Case(f"OpenAI chat, JSON, {coding}", CHAT, "openai", messages, whole))
    return found


def cases() -> list[Case]:
    """Every answer of every dialect."""
    return [*_openai_shapes(), *_by_host(), *_hosted(), *_own_servers(), *_compressed()]
