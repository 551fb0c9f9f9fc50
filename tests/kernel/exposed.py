"""Exchanges that carry canaries: a prompt, an answer and a key in every place where each dialect puts them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    After,
    Answer,
    Kind,
    Truth,
    answer,
    chat_event,
    completion,
    cut_after,
    error_truth,
    event,
    json_answer,
    plain_truth,
)
from tests.e2e.clients import Raw
from tests.e2e.lab import Lab
from tests.exporter.wires import FIXTURES, PATHS, TYPES, name_of

# Members of requests and answers that hold what a person or a model wrote.
_TEXT_KEYS = (
    *("text", "content", "thinking", "reasoning", "reasoning_content", "refusal", "arguments", "partial_json", "delta"),
    *("response", "generated_text", "text_output", "message", "transcript", "output_text", "input", "summary", "title"),
)
_TEXTS = re.compile(rb'("(?:%b)"\s*:\s*")((?:[^"\\]|\\.)+)(")' % "|".join(_TEXT_KEYS).encode())
# Wherever a key is sent, and where one might be by mistake.
_KEY_HEADERS = (
    *("authorization: Bearer {key}", "x-api-key: {key}", "api-key: {key}", "x-goog-api-key: {key}", "cookie: k={key}"),
    *("proxy-authorization: Basic {key}", "x-stainless-helper: {key}", "user-agent: {key}", "traceparent: {key}"),
)
_ANSWER_HEADERS = ("set-cookie: s={key}", "x-request-id: {answer}", "openai-organization: {key}")


def odd_answers(marked: Mapping[str, str]) -> dict[str, Answer]:
    """Answers in which a canary stands where the exporter looks for words of its own."""
    secret = marked["answer"]
    said = [chat_event({"content": f" {secret}"}, Kind.OUTPUT, before_ms=1.0) for _ in range(5)]
    stream = answer([ROLE, *said, STOP, DONE], Truth(tokens=None))
    refusal = {
        "error": {"message": f"{marked['prompt']} is not allowed, {marked['key']}", "type": secret, "code": secret}
    }
    return {
        "stream": stream,
        "cut": cut_after(stream, 4, After.FIN, Truth()),
        "in-stream": answer(
            [ROLE, *said, event(f'{{"error": {{"message": "{secret}", "type": "{secret}"}}}}')], Truth()
        ),
        "odd-finish": answer([ROLE, *said, chat_event({}, finish=secret), DONE], Truth()),
        "json": json_answer(completion((1, 2), secret), plain_truth((1, 2)), compress=True),
        "error": json_answer(refusal, error_truth(400, "invalid_request"), status="400 Bad Request"),
        "broken": json_answer(f"\0{secret}".encode(), plain_truth((1, 1))),
        "no-json-event": answer([ROLE, event(secret), DONE], Truth()),
    }


def _path(fixture: Path) -> str | None:
    name = name_of(fixture)
    return next((path for prefix, path in PATHS.items() if name.startswith(prefix)), None)


def dialect_answers(marked: Mapping[str, str]) -> Iterator[tuple[str, str, Answer]]:
    """Yield name, path and answer of every fixture of every dialect, its texts replaced; errors with their status."""
    headers = tuple(line.format(**marked) for line in _ANSWER_HEADERS)
    for fixture in sorted(path for path in FIXTURES.rglob("*") if path.suffix in {*TYPES, ".json"}):
        path = _path(fixture)
        if path is None:
            continue
        data = _TEXTS.sub(rb"\g<1>" + marked["answer"].encode() + rb"\g<3>", fixture.read_bytes())
        kind = TYPES.get(fixture.suffix, "application/json")
        status = "429 Slow" if "error" in fixture.stem and fixture.suffix == ".json" else "200 OK"
        whole = json_answer(
            data, Truth(), status=status, headers=(f"content-type: {kind}", *headers), compress="chat" in fixture.stem
        )
        yield name_of(fixture).replace("/", "-"), path, whole


def request(path: str, script: str, marked: Mapping[str, str]) -> bytes:
    """Return a request whose every text is a canary, of any dialect: its body has what each of them asks for."""
    said = f"{marked['prompt']} " * 30
    body = {
        "messages": [{"role": "user", "content": said}, {"role": "system", "content": said}],
        **dict.fromkeys(("prompt", "input", "inputs", "message", "text_input", "system", "instructions"), said),
        "contents": [{"role": "user", "parts": [{"text": said}]}],
        "user": marked["key"],
        "metadata": {"user_id": marked["key"]},
        "stream": True,
        "model": script,
        "model_id": script,
    }
    data = json.dumps(body).encode()
    lines = [
        f"POST {path}{'&' if '?' in path else '?'}key={marked['key']}&api-key={marked['key']} HTTP/1.1",
        "host: localhost",
        f"x-script: {script}",
        *(line.format(**marked) for line in _KEY_HEADERS),
        "content-type: application/json",
        f"content-length: {len(data)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


def expose(lab: Lab, marked: Mapping[str, str]) -> int:
    """Let every exchange take place over both transports; return how many."""
    plan = [(name, "/v1/chat/completions", planned) for name, planned in odd_answers(marked).items()]
    plan += dialect_answers(marked)
    for tls in (True, False):
        for name, path, planned in plan:
            script = lab.new(f"private-{name}", planned)
            conn = Raw(lab.server.port(tls=tls), lab.cert if tls else None)
            conn.send(request(path, script, marked))
            conn.read(len(planned.data) + (planned.after is not After.KEEP))
            conn.close()
    return 2 * len(plan)
