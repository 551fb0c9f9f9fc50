"""The OpenAI SDK, one stream after the other: URL CERT MODEL COUNT MAX_TOKENS [LEAVE].

With LEAVE the user leaves each stream after that many pieces of content.
"""

from __future__ import annotations

import ssl
import sys

import openai

from deploy.demo.clients.asking import PROMPTS, chat
from deploy.demo.clients.stamps import since_first_send_s, stamp
from deploy.demo.measured import Measured


def main() -> None:
    url, cert, model, count, max_tokens, *leave = sys.argv[1:]
    http = openai.DefaultHttpxClient(
        verify=ssl.create_default_context(cafile=cert), event_hooks={"request": [stamp], "response": []}
    )
    with openai.OpenAI(base_url=url, api_key="demo", max_retries=0, http_client=http) as client:
        for prompt in PROMPTS[: int(count)]:
            body = chat(prompt, model, int(max_tokens))
            print(ask(client, body, int(leave[0]) if leave else None).line(), flush=True)


def ask(client: openai.OpenAI, body: dict[str, object], leave_after: int | None) -> Measured:
    ttft_s = usage = None
    pieces = 0
    with client.chat.completions.create(**body) as stream:  # type: ignore[call-overload] # one body for all clients
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                ttft_s = ttft_s or since_first_send_s(stream.response)
                pieces += 1
                if pieces == leave_after:
                    return Measured(ttft_s, "client_cancelled")
            usage = chunk.usage or usage
    if ttft_s is None or usage is None or leave_after is not None:
        msg = f"the stream ended after {pieces} pieces of content"
        raise RuntimeError(msg)
    return Measured(ttft_s, "ok", usage.prompt_tokens, usage.completion_tokens)


if __name__ == "__main__":
    main()
