"""One service that calls the model while an instrumentation records its calls: NAME API SECONDS.

The exporter, the service's name and what is captured come from OpenTelemetry's own environment variables.
"""

from __future__ import annotations

import random
import sys
import time

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from deploy.demo.queries import MODEL
from tests.spans.services import SERVICES, Instrumentation, Mishap, Service

LIMIT_S = 30.0
SHORT_S = 0.02  # shorter than the model's shortest answer
PIECES = 3  # of a stream before its user leaves


def main() -> None:
    name, api, seconds = sys.argv[1:]
    service = next(service for service in SERVICES if service.name == name)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    instrument(service.instrumentation)
    dice = random.Random(f"{name} {seconds}")
    end = time.monotonic() + float(seconds)
    with openai.OpenAI(base_url=api, api_key="demo", max_retries=0, timeout=LIMIT_S) as client:
        while time.monotonic() < end:
            print(ask(client, service, dice), flush=True)
            time.sleep(min(dice.expovariate(1 / service.pause_s), max(0.0, end - time.monotonic())))
    provider.shutdown()


def instrument(by: Instrumentation) -> None:
    """Load one instrumentation only: two would each wrap what the other wrapped."""
    if by is Instrumentation.OPENTELEMETRY:
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor  # noqa: PLC0415
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor  # noqa: PLC0415
    OpenAIInstrumentor().instrument()


def ask(client: openai.OpenAI, service: Service, dice: random.Random) -> str:
    """Make one call; return how it ended, in a word."""
    mishap = service.mishap(dice)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": service.prompt(dice, mishap)}],
        "max_tokens": dice.randint(*service.tokens),
    }
    if mishap is Mishap.TIMEOUT:
        client = client.with_options(timeout=SHORT_S)
    if mishap is Mishap.NOT_FOUND:
        client = client.with_options(base_url=f"{client.base_url}old")
    try:
        if service.stream:
            return read(client, body, PIECES if mishap is Mishap.LEFT else None)
        client.chat.completions.create(**body)
    except openai.APIError as error:
        return type(error).__name__
    except openai.httpx.HTTPError as error:  # a stream that breaks is not the SDK's error
        return type(error).__name__
    return "ok"


def read(client: openai.OpenAI, body: dict[str, object], leave_after: int | None) -> str:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    with client.chat.completions.create(**body, **options) as stream:
        for count, _ in enumerate(stream, 1):
            if count == leave_after:
                return "left"
    return "ok"


if __name__ == "__main__":
    main()
