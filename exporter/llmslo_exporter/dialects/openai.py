"""The OpenAI-compatible family: chat completions and completions.

As written by OpenAI, Azure, vLLM, SGLang, TGI `/v1`, llama.cpp, Groq, DeepSeek, OpenRouter, Mistral and the many that
copy them. wire-formats 3-7 has the evidence for every shape read here.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts
from llmslo_exporter.dialects.predicate import content_of
from llmslo_exporter.dialects.reader import MAX_CHOICES, error_beside, named_error, read_request
from llmslo_exporter.dialects.values import error_of, first_count, members, text, word
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.finish import FINISH_VALUES, finish_reason
from llmslo_exporter.fragments import Member, members_from_start, members_to_end, parse_json
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Scope, Wire, hidden

CHAT_PATH = "/chat/completions"
TEXT_PATH = "/completions"
EMBEDDINGS_PATH = "/embeddings"
WATSONX_PATHS = ("/text/chat", "/text/chat_stream")

OPENAI_WIRE = Wire(
    name="openai",
    paths=(CHAT_PATH, TEXT_PATH, EMBEDDINGS_PATH, *WATSONX_PATHS),
    output=("content", "refusal", "text", "value"),  # value: Writer's completions
    reasoning=("reasoning_content", "reasoning", "thinking"),
    scopes=(
        Scope("audio", "{", output=("data", "transcript")),
        Scope("tool_calls", "[", output=("name", "arguments", "input")),  # input: custom tools
        Scope("function_call", "{", output=("name", "arguments")),
        Scope("reasoning_details", "[", reasoning=("text", "summary", "data")),  # OpenRouter
        Scope("thinking", "[", reasoning=("text",)),  # Mistral
        Scope("summary", "[", reasoning=("text",)),  # Databricks, within the parts of a content
        Scope("annotations", "["),
        Scope("citations", "["),  # Perplexity: these have an index of their own
        Scope("search_results", "["),
        Scope("images", "["),  # OpenRouter, and the next one of Groq: with an index of their own, and texts of pages
        hidden("executed_tools", "[", 8),
        hidden("provider_metadata", "{", 8),  # Vercel: with the errors of the providers that were asked before
        Scope("logprobs", "{"),
        # Azure: a filter that failed says `error` here, and the answer goes on.
        *(hidden(key, "{", 3) for key in ("content_filter_results", "content_filter_result")),
        hidden("prompt_filter_results", "[", 2),
        hidden("message", "{", 3),  # Perplexity: all that was said so far, beside the delta
    ),
    finish=("finish_reason",),
    index="index",
    errors=("error",),
    terminals=("[DONE]",),
    finish_values=FINISH_VALUES,
)

_DONE = b"[DONE]"
_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")
# What a request has and another API's body at a path that ends alike has not.
_TELLING_KEYS = {
    "text_completion": frozenset({"model", "prompt", "messages", "max_tokens", "suffix"}),
    "embeddings": frozenset({"model", "input", "encoding_format", "dimensions"}),
}
_ANSWER_KEYS = frozenset({"model", "usage", "timings", "error", "error_type", "type", "code"})


def operation(path: str) -> str:
    """Return the contract's operation of a matched path."""
    path = path.rstrip("/")
    if path.endswith(EMBEDDINGS_PATH):
        return "embeddings"
    return "chat" if path.endswith((CHAT_PATH, *WATSONX_PATHS)) else "text_completion"


def path_model(path: str) -> str | None:
    """Return Azure's deployment name, which stands for the model that its bodies may lack."""
    match = _AZURE_DEPLOYMENT.search(path)
    return unquote(match[1]) if match else None


