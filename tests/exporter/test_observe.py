from __future__ import annotations

from dataclasses import replace

import pytest

from llmslo_exporter import catalog
from llmslo_exporter.exchange import ClosedBy, Fault, Outcome, StreamOutcome, Tokens, TokenSource
from llmslo_exporter.observe import InFlight, observe, observe_in_flight
from llmslo_exporter.summary import FinishReason, Role
from tests.exporter.exchanges import CHAT, PLAIN, REFUSED, STREAM


def seen(exchange) -> dict[tuple[str, ...], float | None]:
    """What an exchange says, by metric and extra labels; each series at most once."""
    updates = observe(exchange)
    found = {(update.metric.name, *update.extra): update.value for update in updates}
    assert len(found) == len(updates)
    return found


def names(exchange) -> set[str]:
    return {key[0] for key in seen(exchange)}


def test_a_completed_stream_moves_all_of_these():
    assert seen(STREAM) == {
        ("llm_requests_total", "ok", "false"): 1,
        ("llm_request_duration_seconds", "true"): 2.5,
        ("llm_time_to_first_byte_seconds", "true"): 0.06,
        ("llm_finish_total", "stop"): 1,
        ("llm_streams_total", "completed", "none", "true"): 1,
        ("llm_time_to_first_token_seconds",): 0.4,
        ("llm_time_to_first_output_token_seconds",): 0.7,
        ("llm_stream_max_gap_seconds",): 0.25,
        ("llm_time_per_output_token_seconds", "usage"): pytest.approx(0.05),
        ("llm_output_tokens_per_second", "usage"): pytest.approx(20),
        ("llm_tokens_total", "output", "usage"): 41,
        ("llm_tokens_total", "input", "usage"): 100,
        ("llm_tokens_total", "cache_read", "usage"): 64,
        ("llm_tokens_total", "reasoning", "usage"): 8,
        ("llm_tls_handshake_duration_seconds",): 0.012,
    }


def test_an_answer_in_one_piece_has_no_first_token():
    assert seen(PLAIN) == {
        ("llm_requests_total", "ok", "false"): 1,
        ("llm_request_duration_seconds", "false"): 2.5,
        ("llm_time_to_first_byte_seconds", "false"): 0.06,
        ("llm_finish_total", "stop"): 1,
        ("llm_tokens_total", "output", "usage"): 41,
        ("llm_tokens_total", "input", "usage"): 100,
        ("llm_tokens_total", "cache_read", "usage"): 64,
        ("llm_tokens_total", "reasoning", "usage"): 8,
    }


def test_a_refusal_is_counted_and_not_timed():
    assert seen(REFUSED) == {("llm_requests_total", "rate_limited", "false"): 1}


def test_a_repeated_attempt_says_so():
    assert seen(replace(REFUSED, retry=True)) == {("llm_requests_total", "rate_limited", "true"): 1}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_duration_is_of_successes_only(outcome):
    assert "llm_request_duration_seconds" not in names(replace(STREAM, outcome=outcome))


def test_no_response_byte_is_an_exchange_too():
    silent = replace(REFUSED, status=None, first_byte_s=None, outcome=Outcome.TIMEOUT)
    assert seen(silent) == {("llm_requests_total", "timeout", "false"): 1}


TRUNCATED = replace(
    STREAM,
    outcome=Outcome.STREAM_INTERRUPTED,
    stream_outcome=StreamOutcome.TRUNCATED,
    closed_by=ClosedBy.SERVER,
    tokens=(),
    finishes=(),
)


def test_a_cut_stream_has_a_first_token_and_a_gap_and_no_pace():
    found = seen(TRUNCATED)
    assert found["llm_streams_total", "truncated", "server", "true"] == 1
    assert found["llm_time_to_first_token_seconds",] == 0.4
    assert found["llm_time_to_first_output_token_seconds",] == 0.7
    assert found["llm_stream_max_gap_seconds",] == 0.25
    assert found["llm_tokens_total", "output", "chunks"] == 30
    assert not names(TRUNCATED) & {"llm_time_per_output_token_seconds", "llm_output_tokens_per_second"}


