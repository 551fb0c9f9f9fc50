"""How an exchange ended: the contract's outcome, from status, body evidence and who closed."""

from __future__ import annotations

from dataclasses import dataclass

from llmslo_exporter.dialects.dialect import ErrorFacts
from llmslo_exporter.exchange import ClosedBy, Outcome, StreamOutcome
from llmslo_exporter.summary import Closer, End, Role

# sli-semantics 8. Words are compared in lower case; a number is read as an HTTP status.
_CLASSES: dict[Outcome, tuple[str, ...]] = {
    Outcome.RATE_LIMITED: (
        "rate_limit_error",
        "rate_limit_exceeded",
        "rate_limited",
        "rate_limit_reached_requests",  # watsonx
        "ratelimiterror",
        "too_many_requests",
        "throttlingexception",
        "throttling",  # Alibaba, and the next two
        "throttling.ratequota",
        "throttling.allocationquota",
        "rate_limit_reached_error",  # Moonshot
        "resource_exhausted",
    ),
    Outcome.QUOTA_EXHAUSTED: (
        "insufficient_quota",
        "quota_exceeded",
        "token_quota_reached",  # watsonx
        "billing_error",
        "billing_not_active",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_credits",
        "insufficient_balance",
        "exceeded_current_quota_error",  # Moonshot
        "arrearage",  # Alibaba
        "budget_exceeded",  # LiteLLM
    ),
    Outcome.OVERLOADED: (
        "overloaded",
        "overloaded_error",
        "unavailable",
        "unavailable_error",  # llama.cpp while it loads a model
        "service_unavailable",
        "service_unavailable_error",
        "serviceunavailableexception",
        "serviceunavailableerror",
        "engine_overloaded",
        "engine_overloaded_error",  # Moonshot
        "service_tier_capacity_exceeded",  # Mistral
        "capacity_exceeded",  # Groq
    ),
    Outcome.SERVER_ERROR: (
        "server_error",
        "internal_error",
        "internal",  # Google
        "internal_server_error",
        "internalservererror",
        "internalserverexception",
        "generation",  # TGI, and the next one
        "incomplete_generation",
    ),
    Outcome.TIMEOUT: (
        "timeout",
        "timeout_error",
        "request_timeout",
        "gateway_timeout",
        "modeltimeoutexception",
        "deadline_exceeded",
    ),
    Outcome.AUTH: (
        "authentication_error",
        "authenticationerror",
        "permission_error",
        "permission_denied",
        "permissiondeniederror",
        "unauthenticated",
        "unauthorized",
        "invalid_api_key",
        "invalid_authentication",
        "account_deactivated",
        "unsupported_country_region_territory",
    ),
    Outcome.INVALID_REQUEST: (
        "exceed_context_size_error",
        "context_length_exceeded",
        "invalid_prompt",
        "request_too_large",
        "conflict_error",
        "failed_precondition",  # Google, and the next one
        "out_of_range",
        "invalid_argument",
        "validationexception",
        "validation",  # TGI, and the next two
        "template_error",
        "tool_error",
        "unsupported_parameter",
        "unsupported_value",
        "not_supported_error",
    ),
    Outcome.NOT_FOUND: (
        "model_not_found",
        "model_not_supported",
        "deploymentnotfound",
        "not_found",
        "not_found_error",
        "notfounderror",
    ),
    Outcome.CLIENT_CANCELLED: ("cancelled",),  # Google: the client went
    Outcome.CONTENT_FILTER: (
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
    ),
}
_CLASS_OF = {word: outcome for outcome, words in _CLASSES.items() for word in words}

# Types that servers put on anything: OpenAI's 401 says invalid_request_error. They count where nothing else speaks.
_GENERIC = {
    "invalid_request_error": Outcome.INVALID_REQUEST,
    "badrequesterror": Outcome.INVALID_REQUEST,  # vLLM
    "api_error": Outcome.SERVER_ERROR,
}

_STATUSES = {
    400: Outcome.INVALID_REQUEST,
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.AUTH,
    404: Outcome.NOT_FOUND,
    408: Outcome.TIMEOUT,
    409: Outcome.INVALID_REQUEST,
    413: Outcome.INVALID_REQUEST,
    422: Outcome.INVALID_REQUEST,
    424: Outcome.SERVER_ERROR,
    429: Outcome.RATE_LIMITED,
    499: Outcome.CLIENT_CANCELLED,
    503: Outcome.OVERLOADED,
    504: Outcome.TIMEOUT,
    529: Outcome.OVERLOADED,
}
_STREAM_OUTCOMES = {
    StreamOutcome.COMPLETED: Outcome.OK,
    StreamOutcome.TRUNCATED: Outcome.STREAM_INTERRUPTED,
    StreamOutcome.CLIENT_CANCELLED: Outcome.CLIENT_CANCELLED,
}


