"""The OpenAI-compatible family: chat completions and completions.

As written by OpenAI, Azure, vLLM, SGLang, TGI `/v1`, llama.cpp, Groq, DeepSeek, OpenRouter, Mistral and the many that
copy them. wire-formats 3-7 has the evidence for every shape read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from llmslo_exporter.dialects.dialect import Dialect, ErrorFacts, Facts, RequestFacts, content_of
from llmslo_exporter.exchange import Tokens, TokenSource
from llmslo_exporter.finish import FINISH_VALUES, finish_reason
from llmslo_exporter.fragments import Member, members_from_start, members_to_end, parse_json
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.tokens import token_count
from llmslo_exporter.wire import Scope, Wire

CHAT_PATH = "/chat/completions"
TEXT_PATH = "/completions"

OPENAI_WIRE = Wire(
    name="openai",
    paths=(CHAT_PATH, TEXT_PATH),
    output=("content", "refusal", "text"),
    reasoning=("reasoning_content", "reasoning", "thinking"),
    scopes=(
        Scope("audio", "{", output=("data", "transcript")),
        Scope("tool_calls", "[", output=("name", "arguments", "input")),  # input: custom tools
        Scope("function_call", "{", output=("name", "arguments")),
        Scope("reasoning_details", "[", reasoning=("text", "summary", "data")),  # OpenRouter
        Scope("thinking", "[", reasoning=("text",)),  # Mistral
        Scope("annotations", "["),
        Scope("citations", "["),  # Perplexity: these have an index of their own
        Scope("search_results", "["),
        Scope("logprobs", "{"),
    ),
    finish=("finish_reason",),
    index="index",
    errors=("error",),
    terminals=("[DONE]",),
    finish_values=FINISH_VALUES,
)

# One request may ask for at most 128 choices (OpenAI's limit for `n`); a larger number is no count of choices.
MAX_CHOICES = 128
# Words of an error are compared with a closed list: the longest is under 40 characters, codes are three digits.
MAX_WORD_CHARS = 128
MAX_CODE = 10**6

_DONE = b"[DONE]"
_ERROR_LINE = b"error:"
_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")
_REQUEST_KEYS = frozenset({"model", "stream", "n"})
# What a completions request has and another API's body at a path that ends alike has not.
_TELLING_KEYS = frozenset({"model", "prompt", "messages", "max_tokens", "suffix"})
_ANSWER_KEYS = frozenset({"model", "usage", "timings", "error", "error_type", "type", "code"})


def operation(path: str) -> str:
    """Return the contract's operation of a matched path."""
    return "chat" if path.rstrip("/").endswith(CHAT_PATH) else "text_completion"


def path_model(path: str) -> str | None:
    """Return Azure's deployment name, which stands for the model that its bodies may lack."""
    match = _AZURE_DEPLOYMENT.search(path)
    return unquote(match[1]) if match else None


def request(path: str, body: bytes, tail: bytes) -> RequestFacts:
    """Read `model`, `stream` and `n` from the first and last part of a request body; they may stand in either."""
    if body.strip() and not body.lstrip().startswith((b"{", b"\xef\xbb\xbf{")):
        return RequestFacts(foreign=True)
    keys = _REQUEST_KEYS | _TELLING_KEYS
    outer = [m for m in (*members_from_start(body, keys), *members_to_end(tail, keys)) if m.depth == 1]
    found = {member.key: member.value for member in outer if member.key in _REQUEST_KEYS and member.raw is not None}
    stream = found.get("stream")
    choices = found.get("n")
    return RequestFacts(
        model=_text(found.get("model")),
        stream=stream if isinstance(stream, bool) else None,
        choices=choices if type(choices) is int and 1 <= choices <= MAX_CHOICES else 1,
        foreign=bool(body)
        and not path.rstrip("/").endswith(CHAT_PATH)
        and not any(m.key in _TELLING_KEYS for m in outer),
    )


def event(item: Event) -> Facts:
    """Read one event of a stream."""
    if item.data.strip() == _DONE:
        return Facts(terminal=True)
    value = parse_json(item.data)
    facts = _facts(value)
    if item.name == b"error" and facts.error is None:
        facts = facts.then(Facts(error=_named_error(value)))
    for line in item.others:
        if line.startswith(_ERROR_LINE):  # older llama.cpp
            facts = facts.then(Facts(error=_named_error(parse_json(line.removeprefix(_ERROR_LINE)))))
    return facts


