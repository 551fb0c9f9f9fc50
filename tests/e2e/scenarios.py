"""The seeded mix of the stream trial: what is asked, by which client, and what is true of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.e2e import clients
from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    After,
    Answer,
    Framing,
    Kind,
    Truth,
    answer,
    chat,
    chat_event,
    completion,
    cut_after,
    error_truth,
    event,
    json_answer,
    one_write,
    plain_truth,
    resplit,
    silence,
    usage_event,
    usage_tokens,
    words,
)

CUT = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One exchange of the trial."""

    name: str
    attempts: tuple[Answer, ...]
    stream: bool = True
    leave_at: int | None = None  # the client leaves after so many content events
    end: str = "return"  # kill, exit: how the client's process ends
    forking: bool = False  # the server's process belongs to the connection
    keep: bool = True
    clients: tuple[str, ...] = clients.SYNC + clients.ASYNC
    retries: int = 0


def _usage(rng: random.Random, count: int) -> tuple[int, int]:
    return rng.randint(5, 4000), count


def _whole(rng: random.Random) -> Scenario:
    count = rng.randint(5, 60)
    first_ms = rng.choice((50.0, 200.0, 400.0))
    return Scenario("stream", (chat(count, rng.choice((0.0, 6.0, 15.0)), usage=_usage(rng, count), first_ms=first_ms),))


def _no_usage(rng: random.Random) -> Scenario:
    return Scenario("stream, no usage", (chat(rng.randint(3, 40), 8.0, first_ms=150.0),))


def _early_head(rng: random.Random) -> Scenario:
    count = rng.randint(5, 30)
    framing = Framing(early_head_ms=3.0)
    return Scenario("early head", (chat(count, 8.0, usage=_usage(rng, count), framing=framing, first_ms=250.0),))


def _split(rng: random.Random) -> Scenario:
    whole = chat(rng.randint(4, 15), usage=_usage(rng, 9))
    offsets = rng.sample(range(1, len(whole.data)), 12)
    return Scenario("split anywhere", (resplit(whole, offsets, pause_ms=3.0),))


def _merged(rng: random.Random) -> Scenario:
    whole = chat(rng.randint(20, 200), usage=_usage(rng, 9))
    return Scenario("all in one write", (one_write(whole),))


def _odd_chunks(rng: random.Random) -> Scenario:
    whole = chat(rng.randint(3, 12), usage=_usage(rng, 3), framing=Framing(chunk_bytes=rng.randint(20, 300)))
    return Scenario("chunks inside events", (whole,))


def _reasoning(rng: random.Random) -> Scenario:
    parts = [
        ROLE,
        *words(rng.randint(3, 20), 4.0, "reasoning_content", Kind.REASONING),
        *words(8, 4.0),
        STOP,
        usage_event(9, 30, {"completion_tokens_details": {"reasoning_tokens": 12}}),
        DONE,
    ]
    return Scenario("reasoning first", (answer(parts, Truth(tokens=usage_tokens(9, 30, reasoning=12))),))


def _tool(rng: random.Random) -> Scenario:
    functions: list[dict[str, str]] = [{"name": "find", "arguments": ""}, *({"arguments": f"{n}"} for n in range(6))]
    parts = [
        chat_event({"tool_calls": [{"index": 0, "function": function}]}, Kind.OUTPUT, before_ms=6.0)
        for function in functions
    ]
    tokens = _usage(rng, 11)
    truth = Truth(finishes=("tool_calls",), tokens=usage_tokens(*tokens))
    whole = answer([*parts, chat_event({}, finish="tool_calls"), usage_event(*tokens), DONE], truth)
    return Scenario("tool call first", (whole,))


def _no_done(rng: random.Random) -> Scenario:
    return Scenario("no [DONE]", (chat(rng.randint(3, 20), 3.0, usage=(5, 6), done=False),))


def _length(rng: random.Random) -> Scenario:
    return Scenario("content-length", (chat(rng.randint(3, 20), 3.0, usage=(5, 6), framing=Framing(kind="length")),))


def _until_close(rng: random.Random) -> Scenario:
    whole = chat(rng.randint(3, 20), 3.0, usage=(5, 6), framing=Framing(kind="close"))
    return Scenario("until close", (whole,), keep=False)


def _error_event(rng: random.Random) -> Scenario:
    failure = event('{"error": {"message": "gone", "type": "server_error", "code": 500}}')
    parts = [ROLE, *words(rng.randint(1, 9), 3.0), failure, DONE]
    truth = Truth(outcome="server_error", stream_outcome="error_event", finishes=(), tokens=None)
    return Scenario("error, then [DONE]", (answer(parts, truth),), clients=_LENIENT)