def test_a_stream_cut_before_its_first_token_says_so_and_has_no_ttft():
    cut = replace(
        TRUNCATED, first_token_s=None, first_output_s=None, last_token_s=None, max_gap_s=None, content_events=0
    )
    found = seen(cut)
    assert found["llm_streams_total", "truncated", "server", "false"] == 1
    assert found["llm_time_to_first_token_seconds",] is None
    assert "llm_tokens_total" not in names(cut)


def test_an_unknown_first_token_is_counted_apart_and_never_as_missing():
    found = seen(
        replace(STREAM, first_token_s=None, first_output_s=None, last_token_s=None, content_events=0, ttft_unknown=True)
    )
    assert found["llm_streams_total", "completed", "none", "true"] == 1
    assert found["llm_exporter_ttft_unknown_total",] == 1
    assert found["llm_time_to_first_token_seconds",] is None


def test_a_completed_stream_was_closed_by_nobody():
    found = seen(replace(STREAM, closed_by=ClosedBy.SERVER))
    assert ("llm_streams_total", "completed", "none", "true") in found


@pytest.mark.parametrize(
    ("tokens", "tpot", "throughput"), [(1, False, False), (2, True, False), (19, True, False), (20, True, True)]
)
def test_pace_needs_enough_tokens(tokens, tpot, throughput):
    found = names(replace(STREAM, tokens=(Tokens(TokenSource.USAGE, output=tokens),)))
    assert ("llm_time_per_output_token_seconds" in found) is tpot
    assert ("llm_output_tokens_per_second" in found) is throughput


def test_a_stream_that_came_in_one_read_has_no_rate():
    found = names(replace(STREAM, last_token_s=STREAM.first_token_s))
    assert "llm_output_tokens_per_second" not in found


def test_one_content_event_has_no_gap():
    assert "llm_stream_max_gap_seconds" not in names(replace(STREAM, content_events=1))


USAGE = Tokens(TokenSource.USAGE, input=10, output=20)
TIMINGS = Tokens(TokenSource.TIMINGS, input=11, output=21)
CHUNKS = Tokens(TokenSource.CHUNKS, output=30)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((), {("output", "chunks"): 30}),
        ((CHUNKS,), {("output", "chunks"): 30}),
        ((TIMINGS,), {("input", "timings"): 11, ("output", "timings"): 21}),
        ((CHUNKS, TIMINGS, USAGE), {("input", "usage"): 10, ("output", "usage"): 20}),
        ((replace(USAGE, output=None), TIMINGS), {("input", "usage"): 10, ("output", "timings"): 21}),
        ((replace(USAGE, output=None),), {("input", "usage"): 10, ("output", "chunks"): 30}),
        ((Tokens(TokenSource.USAGE, output=0),), {("output", "usage"): 0}),
    ],
)
def test_each_type_is_counted_once_from_its_best_source(tokens, expected):
    found = seen(replace(STREAM, tokens=tokens))
    assert {key[1:]: value for key, value in found.items() if key[0] == "llm_tokens_total"} == expected


def test_every_choice_has_its_finish():
    updates = observe(replace(STREAM, finishes=(FinishReason.STOP, FinishReason.STOP, FinishReason.LENGTH)))
    reasons = [update.extra for update in updates if update.metric.name == "llm_finish_total"]
    assert reasons == [("stop",), ("stop",), ("length",)]


@pytest.mark.parametrize(("encoding", "label"), [("gzip", "gzip"), ("zstd", "zstd"), ("rot13", "_other")])
def test_a_compressed_stream_is_counted_by_encoding(encoding, label):
    assert seen(replace(STREAM, encoding=encoding))["llm_exporter_compressed_streams_total", label] == 1


def test_in_flight_counts_one_and_gives_its_age():
    flight = InFlight(Role.CLIENT, "openai", "gpt-5", "chat", CHAT, "streaming", 12.5)
    found = [(update.metric.name, update.extra, update.value) for update in observe_in_flight(flight)]
    assert found == [("llm_requests_in_flight", (), 1.0), ("llm_request_oldest_seconds", ("streaming",), 12.5)]


def test_each_fault_is_counted_once():
    found = seen(replace(STREAM, faults=frozenset({Fault.EVENT, Fault.ENCODING})))
    assert found["llm_exporter_parse_errors_total", "event"] == 1
    assert found["llm_exporter_parse_errors_total", "encoding"] == 1
    assert {fault.value for fault in Fault} < set(catalog.PARSE_REASONS)
