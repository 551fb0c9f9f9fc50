"""Parser throughput of each dialect: its stream event by event, beside json.loads over the same events alone.

The exporter itself reads a stream so only where it comes compressed; of the others it reads the first and the last KiB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from llmslo_exporter.excerpt import Events, event_facts, excerpt_facts
from tests.bench.figures import Figure, Line, Setting
from tests.exporter.wires import FIXTURES, TYPES, dialect_of

STREAMS = (
    *("openai/chat_with_usage.sse", "anthropic/thinking.sse", "responses/text.sse", "gemini/thoughts.sse"),
    *("ollama/chat.ndjson", "cohere/v2_chat.sse", "cohere/v1_chat.ndjson", "writer/chat.sse", "generate/tgi.sse"),
    *("generate/triton.sse", "llama_cpp/completion.sse", "watsonx/generation.sse"),
)
BYTES = 1_000_000
READ = 16_384  # a TLS record
EXCERPTS = 200


def measure(setting: Setting) -> Iterator[Line]:
    """Yield MB/s of the parser and of json.loads, their ratio, and the time of what an exchange costs."""
    for name in STREAMS:
        setting.say(f"parsers: {name}")
        yield from _lines(name, setting.rounds)


def _lines(name: str, rounds: int) -> Iterator[Line]:
    path = FIXTURES / name
    dialect, kind = dialect_of(path), TYPES[path.suffix]
    once = path.read_bytes()
    once = once if once.endswith(b"\n\n") or path.suffix == ".ndjson" else once.rstrip() + b"\n\n"
    data = once * (BYTES // len(once))
    reads = [data[at : at + READ] for at in range(0, len(data), READ)]
    texts = [event.data for event in Events(kind).feed(data) if event.data.startswith(b"{")]

    def parse() -> None:
        events = Events(kind)
        for read in reads:
            for event in events.feed(read):
                event_facts(dialect, event)

    def load() -> None:
        for text in texts:
            json.loads(text)

    def excerpt() -> None:
        for _ in range(EXCERPTS):
            excerpt_facts(dialect, kind, once[:1024], once[-2048:])

    label = name.partition(".")[0]
    pairs = [(_cpu_s(parse), _cpu_s(load), _cpu_s(excerpt)) for _ in range(rounds)]
    size_mb = len(data) / 1e6
    yield Figure(f"{label}: event by event", "MB/s", tuple(size_mb / parsed for parsed, _, _ in pairs))
    yield Figure(f"{label}: json.loads alone", "MB/s", tuple(size_mb / loaded for _, loaded, _ in pairs))
    yield Figure(f"{label}: of its speed", "ratio", tuple(loaded / parsed for parsed, loaded, _ in pairs))
    yield Figure(f"{label}: its first and last KiB", "us", tuple(cut / EXCERPTS * 1e6 for _, _, cut in pairs))


def _cpu_s(work: Callable[[], None]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
