"""Outcomes: evidence, status and who closed."""

from __future__ import annotations

import pytest

from llmslo_exporter.dialects.dialect import ErrorFacts
from llmslo_exporter.exchange import ClosedBy, Outcome, StreamOutcome
from llmslo_exporter.outcome import (
    Ending,
    closed_by,
    of_answer,
    of_status,
    of_stream,
    of_stream_error,
    outcome_of_stream,
    without_response,
)
from llmslo_exporter.summary import Closer, End, Role


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"), (201, "ok"), (400, "invalid_request"), (401, "auth"), (402, "quota_exhausted"), (403, "auth"),
        (404, "not_found"), (408, "timeout"), (409, "invalid_request"), (413, "invalid_request"),
        (418, "_other"), (422, "invalid_request"), (424, "server_error"), (429, "rate_limited"),
        (499, "client_cancelled"), (500, "server_error"), (502, "server_error"), (503, "overloaded"),
        (504, "timeout"), (520, "server_error"), (529, "overloaded"), (302, "_other"), (100, "_other"),
    ],
)  # fmt: skip
def test_statuses(status, outcome):
    assert of_status(status).value == outcome


@pytest.mark.parametrize(
    ("status", "kind", "code", "outcome"),
    [
        (401, "invalid_request_error", "", "auth"),
        (401, "invalid_request_error", "invalid_api_key", "auth"),
        (400, "invalid_request_error", "model_not_found", "not_found"),
        (404, "invalid_request_error", "model_not_found", "not_found"),
        (429, "insufficient_quota", "credit_balance_exhausted", "quota_exhausted"),
        (429, "insufficient_quota", "", "quota_exhausted"),
        (429, "requests", "rate_limit_exceeded", "rate_limited"),
        (429, "overloaded", "", "overloaded"),  # TGI: capacity, no rate limit
        (429, "", "", "rate_limited"),
        (400, "", "content_filter", "content_filter"),
        (404, "", "DeploymentNotFound", "not_found"),
        (401, "", "401", "auth"),
        (400, "BadRequestError", "400", "invalid_request"),
        (404, "NotFoundError", "404", "not_found"),
        (500, "api_error", "", "server_error"),
        (503, "api_error", "", "overloaded"),
        (400, "exceed_context_size_error", "400", "invalid_request"),
        (424, "generation", "", "server_error"),
        (529, "overloaded_error", "", "overloaded"),
        (418, "a word of tomorrow", "7", "_other"),
        (200, "", "502", "server_error"),
        (200, "api_error", "", "server_error"),
        (200, "", "", "_other"),
    ],
)
def test_body_evidence_beats_the_status_and_generic_types_yield(status, kind, code, outcome):
    assert of_answer(status, ErrorFacts(kind, code)).value == outcome


@pytest.mark.parametrize(
    ("kind", "code", "outcome"),
    [
        ("overloaded_error", "", "overloaded"),
        ("", "429", "rate_limited"),
        ("InternalServerError", "500", "server_error"),
        ("api_error", "", "server_error"),
        ("invalid_request_error", "", "invalid_request"),
        ("", "", "stream_interrupted"),
        ("", "\u0664\u0662\u0669", "stream_interrupted"),
    ],
)
def test_in_stream_errors_take_their_own_class(kind, code, outcome):
    error = ErrorFacts(kind, code)
    assert of_stream_error(error).value == outcome
    assert outcome_of_stream(StreamOutcome.ERROR_EVENT, error).value == outcome


def test_an_in_stream_error_without_words_interrupted_the_stream():
    assert outcome_of_stream(StreamOutcome.ERROR_EVENT, None) is Outcome.STREAM_INTERRUPTED


@pytest.mark.parametrize(
    ("closer", "is_ended", "finished", "stream"),
    [
        ("none", True, "1/1", "completed"),
        ("client", True, "1/1", "completed"),  # it stops reading once it has everything
        ("none", True, "2/2", "completed"),
        ("none", True, "1/2", "truncated"),
        ("none", True, "0/1", "truncated"),  # [DONE] proves nothing
        ("server", False, "0/1", "truncated"),
        ("network", False, "0/1", "truncated"),
        ("client", False, "0/1", "client_cancelled"),
        ("client", False, "1/1", "client_cancelled"),
        ("none", False, "0/1", "truncated"),  # swept
    ],
)
def test_how_streams_end(closer, is_ended, finished, stream):
    done, choices = map(int, finished.split("/"))
    ending = Ending(ClosedBy(closer), is_error=False, is_ended=is_ended, finished=done, choices=choices)
    assert of_stream(ending).value == stream


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [("completed", "ok"), ("truncated", "stream_interrupted"), ("client_cancelled", "client_cancelled")],
)
def test_a_streams_end_is_the_exchanges_outcome(stream, outcome):
    assert outcome_of_stream(StreamOutcome(stream), None).value == outcome


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("closer", list(ClosedBy))
def test_an_error_event_decides_whatever_follows(ended, closer):
    ending = Ending(closer, is_error=True, is_ended=ended, finished=1, choices=1)
    assert of_stream(ending) is StreamOutcome.ERROR_EVENT


@pytest.mark.parametrize(
    ("role", "closer", "end", "who"),
    [
        (Role.CLIENT, Closer.THIS, End.CLOSED, ClosedBy.CLIENT),
        (Role.CLIENT, Closer.PEER, End.CLOSED, ClosedBy.SERVER),
        (Role.SERVER, Closer.THIS, End.CLOSED, ClosedBy.SERVER),
        (Role.SERVER, Closer.PEER, End.CLOSED, ClosedBy.CLIENT),
        (Role.CLIENT, Closer.NETWORK, End.CLOSED, ClosedBy.NETWORK),
        (Role.SERVER, Closer.NETWORK, End.EXITED, ClosedBy.NETWORK),
        (Role.CLIENT, Closer.NONE, End.EXITED, ClosedBy.CLIENT),
        (Role.SERVER, Closer.NONE, End.EXITED, ClosedBy.SERVER),
        (Role.CLIENT, Closer.PEER, End.EXITED, ClosedBy.SERVER),
        (Role.CLIENT, Closer.NONE, End.SWEPT, ClosedBy.NONE),
        (Role.CLIENT, Closer.NONE, End.TERMINAL, ClosedBy.NONE),
    ],
)
def test_who_closed(role, closer, end, who):
    assert closed_by(role, closer, end) is who


@pytest.mark.parametrize(
    ("role", "closed", "end", "outcome"),
    [
        (Role.CLIENT, ClosedBy.SERVER, End.CLOSED, Outcome.CONNECTION_ERROR),
        (Role.CLIENT, ClosedBy.CLIENT, End.CLOSED, Outcome.TIMEOUT),
        (Role.CLIENT, ClosedBy.NETWORK, End.CLOSED, Outcome.CONNECTION_ERROR),
        (Role.SERVER, ClosedBy.CLIENT, End.CLOSED, Outcome.CLIENT_CANCELLED),
        (Role.SERVER, ClosedBy.SERVER, End.EXITED, Outcome.CONNECTION_ERROR),
        (Role.SERVER, ClosedBy.NETWORK, End.CLOSED, Outcome.CONNECTION_ERROR),
        (Role.CLIENT, ClosedBy.NONE, End.SWEPT, Outcome.TIMEOUT),
        (Role.CLIENT, ClosedBy.NONE, End.NEXT, Outcome.CONNECTION_ERROR),
    ],
)
def test_requests_without_a_response_byte(role, closed, end, outcome):
    assert without_response(role, closed, end) is outcome