def _json(rng: random.Random, *, compress: bool) -> Scenario:
    tokens = _usage(rng, rng.randint(1, 500))
    body = completion(tokens, text="long " * rng.randint(1, 600))
    chunk_bytes = rng.choice((None, 700))
    name = "gzip JSON" if compress else "JSON"
    whole = json_answer(body, plain_truth(tokens), compress=compress, chunk_bytes=chunk_bytes, before_ms=15.0)
    return Scenario(name, (whole,), stream=False)


def _http_error(rng: random.Random) -> Scenario:
    status, outcome, kind = rng.choice(
        (
            ("401 Unauthorized", "auth", "invalid_request_error"),
            ("429 Too Many Requests", "rate_limited", "rate_limit_error"),
            ("429 Too Many Requests", "quota_exhausted", "insufficient_quota"),
            ("503 Service Unavailable", "overloaded", "overloaded_error"),
            ("500 Internal Server Error", "server_error", "server_error"),
            ("404 Not Found", "not_found", "not_found_error"),
        )
    )
    body = {"error": {"message": "no", "type": kind, "param": None, "code": None}}
    truth = error_truth(int(status[:3]), outcome)
    return Scenario(f"HTTP {status[:3]}", (json_answer(body, truth, status=status, before_ms=4.0),))


def _retry(rng: random.Random) -> Scenario:
    body = {"error": {"message": "slow down", "type": "rate_limit_error", "code": None}}
    headers = ("content-type: application/json", "retry-after-ms: 20")
    refused = json_answer(body, error_truth(429, "rate_limited"), status="429 Too Many Requests", headers=headers)
    whole = chat(rng.randint(4, 9), 3.0, usage=(5, 9))
    return Scenario("retried", (refused, whole), retries=1, clients=("openai", "openai-async"))


def _cancelled(rng: random.Random) -> Scenario:
    # Long enough that every side notices before the last write: 60 x 15 ms.
    return Scenario("cancelled", (chat(60, 15.0, usage=(5, 60)),), leave_at=rng.randint(2, 8))


def _client_died(rng: random.Random) -> Scenario:
    how = rng.choice(("kill", "exit"))
    return Scenario(f"client {how}", (chat(60, 15.0),), leave_at=rng.randint(2, 8), end=how, clients=("process",))


def _cut(rng: random.Random) -> Scenario:
    after = rng.choice((After.FIN, After.RST, After.NOTIFY))
    whole = chat(20, 4.0)
    name = f"cut by {after.value}"
    return Scenario(name, (cut_after(whole, rng.randint(3, 15), after, CUT),), keep=False)


def _server_died(rng: random.Random) -> Scenario:
    after = rng.choice((After.KILL, After.EXIT))
    cut = cut_after(chat(20, 4.0), rng.randint(3, 15), after, CUT)
    return Scenario(f"server {after.value}", (cut,), forking=True, keep=False)


def _no_answer(_: random.Random) -> Scenario:
    return Scenario("closed without an answer", (silence(After.FIN, 30.0),), keep=False)


def _program(rng: random.Random, name: str) -> Scenario:
    return replace(rng.choice((_whole, _no_usage, _split, _merged))(rng), name=name, clients=(name,))


_LENIENT = tuple(name for name in clients.SYNC + clients.ASYNC if not name.startswith("openai"))

MIX: tuple[tuple[int, Callable[[random.Random], Scenario]], ...] = (
    (220, _whole),
    (60, _no_usage),
    (60, _early_head),
    (60, _split),
    (40, _merged),
    (40, _odd_chunks),
    (40, _reasoning),
    (30, _tool),
    (30, _no_done),
    (20, _length),
    (20, _until_close),
    (30, _error_event),
    (80, lambda rng: _json(rng, compress=True)),
    (30, lambda rng: _json(rng, compress=False)),
    (50, _http_error),
    (10, _retry),
    (70, _cancelled),
    (10, _client_died),
    (40, _cut),
    (30, _server_died),
    (10, _no_answer),
    (15, lambda rng: _program(rng, "curl")),
    (5, lambda rng: _program(rng, "node")),
)


def mix(rng: random.Random, count: int) -> list[Scenario]:
    """`count` scenarios in the mix's proportions, in random order."""
    weights = [weight for weight, _ in MIX]
    makers = [make for weight, make in MIX for _ in range(round(weight * count / sum(weights)))]
    while len(makers) < count:
        makers.append(rng.choices([make for _, make in MIX], weights)[0])
    rng.shuffle(makers)
    return [make(rng) for make in makers[:count]]
