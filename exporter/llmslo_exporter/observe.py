"""What one exchange says to which metric: the table of the metrics contract, as a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from llmslo_exporter import catalog
from llmslo_exporter.exchange import ClosedBy, Exchange, Outcome, StreamOutcome, Tokens, TokenSource
from llmslo_exporter.identity import Workload
from llmslo_exporter.series import Update
from llmslo_exporter.summary import Role

# With fewer tokens the rate says more about how reads were cut than about the provider.
THROUGHPUT_TOKENS = 20


@dataclass(frozen=True, slots=True)
class InFlight:
    """One exchange under way. `phase` is one of catalog.PHASES, `age_s` counts from the first request byte."""

    role: Role
    provider: str
    model: str | None
    operation: str
    workload: Workload
    phase: str
    age_s: float


def is_answered(exchange: Exchange) -> bool:
    """Return whether a 2xx head came."""
    return exchange.status is not None and HTTPStatus.OK <= exchange.status < HTTPStatus.MULTIPLE_CHOICES


def observe(exchange: Exchange) -> tuple[Update, ...]:
    """Return the steps of all series that this exchange moves, without its shared labels."""
    return (*_request(exchange), *_stream(exchange), *_pace(exchange), *_tokens(exchange), *_connection(exchange))


def observe_in_flight(flight: InFlight) -> tuple[Update, ...]:
    """Return the steps of the gauges for one exchange under way."""
    return Update(catalog.IN_FLIGHT), Update(catalog.OLDEST, (flight.phase,), flight.age_s)


def _request(exchange: Exchange) -> Iterator[Update]:
    yield Update(catalog.REQUESTS, (exchange.outcome.value, _text(exchange.retry)))
    stream = (_text(exchange.stream),)
    if exchange.outcome is Outcome.OK:
        yield Update(catalog.DURATION, stream, exchange.duration_s)
    if is_answered(exchange) and exchange.first_byte_s is not None:
        yield Update(catalog.FIRST_BYTE, stream, exchange.first_byte_s)
    for kind, remaining in exchange.ratelimits:
        yield Update(catalog.RATELIMIT, (catalog.RATELIMIT_KIND.known(kind),), remaining)
    for fault in exchange.faults:
        yield Update(catalog.PARSE_ERRORS, (fault.value,))
    for reason in exchange.finishes:
        yield Update(catalog.FINISHES, (catalog.FINISH_REASONS[reason],))


def _stream(exchange: Exchange) -> Iterator[Update]:
    if exchange.ttft_unknown:
        yield Update(catalog.TTFT_UNKNOWN)
    if exchange.stream_outcome is None:
        return
    closed_by = exchange.closed_by
    if exchange.stream_outcome is StreamOutcome.COMPLETED:
        closed_by = ClosedBy.NONE
    # Unknown is not "false": a blind spot must not look like a stream that ended without a token.
    reached = exchange.first_token_s is not None or exchange.content_events > 0 or exchange.ttft_unknown
    yield Update(catalog.STREAMS, (exchange.stream_outcome.value, closed_by.value, _text(reached)))
    # Even where no token came: the SLI adds both, and a sum with an absent part is absent.
    yield Update(catalog.TTFT, (), exchange.first_token_s)
    if exchange.first_output_s is not None:
        yield Update(catalog.TTFO, (), exchange.first_output_s)
    if exchange.content_events > 1 and exchange.max_gap_s is not None:
        yield Update(catalog.MAX_GAP, (), exchange.max_gap_s)
    if exchange.encoding is not None:
        yield Update(catalog.COMPRESSED, (catalog.ENCODING.known(exchange.encoding),))


def _pace(exchange: Exchange) -> Iterator[Update]:
    """Time per token and tokens per time of a completed stream."""
    best = _output(exchange)
    if exchange.stream_outcome is not StreamOutcome.COMPLETED or best is None:
        return
    if exchange.first_token_s is None or exchange.last_token_s is None:
        return
    count, source = best
    spent_s = exchange.last_token_s - exchange.first_token_s
    if count > 1:
        yield Update(catalog.TPOT, (source.value,), spent_s / (count - 1))
    if count >= THROUGHPUT_TOKENS and spent_s > 0:
        yield Update(catalog.THROUGHPUT, (source.value,), (count - 1) / spent_s)


def _tokens(exchange: Exchange) -> Iterator[Update]:
    """Each type once, from the best source that has it: two sources of one exchange would count it twice."""
    output = _output(exchange)
    if output is not None:
        yield Update(catalog.TOKENS, ("output", output[1].value), output[0])
    seen: set[str] = set()
    for tokens in _best_first(exchange):
        counts = (
            ("input", tokens.input),
            ("cache_read", tokens.cache_read),
            ("cache_write", tokens.cache_write),
            ("reasoning", tokens.reasoning),
        )
        for kind, count in counts:
            if count is not None and kind not in seen:
                seen.add(kind)
                yield Update(catalog.TOKENS, (kind, tokens.source.value), count)


def _connection(exchange: Exchange) -> Iterator[Update]:
    if exchange.handshake_s is not None:
        yield Update(catalog.HANDSHAKE, (), exchange.handshake_s)


def _output(exchange: Exchange) -> tuple[int, TokenSource] | None:
    """Return the output tokens and who counted them; content events where nobody did."""
    for tokens in _best_first(exchange):
        if tokens.output is not None:
            return tokens.output, tokens.source
    if exchange.stream_outcome is not None and exchange.content_events > 0:
        return exchange.content_events, TokenSource.CHUNKS
    return None


def _best_first(exchange: Exchange) -> list[Tokens]:
    return sorted(exchange.tokens, key=lambda tokens: catalog.TOKEN_SOURCES.index(tokens.source.value))


def _text(value: bool) -> str:  # noqa: FBT001 -- it is the value itself
    return catalog.BOOLEANS[0] if value else catalog.BOOLEANS[1]
