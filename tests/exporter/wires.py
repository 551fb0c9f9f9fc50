"""The fixtures of every dialect, and what the kernel and the parsers say of their streams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path

from llmslo_exporter import actions, automaton
from llmslo_exporter.dialects import WIRES, find
from llmslo_exporter.dialects.dialect import Dialect, Facts
from llmslo_exporter.excerpt import Events
from llmslo_exporter.summary import FinishReason
from tests.exporter import kernel_model

FIXTURES = Path(__file__).parent / "fixtures"
TYPES = {".sse": "text/event-stream", ".ndjson": "application/x-ndjson"}
ENDS = {".sse": actions.EVENT, ".ndjson": actions.LINE}
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "responses": "/v1/responses",
    "ollama": "/api/chat",
    "gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    "cohere/v1": "/v1/chat",
    "cohere/v2": "/v2/chat",
    "writer/chat": "/v1/chat",
    "writer/completions": "/v1/completions",
    "generate/tgi": "/generate_stream",
    "generate/triton": "/v2/models/ensemble/generate_stream",
    "llama_cpp": "/completion",
    "watsonx": "/ml/v1/text/generation_stream",
}
STREAMS = sorted(path for path in FIXTURES.rglob("*") if path.suffix in TYPES)


@cache
def table() -> automaton.Automaton:
    """Return the compiled tables of all dialects."""
    return automaton.compile_wires(WIRES)


def name_of(path: Path) -> str:
    """Return a fixture's name below the folder of all."""
    return str(path.relative_to(FIXTURES).with_suffix(""))


def request_path(fixture: Path) -> str:
    """Return the path of a request that a fixture answers."""
    name = name_of(fixture)
    return next(path for prefix, path in PATHS.items() if name.startswith(prefix))


def dialect_of(fixture: Path) -> Dialect:
    """Return the dialect that reads a fixture."""
    found = find(request_path(fixture))
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is to count in a stream."""

    content: int
    output: int
    finishes: tuple[int, ...]
    choices: int
    is_terminal: bool
    is_error: bool


def kernel_counts(start: int, *reads: bytes, ends: int) -> Counts:
    """Return what the kernel counts of a stream that comes in `reads`."""
    tally = kernel_model.Tally(start)
    for data in reads:
        kernel_model.read_stream(table(), tally, data, ends)
    return Counts(
        tally.content,
        tally.output,
        tuple(tally.finish(reason) for reason in FinishReason),
        tally.choices,
        bool(tally.seen & actions.TERMINAL),
        bool(tally.seen & actions.ERROR),
    )


def parsed(dialect: Dialect, content_type: str, *reads: bytes) -> list[Facts]:
    """Return what the parsers read of each event of a stream that comes in `reads`."""
    events = Events(content_type)
    return [dialect.event(event) for data in reads for event in events.feed(data)]


def parser_counts(events: list[Facts]) -> Counts:
    """Return what the parsers count."""
    reasons = [reason for event in events for reason in event.finishes.values()]
    together = reduce(Facts.then, events, Facts())
    return Counts(
        sum(event.content > 0 for event in events),
        sum(event.content > 1 for event in events),
        tuple(reasons.count(reason) for reason in FinishReason),
        sum(1 << index for index in together.choices),
        together.terminal,
        together.error is not None,
    )