def request(path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model`, `stream` and `n` from the first and last part of a request body; they may stand in either."""
    model_key = "model_id" if path.rstrip("/").endswith(WATSONX_PATHS) else "model"
    return read_request(body, tail, _TELLING_KEYS.get(operation(path), frozenset()), model_key=model_key)


def event(item: Event) -> Facts:
    """Read one event of a stream."""
    if item.data.strip() == _DONE:
        return Facts(terminal=True)
    value = parse_json(item.data)
    facts = facts_of(value)
    if item.name == b"error" and facts.error is None:
        facts = facts.then(Facts(error=named_error(value)))
    return facts.then(Facts(error=error_beside(facts_of, item)))


def answer(body: bytes) -> Facts:
    """Read a whole answer that is no stream."""
    return facts_of(parse_json(body))


def cut_answer(head: bytes, tail: bytes) -> Facts:
    """Read the first and the last part of an answer, or of one event, between which bytes are missing."""
    facts = Facts()
    start = members_from_start(head, _ANSWER_KEYS)
    end = members_to_end(tail, _ANSWER_KEYS)
    for member in (*start, *end):
        facts = facts.then(_member_facts(member))
    if any(member.key == "error" for member in end):
        return facts
    inner = {member.key: member.value for member in end if member.depth == 2}  # noqa: PLR2004 - within `error`
    words = ErrorFacts(word(inner.get("type")), word(inner.get("code")))
    return facts.then(Facts(likely_error=words if words != ErrorFacts() else None))


def _member_facts(member: Member) -> Facts:
    # Depth 2 is `x_groq.usage`; deeper words are part of something else.
    if member.raw is None or member.depth > 2:  # noqa: PLR2004
        return Facts()
    if member.key == "usage":
        return Facts(usage=usage_of(member.value))
    if member.depth > 1:
        return Facts()
    if member.key == "model":
        return Facts(model=text(member.value))
    if member.key == "timings":
        return Facts(timings=timings_of(member.value))
    return Facts(error=_error({member.key: member.value}))


def facts_of(value: object) -> Facts:
    """Return what an event or an answer says."""
    if isinstance(value, list) and len(value) == 1:  # errors of some gateways come in a one-element list
        value = value[0]
    if not isinstance(value, dict):
        return Facts()
    finishes: dict[int, FinishReason] = {}
    indices: set[int] = set()
    error = _error(value)
    usage = usage_of(value.get("usage"))
    choices = value.get("choices")
    for position, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, dict):
            continue
        index = choice.get("index")
        index = index if type(index) is int and 0 <= index < MAX_CHOICES else position
        indices.add(index)
        reason = text(choice.get("finish_reason"))
        if reason is not None:
            finishes[index] = finish_reason(reason)
        error = error or _error(choice)  # OpenRouter puts an upstream's error inside the choice
        usage = usage or usage_of(choice.get("usage"))  # Moonshot, of a stream
    x_groq = value.get("x_groq")
    is_bare = not isinstance(choices, list) and isinstance(value.get("value"), str)  # Writer's completions
    return Facts(
        is_bare=is_bare,
        content=content_of(OPENAI_WIRE, value),
        model=text(value.get("model")),
        usage=usage or usage_of(members(x_groq).get("usage")),
        timings=timings_of(value.get("timings")),
        error=error,
        finishes=finishes,
        choices=frozenset(indices),
    )


def usage_of(value: object) -> Tokens | None:
    """Return the counts of a usage object; None where it is null or holds none."""
    if not isinstance(value, dict):
        return None
    total = token_count(value.get("total_tokens"))
    prompt = first_count(value.get("prompt_tokens"), value.get("input_tokens"))
    output = first_count(value.get("completion_tokens"), value.get("output_tokens"))
    into = members(value.get("prompt_tokens_details")) or members(value.get("input_tokens_details"))
    out = members(value.get("completion_tokens_details")) or members(value.get("output_tokens_details"))
    reasoning = first_count(out.get("reasoning_tokens"), value.get("reasoning_tokens"))
    if prompt is None and output is None:
        return None
    # xAI counts reasoning beside the completion; ours includes it. The total tells the two ways apart.
    if reasoning and prompt is not None and output is not None and total == prompt + output + reasoning:
        output += reasoning
    return Tokens(
        TokenSource.USAGE,
        input=prompt,
        output=output,
        # DeepSeek, then Moonshot, write the cached part beside the prompt's count
        cache_read=first_count(
            into.get("cached_tokens"), value.get("prompt_cache_hit_tokens"), value.get("cached_tokens")
        ),
        cache_write=token_count(into.get("cache_write_tokens")),
        reasoning=reasoning,
    )


def timings_of(value: object) -> Tokens | None:
    """Return the counts of llama.cpp's timings, which come without being asked for."""
    if not isinstance(value, dict):
        return None
    cached = token_count(value.get("cache_n"))
    evaluated = token_count(value.get("prompt_n"))
    output = token_count(value.get("predicted_n"))
    if evaluated is None and output is None:
        return None
    total = None if evaluated is None else evaluated + (cached or 0)
    return Tokens(TokenSource.TIMINGS, input=total, output=output, cache_read=cached)


def _error(value: object) -> ErrorFacts | None:
    """Return the telling words of a body that reports an error; None when it reports none."""
    found = error_of(value)
    if found is not None or not isinstance(value, dict):
        return found
    # the shape of older vLLM and of Mistral
    return _error_words(value) if value.get("object") == "error" else None


def _error_words(error: dict[str, object]) -> ErrorFacts:
    code = error.get("code")
    return ErrorFacts(word(error.get("type")), word(error.get("status") if code is None else code))


OPENAI = Dialect(
    wire=OPENAI_WIRE,
    operation=operation,
    path_model=path_model,
    request=request,
    event=event,
    answer=answer,
    cut_answer=cut_answer,
)
