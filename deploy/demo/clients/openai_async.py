"""The OpenAI SDK on asyncio, all streams at once: URL CERT MODEL COUNT MAX_TOKENS."""

from __future__ import annotations

import asyncio
import ssl
import sys

import openai

from deploy.demo.clients.asking import PROMPTS, chat
from deploy.demo.clients.stamps import astamp, since_first_send_s
from deploy.demo.measured import Measured


async def main() -> None:
    url, cert, model, count, max_tokens = sys.argv[1:]
    http = openai.DefaultAsyncHttpxClient(
        verify=ssl.create_default_context(cafile=cert), event_hooks={"request": [astamp], "response": []}
    )
    async with openai.AsyncOpenAI(base_url=url, api_key="demo", max_retries=0, http_client=http) as client:
        bodies = [chat(prompt, model, int(max_tokens)) for prompt in PROMPTS[: int(count)]]
        for measured in await asyncio.gather(*(ask(client, body) for body in bodies)):
            print(measured.line(), flush=True)


async def ask(client: openai.AsyncOpenAI, body: dict[str, object]) -> Measured:
    ttft_s = usage = None
    stream = await client.chat.completions.create(**body)  # type: ignore[call-overload] # one body for all clients
    async for chunk in stream:
        if ttft_s is None and chunk.choices and chunk.choices[0].delta.content:
            ttft_s = since_first_send_s(stream.response)
        usage = chunk.usage or usage
    if ttft_s is None or usage is None:
        msg = "the stream ended without content or usage"
        raise RuntimeError(msg)
    return Measured(ttft_s, "ok", usage.prompt_tokens, usage.completion_tokens)


if __name__ == "__main__":
    asyncio.run(main())