def of_status(status: int) -> Outcome:
    """Return the class of an HTTP status alone."""
    kind = status // 100
    if kind == 2:  # noqa: PLR2004 - the classes of RFC 9110 15
        return Outcome.OK
    return _STATUSES.get(status, Outcome.SERVER_ERROR if kind == 5 else Outcome.OTHER)  # noqa: PLR2004


def of_error(error: ErrorFacts) -> Outcome | None:
    """Return the class an error's own words tell: a telling type, else the code; None when neither tells."""
    for word in (error.type.lower(), error.code.lower()):
        if word in _CLASS_OF:
            return _CLASS_OF[word]
        if word.isascii() and word.isdigit() and 400 <= int(word) < 600:  # noqa: PLR2004 - error classes of RFC 9110 15
            return of_status(int(word))
    return None


def of_answer(status: int, error: ErrorFacts | None) -> Outcome:
    """Return the class of a whole answer that is no stream: the body's evidence beats the status."""
    if error is None:
        return of_status(status)
    told = of_error(error)
    if told is None and of_status(status) is Outcome.OK:  # an error body behind 200 has no status to yield to
        return _GENERIC.get(error.type.lower(), Outcome.OTHER)
    return told or of_status(status)


def of_stream_error(error: ErrorFacts | None) -> Outcome:
    """Return the class of an in-stream error; the status of its head was sent before anything went wrong."""
    if error is None:
        return Outcome.STREAM_INTERRUPTED
    return of_error(error) or _GENERIC.get(error.type.lower(), Outcome.STREAM_INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Ending:
    """What decides how a stream ended."""

    closed_by: ClosedBy
    is_error: bool
    is_ended: bool  # the terminal event or the end of the framing came
    finished: int  # choices with a finish reason
    choices: int  # choices asked for or seen


def of_stream(ending: Ending) -> StreamOutcome:
    """Return how a stream with a 2xx head ended (wire-formats 6.3).

    An error event decides, also when `[DONE]` follows. `[DONE]` or the end of the body proves no success: every choice
    needs its finish reason.
    """
    if ending.is_error:
        return StreamOutcome.ERROR_EVENT
    if ending.is_ended:
        return StreamOutcome.COMPLETED if ending.finished >= ending.choices else StreamOutcome.TRUNCATED
    if ending.closed_by is ClosedBy.CLIENT:
        return StreamOutcome.CLIENT_CANCELLED
    return StreamOutcome.TRUNCATED


def outcome_of_stream(stream: StreamOutcome, error: ErrorFacts | None) -> Outcome:
    """Return the exchange's outcome for its stream's: an in-stream error takes its own class."""
    return _STREAM_OUTCOMES.get(stream) or of_stream_error(error)


def closed_by(role: Role, closer: Closer, end: End) -> ClosedBy:
    """Return who ended the connection; `NONE` when nobody did before the exchange was over."""
    if closer is Closer.NETWORK:
        return ClosedBy.NETWORK
    if closer is Closer.NONE and end is not End.EXITED:
        return ClosedBy.NONE
    is_this = closer is not Closer.PEER
    return ClosedBy.CLIENT if is_this is (role is Role.CLIENT) else ClosedBy.SERVER


def without_response(role: Role, closed: ClosedBy, end: End) -> Outcome:
    """Return the class of a request that got no byte of an answer.

    `timeout` where the client gave up waiting, seen on its own side; the server's view of the same is a cancelled
    request. A connection the peer or the network ended (reset, unreachable, the kernel's own time-out) is a
    `connection_error`, as the application did not give up. A request swept after the idle limit got no answer within
    what SDKs wait at most (600 s): a time-out too.
    """
    if closed is ClosedBy.CLIENT:
        return Outcome.TIMEOUT if role is Role.CLIENT else Outcome.CLIENT_CANCELLED
    return Outcome.TIMEOUT if end is End.SWEPT and closed is ClosedBy.NONE else Outcome.CONNECTION_ERROR
