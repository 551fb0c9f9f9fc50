"""One call of each real SDK against the byte server, by the name of the answer's case.

A call takes `Where` and a model, and reads the answer to its end; what an SDK makes of our bytes is its own business,
an exception is shown beside the verdict.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.clients import KEY, PATIENCE_S, context_for

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True, slots=True)
class Where:
    """The byte server's address, and the certificate to trust."""

    base: str
    cert: str

    @property
    def context(self) -> ssl.SSLContext:
        """A context that trusts it."""
        return context_for(self.cert)

    def httpx(self) -> Any:
        """A client of httpx that trusts it."""
        import httpx  # noqa: PLC0415

        return httpx.Client(verify=self.context, timeout=PATIENCE_S)


Call = Callable[[Where, str], None]


def _anthropic(where: Where) -> Any:
    import anthropic  # noqa: PLC0415

    transport = anthropic.DefaultHttpxClient(verify=where.context)
    return anthropic.Anthropic(base_url=where.base, api_key=KEY, http_client=transport, max_retries=0)


def _anthropic_stream(where: Where, model: str) -> None:
    with _anthropic(where).messages.create(model=model, max_tokens=64, messages=MESSAGES, stream=True) as events:
        list(events)


def _anthropic_json(where: Where, model: str) -> None:
    _anthropic(where).messages.create(model=model, max_tokens=64, messages=MESSAGES)


def _openai(where: Where) -> Any:
    import openai  # noqa: PLC0415

    transport = openai.DefaultHttpxClient(verify=where.context)
    return openai.OpenAI(base_url=f"{where.base}/v1", api_key=KEY, http_client=transport, max_retries=0)


def _chat_stream(where: Where, model: str) -> None:
    list(_openai(where).chat.completions.create(model=model, messages=MESSAGES, stream=True))


def _chat_json(where: Where, model: str) -> None:
    _openai(where).chat.completions.create(model=model, messages=MESSAGES)


def _completions(where: Where, model: str) -> None:
    list(_openai(where).completions.create(model=model, prompt="hi", stream=True))


def _responses_stream(where: Where, model: str) -> None:
    list(_openai(where).responses.create(model=model, input="hi", stream=True))


def _responses_json(where: Where, model: str) -> None:
    _openai(where).responses.create(model=model, input="hi")


def _embeddings(where: Where, model: str) -> None:
    _openai(where).embeddings.create(model=model, input="hi", encoding_format="float")


def _azure(where: Where, model: str) -> None:
    import openai  # noqa: PLC0415

    transport = openai.DefaultHttpxClient(verify=where.context)
    client = openai.AzureOpenAI(
        azure_endpoint=where.base, api_key=KEY, api_version="2024-10-21", http_client=transport, max_retries=0
    )
    list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))


def _gemini(where: Where, model: str) -> Any:
    from google import genai  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    options = types.HttpOptions(base_url=where.base, headers={"x-script": model}, client_args={"verify": where.context})
    return genai.Client(api_key=KEY, http_options=options)


def _gemini_stream(where: Where, model: str) -> None:
    client = _gemini(where, model)  # it closes its connections when nobody holds it
    list(client.models.generate_content_stream(model=model, contents="hi"))


def _gemini_json(where: Where, model: str) -> None:
    client = _gemini(where, model)
    client.models.generate_content(model=model, contents="hi")


def _ollama(where: Where) -> Any:
    import ollama  # noqa: PLC0415

    return ollama.Client(host=where.base, verify=where.context)


def _ollama_chat(where: Where, model: str) -> None:
    list(_ollama(where).chat(model=model, messages=MESSAGES, stream=True))


def _ollama_json(where: Where, model: str) -> None:
    _ollama(where).chat(model=model, messages=MESSAGES)


def _ollama_generate(where: Where, model: str) -> None:
    list(_ollama(where).generate(model=model, prompt="hi", stream=True))


def _ollama_embed(where: Where, model: str) -> None:
    _ollama(where).embed(model=model, input="hi")


def _cohere_v2(where: Where) -> Any:
    import cohere  # noqa: PLC0415

    return cohere.ClientV2(api_key=KEY, base_url=where.base, httpx_client=where.httpx())


def _cohere_v2_stream(where: Where, model: str) -> None:
    list(_cohere_v2(where).chat_stream(model=model, messages=MESSAGES))


def _cohere_v2_json(where: Where, model: str) -> None:
    _cohere_v2(where).chat(model=model, messages=MESSAGES)


def _cohere_v1(where: Where) -> Any:
    import cohere  # noqa: PLC0415

    return cohere.Client(api_key=KEY, base_url=where.base, httpx_client=where.httpx())


def _cohere_v1_stream(where: Where, model: str) -> None:
    list(_cohere_v1(where).chat_stream(model=model, message="hi"))


def _cohere_v1_json(where: Where, model: str) -> None:
    _cohere_v1(where).chat(model=model, message="hi")


def _mistral(where: Where, model: str) -> None:
    try:
        from mistralai import Mistral  # noqa: PLC0415
    except ImportError:
        from mistralai.client import Mistral  # noqa: PLC0415

    list(Mistral(api_key=KEY, server_url=where.base, client=where.httpx()).chat.stream(model=model, messages=MESSAGES))


# SDK, case of dialect_answers, call
CALLS: tuple[tuple[str, str, Call], ...] = (
    ("anthropic", "Anthropic", _anthropic_stream),
    ("anthropic", "Anthropic, thinking", _anthropic_stream),
    ("anthropic", "Anthropic, gzip", _anthropic_stream),
    ("anthropic", "Anthropic, br", _anthropic_stream),
    ("anthropic", "Anthropic, overloaded", _anthropic_stream),
    ("anthropic", "Anthropic, JSON", _anthropic_json),
    ("anthropic", "Anthropic, 529", _anthropic_json),
    ("openai", "OpenAI chat", _chat_stream),
    ("openai", "OpenAI chat, tools", _chat_stream),
    ("openai", "OpenAI chat, JSON", _chat_json),
    ("openai", "OpenAI chat, JSON, br", _chat_json),
    ("openai", "OpenAI chat, JSON, zstd", _chat_json),
    ("openai", "OpenAI completions", _completions),
    ("openai", "Responses", _responses_stream),
    ("openai", "Responses, reasoning", _responses_stream),
    ("openai", "Responses, JSON", _responses_json),
    ("openai", "embeddings", _embeddings),
    ("openai", "Azure, old path", _azure),
    ("google-genai", "Gemini", _gemini_stream),
    ("google-genai", "Gemini, thoughts", _gemini_stream),
    ("google-genai", "Gemini, JSON", _gemini_json),
    ("ollama", "Ollama chat", _ollama_chat),
    ("ollama", "Ollama chat, JSON", _ollama_json),
    ("ollama", "Ollama chat, gzip", _ollama_chat),
    ("ollama", "Ollama generate", _ollama_generate),
    ("ollama", "Ollama embed", _ollama_embed),
    ("cohere", "Cohere v2", _cohere_v2_stream),
    ("cohere", "Cohere v2, tools", _cohere_v2_stream),
    ("cohere", "Cohere v2, JSON", _cohere_v2_json),
    ("cohere", "Cohere v1", _cohere_v1_stream),
    ("cohere", "Cohere v1, JSON", _cohere_v1_json),
    ("mistralai", "Mistral", _mistral),
)
