"""httpx without an SDK, reading the event stream line by line: URL CERT MODEL COUNT MAX_TOKENS."""

from __future__ import annotations

import json
import ssl
import sys

import httpx

from deploy.demo.clients.asking import PROMPTS, chat
from deploy.demo.clients.stamps import since_first_send_s, stamp
from deploy.demo.measured import Measured


def main() -> None:
    url, cert, model, count, max_tokens = sys.argv[1:]
    with httpx.Client(verify=ssl.create_default_context(cafile=cert), event_hooks={"request": [stamp]}) as client:
        for prompt in PROMPTS[: int(count)]:
            print(ask(client, url, chat(prompt, model, int(max_tokens))).line(), flush=True)


def ask(client: httpx.Client, url: str, body: dict[str, object]) -> Measured:
    ttft_s = None
    usage: dict[str, int] = {}
    with client.stream("POST", f"{url}/chat/completions", json=body, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if ttft_s is None and event["choices"] and event["choices"][0]["delta"].get("content"):
                ttft_s = since_first_send_s(response)
            usage = event.get("usage") or usage
    if ttft_s is None:
        msg = "the stream ended without content"
        raise RuntimeError(msg)
    return Measured(ttft_s, "ok", usage["prompt_tokens"], usage["completion_tokens"])


if __name__ == "__main__":
    main()