def answer(body: bytes) -> Facts:
    """Read a whole answer that is no stream."""
    return _facts(parse_json(body))


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
    words = ErrorFacts(_word(inner.get("type")), _word(inner.get("code")))
    return facts.then(Facts(likely_error=words if words != ErrorFacts() else None))


def _member_facts(member: Member) -> Facts:
    # Depth 2 is `x_groq.usage`; deeper words are part of something else.
    if member.raw is None or member.depth > 2:  # noqa: PLR2004
        return Facts()
    if member.key == "usage":
        return Facts(usage=_usage(member.value))
    if member.depth > 1:
        return Facts()
    if member.key == "model":
        return Facts(model=_text(member.value))
    if member.key == "timings":
        return Facts(timings=_timings(member.value))
    return Facts(error=_error({member.key: member.value}))


def _facts(value: object) -> Facts:
    if isinstance(value, list) and len(value) == 1:  # errors of some gateways come in a one-element list
        value = value[0]
    if not isinstance(value, dict):
        return Facts()
    finishes: dict[int, FinishReason] = {}
    indices: set[int] = set()
    error = _error(value)
    choices = value.get("choices")
    for position, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, dict):
            continue
        index = choice.get("index")
        index = index if type(index) is int and 0 <= index < MAX_CHOICES else position
        indices.add(index)
        reason = _text(choice.get("finish_reason"))
        if reason is not None:
            finishes[index] = finish_reason(reason)
        error = error or _error(choice)  # OpenRouter puts an upstream's error inside the choice
    x_groq = value.get("x_groq")
    return Facts(
        content=content_of(OPENAI_WIRE, value),
        model=_text(value.get("model")),
        usage=_usage(value.get("usage")) or (_usage(x_groq.get("usage")) if isinstance(x_groq, dict) else None),
        timings=_timings(value.get("timings")),
        error=error,
        finishes=finishes,
        choices=frozenset(indices),
    )


def _usage(value: object) -> Tokens | None:
    """Return the counts of a usage object; None where it is null or holds none."""
    if not isinstance(value, dict):
        return None
    total = token_count(value.get("total_tokens"))
    prompt = _first_count(value.get("prompt_tokens"), value.get("input_tokens"))
    output = _first_count(value.get("completion_tokens"), value.get("output_tokens"))
    into = value.get("prompt_tokens_details")
    into = into if isinstance(into, dict) else {}
    out = value.get("completion_tokens_details")
    out = out if isinstance(out, dict) else {}
    reasoning = _first_count(out.get("reasoning_tokens"), value.get("reasoning_tokens"))
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
        cache_read=_first_count(
            into.get("cached_tokens"), value.get("prompt_cache_hit_tokens"), value.get("cached_tokens")
        ),
        cache_write=token_count(into.get("cache_write_tokens")),
        reasoning=reasoning,
    )


def _timings(value: object) -> Tokens | None:
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
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, dict):
        return _error_words(error)
    if error:  # TGI names the class beside its text; a bare text has none
        return ErrorFacts(type=_word(value.get("error_type")))
    # the shape of older vLLM and of Mistral
    return _error_words(value) if value.get("object") == "error" else None


def _named_error(value: object) -> ErrorFacts:
    """Return the words of what its event's or line's name calls an error: the error object, or a body around it."""
    return _error(value) or _error({"error": value}) or ErrorFacts()


def _error_words(error: dict[str, object]) -> ErrorFacts:
    code = error.get("code")
    return ErrorFacts(_word(error.get("type")), _word(error.get("status") if code is None else code))


def _word(value: object) -> str:
    if isinstance(value, str):
        return value[:MAX_WORD_CHARS]
    return str(value) if type(value) is int and abs(value) < MAX_CODE else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _first_count(*values: object) -> int | None:
    counts: Iterable[int | None] = (token_count(value) for value in values)
    return next((count for count in counts if count is not None), None)


OPENAI = Dialect(
    wire=OPENAI_WIRE,
    operation=operation,
    path_model=path_model,
    request=request,
    event=event,
    answer=answer,
    cut_answer=cut_answer,
)
