"""Spans as all instrumentations write them, whole and broken: typed, and as a store of texts has them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from llmslo_rulegen.traces import failures, naming

BEGIN_NS = 1_700_000_000_000_000_000
NS = 1_000_000_000
HOURS = 6
MODELS = ("gpt-5", "claude-opus", "", "modèle", "Llama-3'1\\8b", "x" * 200, "y" * 300, "\u00fc" * 256)
WEIRD = (
    *(
        "",
        " ",
        "5",
        " 5",
        "1_000",
        "+5",
        "-0",
        "-1",
        "5.",
        ".5",
        "1e3",
        "1E-3",
        "1e999",
        "nan",
        "inf",
        "0x1F",
        "true",
        "True",
    ),
    *(
        "false",
        "False",
        "0",
        "1",
        "null",
        "[]",
        '["stop"]',
        '["a\\"b"]',
        '[""]',
        "[1]",
        "{}",
        "²",
        "\uff19",
        "9" * 50,
        "9" * 5000,
    ),
    *(
        "٣",
        "429",
        "999",
        "0429",
        "\u212a",
        "LLM",
        "CHAIN",
        "Llm",
        "ÄGENT",
        "a.b.RateLimitError",
        "é.Timeout",
        "É",
        "x\ny\t'\\",
    ),
    *(0, 1, -1, 5, 429, 503, 2**53 + 1, 2**62, 0.0, -0.0, 0.1, 1e-7, 1e21, 1e30, 1e300, 5.5, 100.0, True, False),
    *("Z" * 200, "Z" * 220, "Z" * 300),
    *([], ["stop"], ["length", "stop"], [1], [True], [""], ["a b"], [0.5]),
)
INSTANTS = (
    "2023-11-14T22:13:20Z",
    '"2023-11-14T22:13:21.5Z"',
    "2023-11-14 23:13:22.123456789+01:00",
    "2023-11-14T22:13:20.25",
    "2023-02-30T00:00:00Z",
    "2023-11-14T24:00:00Z",
    "2023-11-14",
    "soon",
)
DETAILS = (
    '{"input": 120, "output": 33, "total": 153}',
    '{"input": 7.9, "output": "33"}',
    '{"output": {"input": 5}}',
    '{"input": true, "output": null}',
    '{"input": -4, "output": 1e40}',
    "[1]",
    "{",
    "",
)
WORDS = (
    *failures.CLASSES,
    "RateLimitError",
    "openai.APITimeoutError",
    "_OTHER",
    "500",
    "429",
    "x.y",
    "Service Unavailable",
)
EVERY_NAME = (
    *(
        *naming.OPERATION,
        *naming.MODEL,
        *naming.PROVIDER,
        *naming.STREAM,
        *naming.SECONDS_TO_FIRST,
        *naming.MS_TO_FIRST,
    ),
    *(naming.FIRST_AT, *naming.PER_TOKEN, *naming.INPUT, *naming.OUTPUT, naming.DETAILS, *naming.FINISH, naming.ERROR),
    *(
        *naming.STATUS,
        *naming.ERROR_WORDS,
        naming.VLLM_QUEUE,
        naming.CHAT_IF_EQUAL[0],
        naming.CHAT_IF_ENDS[0],
        "http.route",
    ),
)


@dataclass
class Mixed:
    """One span; `attributes` are typed."""

    service: str
    name: str
    scope: str
    start_ns: int
    end_ns: int
    trace: str
    span: str
    parent: str
    attributes: dict = field(default_factory=dict)
    is_error: bool = False
    message: str = ""
    events: list = field(default_factory=list)  # instant, name, attributes
    schema: str = ""


def spans(count: int, seed: int) -> Iterator[Mixed]:
    """Yield spans, the same for the same seed."""
    chance = random.Random(seed)
    last = None
    for _ in range(count):
        start_ns = BEGIN_NS + chance.randrange(HOURS * 3600 * NS)
        lasts_ns = int(chance.lognormvariate(0, 1.5) * NS)
        service = chance.choice(("shop", "chat", "", "bücher", "a'b"))
        found = Mixed(service, "chat gpt-5", "", start_ns, start_ns + lasts_ns, _id(chance, 32), _id(chance, 16), "")
        if last is not None and chance.random() < 0.15:
            found.trace, found.parent = last.trace, last.span
            found.service = last.service if chance.random() < 0.7 else service
        chance.choice(STYLES)(chance, found)
        if chance.random() < 0.2:
            _fail(chance, found)
        if chance.random() < 0.1:
            _break(chance, found)
        last = found
        yield found


def _id(chance: random.Random, digits: int) -> str:
    return f"{chance.getrandbits(digits * 4):0{digits}x}"


def _seconds(found: Mixed, chance: random.Random) -> float:
    return (found.end_ns - found.start_ns) / NS * chance.choice((0.1, 0.5, 1, 1.5, 0.01))


def _semconv(chance: random.Random, found: Mixed) -> None:
    found.attributes |= {
        "gen_ai.operation.name": chance.choice(
            ("chat", "text_completion", "embeddings", "generate_content", "execute_tool")
        ),
        chance.choice(("gen_ai.provider.name", "gen_ai.system")): chance.choice(
            ("openai", "OpenAI", "aws.bedrock", "ÖPEN")
        ),
        "gen_ai.request.model": chance.choice(MODELS),
        "gen_ai.usage.input_tokens": int(chance.lognormvariate(7, 2)),
        "gen_ai.usage.output_tokens": int(chance.lognormvariate(4, 2)),
        "gen_ai.response.finish_reasons": chance.choice((["stop"], ["length"], ["tool_calls", "stop"])),
    }
    if chance.random() < 0.6:
        found.attributes |= {
            "gen_ai.request.stream": True,
            "gen_ai.response.time_to_first_chunk": _seconds(found, chance),
        }


def _traceloop(chance: random.Random, found: Mixed) -> None:
    found.scope = "opentelemetry.instrumentation.openai.v1"
    found.attributes |= {
        "gen_ai.system": "OpenAI",
        "llm.request.type": chance.choice(("chat", "completion", "embedding", "rerank")),
        "gen_ai.response.model": chance.choice(MODELS),
        "gen_ai.is_streaming": chance.choice((True, False)),
        "gen_ai.usage.prompt_tokens": int(chance.lognormvariate(7, 2)),
        "gen_ai.usage.completion_tokens": int(chance.lognormvariate(4, 2)),
        "gen_ai.completion.0.finish_reason": "stop",
    }
    name = chance.choice(naming.CHUNKS)
    for part in range(chance.randrange(4)):
        at_ns = found.start_ns + chance.randrange(max(1, found.end_ns - found.start_ns)) + part
        found.events.append((at_ns, name, {}))


def _openlit(chance: random.Random, found: Mixed) -> None:
    _semconv(chance, found)
    duration_s = (found.end_ns - found.start_ns) / NS
    found.attributes.pop("gen_ai.request.stream", None)
    found.attributes |= {
        "gen_ai.server.time_to_first_token": chance.choice((duration_s, duration_s / 3)),
        "gen_ai.server.time_per_output_token": chance.lognormvariate(-4, 1),
    }


def _engine(chance: random.Random, found: Mixed) -> None:
    found.name = chance.choice((naming.VLLM_SPAN, "generate"))
    found.scope = chance.choice(("vllm.llm_engine", "SGLang", ""))
    found.attributes |= {
        "gen_ai.latency.time_in_queue": 0.001,
        "gen_ai.latency.time_to_first_token": _seconds(found, chance),
        "gen_ai.usage.prompt_tokens": chance.randrange(10_000),
        "gen_ai.usage.completion_tokens": chance.randrange(1000),
        "gen_ai.response.model": "llama",
    }


def _langfuse(chance: random.Random, found: Mixed) -> None:
    found.attributes |= {
        "langfuse.observation.type": chance.choice(("generation", "generation", "span")),
        "langfuse.observation.model.name": chance.choice(MODELS),
        "langfuse.observation.usage_details": chance.choice(DETAILS),
        "langfuse.observation.completion_start_time": chance.choice(INSTANTS),
    }
    found.start_ns = BEGIN_NS - chance.randrange(NS)
    found.end_ns = found.start_ns + chance.randrange(5 * NS)


def _vercel(chance: random.Random, found: Mixed) -> None:
    found.scope = "ai"
    found.attributes |= {
        "ai.operationId": chance.choice(("ai.streamText.doStream", "ai.generateText.doGenerate", "ai.streamText")),
        "ai.model.id": chance.choice(MODELS),
        "ai.model.provider": "openai.chat",
        "ai.usage.inputTokens": chance.randrange(100_000),
        "ai.usage.outputTokens": chance.randrange(2000),
        "ai.response.msToFirstChunk": _seconds(found, chance) * 1000,
        "ai.response.finishReason": chance.choice(("stop", "tool-calls", "a stranger's sentence")),
    }


def _openinference(chance: random.Random, found: Mixed) -> None:
    kinds = ("LLM", "EMBEDDING", "CHAIN", "RETRIEVER", "AGENT", "TOOL", "RERANKER")
    found.attributes |= {
        "openinference.span.kind": chance.choice(kinds),
        "llm.model_name": chance.choice(MODELS),
        "llm.system": "anthropic",
        "llm.token_count.prompt": chance.randrange(200_000),
        "llm.token_count.completion": chance.randrange(2000),
    }


def _litellm(chance: random.Random, found: Mixed) -> None:
    _semconv(chance, found)
    found.scope = chance.choice(("litellm", "LiteLLM", "\u00fc" * 195 + "litellm"))


def _http(chance: random.Random, found: Mixed) -> None:
    found.name = "POST"
    found.attributes |= {"http.request.method": "POST", "http.response.status_code": chance.choice((200, 500))}


def _anything(chance: random.Random, found: Mixed) -> None:
    for _ in range(chance.randrange(1, 9)):
        found.attributes[chance.choice(EVERY_NAME)] = chance.choice((*WEIRD, *WORDS, *DETAILS, *INSTANTS))


STYLES = (
    _semconv,
    _semconv,
    _traceloop,
    _openlit,
    _engine,
    _langfuse,
    _vercel,
    _openinference,
    _litellm,
    _http,
    _anything,
)


def _fail(chance: random.Random, found: Mixed) -> None:
    found.is_error = chance.random() < 0.7
    if chance.random() < 0.6:
        found.attributes["error.type"] = chance.choice(WORDS)
    if chance.random() < 0.4:
        found.attributes[chance.choice(naming.STATUS)] = chance.choice(
            (400, 404, 429, "500", 503, 529, 200, 14, 451, "x")
        )
    if chance.random() < 0.4:
        words = {chance.choice(naming.ERROR_WORDS): chance.choice(WORDS)}
        found.events.append((found.start_ns, chance.choice(("exception", "other")), words))
    found.message = chance.choice(("", "Overloaded", "429", "it did not work"))


def _break(chance: random.Random, found: Mixed) -> None:
    match chance.randrange(4):
        case 0:
            found.attributes[chance.choice(EVERY_NAME)] = chance.choice(WEIRD)
        case 1:
            found.end_ns = found.start_ns - 1
        case 2:
            found.end_ns = 0
        case 3:
            found.attributes = {name: chance.choice((value, "")) for name, value in found.attributes.items()}


def as_requests(found: Iterable[Mixed]) -> Iterator[dict]:
    """Yield requests of OTLP in JSON, one for the spans of a trace that follow each other."""
    for _, trace in groupby(found, lambda span: span.trace):
        yield {"resourceSpans": [_resource(span) for span in trace]}


def _resource(found: Mixed) -> dict:
    resource = [_pair("service.name", found.service)] if found.service else []
    span = {
        "traceId": found.trace,
        "spanId": found.span,
        "parentSpanId": found.parent,
        "name": found.name,
        "startTimeUnixNano": str(found.start_ns),
        "endTimeUnixNano": str(found.end_ns),
        "attributes": [_pair(*pair) for pair in found.attributes.items()],
        "events": [
            {"timeUnixNano": str(at_ns), "name": name, "attributes": [_pair(*pair) for pair in held.items()]}
            for at_ns, name, held in found.events
        ],
        "status": {"code": 2, "message": found.message} if found.is_error else {"message": found.message},
    }
    scope = {"scope": {"name": found.scope}, "spans": [span], "schemaUrl": found.schema}
    return {"resource": {"attributes": resource}, "scopeSpans": [scope]}


def _pair(name: str, value: object) -> dict:
    return {"key": name, "value": _value(value)}


def _value(value: object) -> dict:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
    return {"arrayValue": {"values": [_value(item) for item in value]}}


def as_row(found: Mixed) -> dict:
    """Return one span as the collector's exporter writes it into ClickHouse, for JSONEachRow."""
    return {
        "Timestamp": _instant(found.start_ns),
        "TraceId": found.trace,
        "SpanId": found.span,
        "ParentSpanId": found.parent,
        "SpanName": found.name,
        "ServiceName": found.service,
        "ScopeName": found.scope,
        "SpanAttributes": _texts(found.attributes),
        "Duration": (found.end_ns - found.start_ns) % (1 << 64),  # as a number without sign
        "StatusCode": "Error" if found.is_error else "Unset",
        "StatusMessage": found.message,
        "Events.Timestamp": [_instant(at_ns) for at_ns, _, _ in found.events],
        "Events.Name": [name for _, name, _ in found.events],
        "Events.Attributes": [_texts(held) for _, _, held in found.events],
    }


def _instant(at_ns: int) -> str:
    return f"{at_ns // NS}.{at_ns % NS:09}"


def _texts(held: Mapping[str, object]) -> dict[str, str]:
    return {name: go_text(value) for name, value in held.items()}


def go_text(value: object) -> str:
    """Return a value as `AsString` of the collector's pdata does."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return _go_float(value)
        case str():
            return value
        case int():
            return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _go_float(value: float) -> str:
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = repr(value).split("e")
    digits = exponent.lstrip("+-0")
    return f"{mantissa}e{'-' if exponent[0] == '-' else '+'}{digits}"
