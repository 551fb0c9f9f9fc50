"""A user who never stops asking: URL CERT MODEL PERIOD. One short stream after the other until it is ended.

A request that fails is what an outage looks like, so it goes on; the exporter counts what happened.
"""

from __future__ import annotations

import itertools
import ssl
import sys
import time

import httpx

from deploy.demo.clients.asking import PROMPTS, chat

MAX_TOKENS = 2
LIMIT_S = 20.0


def main() -> None:
    url, cert, model, period = sys.argv[1:]
    with httpx.Client(verify=ssl.create_default_context(cafile=cert), timeout=LIMIT_S) as client:
        for prompt in itertools.cycle(PROMPTS):
            began = time.monotonic()
            print(ask(client, url, chat(prompt, model, MAX_TOKENS)), flush=True)
            time.sleep(max(0.0, began + float(period) - time.monotonic()))


def ask(client: httpx.Client, url: str, body: dict[str, object]) -> str:
    """Return how the request ended, in a word."""
    try:
        with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            for _ in response.iter_lines():
                pass
            return str(response.status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


if __name__ == "__main__":
    main()
