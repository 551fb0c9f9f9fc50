"""Where SLIs may come from beside our own exporter: what each source measures, under which names, with which buckets.

A source is one measuring point with one definition; two of them are never summed. An SLI that a source does not
measure is not in its list: nothing stands in for it. Names, labels and buckets are those of late 2026 (OpenTelemetry's
three generations: A up to v1.36, B v1.37 to v1.41, C the split-off repository's main branch).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, repeat

from llmslo_exporter.catalog.metrics import (
    BUILD_INFO,
    MODEL,
    OPERATION,
    PROVIDER,
    ROLE,
    STREAM,
    WORKLOAD,
    Label,
    Metric,
    MetricType,
)
from llmslo_exporter.catalog.slis import SLIS, Part, Selection, Sli, count, within


class UnknownSourceError(LookupError):
    """No source is called so."""


class UnknownSliError(LookupError):
    """The source has no metric for the SLI, or the SLI lacks what it needs."""


@dataclass(frozen=True, slots=True)
class Source:
    """One measuring point. `liveness` is a series that each of its processes exposes from its start on."""

    name: str
    description: str
    liveness: str
    slis: tuple[Sli, ...]

    def sli(self, name: str) -> Sli:
        """Return one SLI; raise UnknownSliError."""
        for found in self.slis:
            if found.name == name:
                return found
        known = ", ".join(sorted(found.name for found in self.slis))
        msg = f"source {self.name} has no metric for SLI {name}: it measures {known}"
        raise UnknownSliError(msg)


_SECONDS = "seconds"
D14 = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_SERVER_TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_SERVER_TPOT = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_VLLM_TTFT = (*_SERVER_TTFT, 20, 40, 80, 160, 640, 2560)
_VLLM_TPOT = (*_SERVER_TPOT, 5, 7.5, 10, 20, 40, 80)
_VLLM_E2E = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_SGLANG_TTFT = (0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400)
_SGLANG_E2E = (*_SGLANG_TTFT, 800)
_LITELLM = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 420, 600)
# A geometric sequence in floating point, as the server computes it; `le` holds every digit of it.
_TGI = tuple(accumulate(repeat(1.5, 35), lambda edge, factor: edge * factor, initial=0.0001))[1:]


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: Label) -> Metric:
    return Metric(name, MetricType.HISTOGRAM, text, _SECONDS, labels, (), buckets)


def _counter(name: str, text: str, *labels: Label) -> Metric:
    return Metric(name, MetricType.COUNTER, text, "", labels)


def _in_time(name: str, description: str, metric: Metric, objective: float, threshold: float) -> Sli:
    return Sli(name, description, count(metric), objective, threshold, good=within(metric))


# OpenTelemetry. An error has a type, a success has none.

_OPERATION = Label("gen_ai_operation_name", "kind of call")
_SYSTEM = Label("gen_ai_system", "provider, until v1.36")
_PROVIDER_NAME = Label("gen_ai_provider_name", "provider, as the client took it for")
_REQUEST_MODEL = Label("gen_ai_request_model", "model of the request")
_RESPONSE_MODEL = Label("gen_ai_response_model", "model that answered")
_ERROR_TYPE = Label("error_type", "class of the error; absent for a success")
_OK = ((_ERROR_TYPE, ("",)),)
_TARGET_INFO = "target_info"  # resource of the SDK or collector, exposed as long as it runs


def _otel(name: str, description: str, prefix: str, provider: Label, first: str | None) -> Source:
    labels = (_OPERATION, provider, _REQUEST_MODEL, _RESPONSE_MODEL)
    duration = _histogram(f"{prefix}_duration_seconds", "From the client's call to its end.", D14, *labels, _ERROR_TYPE)
    slis = _by_duration(duration)
    if first is not None:
        chunk = _histogram(f"{prefix}_{first}_seconds", "To the first chunk of any kind.", D14, *labels)
        slis += (_in_time("ttft", "Streams whose first chunk (not token) came in time.", chunk, 0.95, 2.56),)
    return Source(name, description, _TARGET_INFO, slis)


def _by_duration(duration: Metric) -> tuple[Sli, ...]:
    every, fine = Selection(duration, Part.COUNT), Selection(duration, Part.COUNT, _OK)
    return (
        Sli("availability", "Calls that ended without an error.", (every,), 0.995, good=(fine,)),
        Sli(
            "latency",
            "Successful calls that ended in time.",
            (fine,),
            0.95,
            40.96,
            good=(Selection(duration, Part.WITHIN, _OK),),
        ),
    )


# Envoy AI Gateway: generation B's server metrics, seen by the proxy; every error is `_OTHER`.

_ENVOY_LABELS = (_OPERATION, _PROVIDER_NAME, Label("gen_ai_original_model", "model as asked for"), _REQUEST_MODEL)
_ENVOY_DURATION = _histogram(
    "gen_ai_server_request_duration_seconds", "At the proxy.", D14, *_ENVOY_LABELS, _ERROR_TYPE
)
_ENVOY_TTFT = _histogram(
    "gen_ai_server_time_to_first_token_seconds",
    "To the first chunk of the answer.",
    (*_SERVER_TTFT, 15, 20, 30, 45, 60),
    *_ENVOY_LABELS,
)
_ENVOY_TPOT = _histogram(
    "gen_ai_server_time_per_output_token_seconds", "Mean per answer.", _SERVER_TPOT, *_ENVOY_LABELS
)

# vLLM.

_VLLM_LABELS = (Label("model_name", "served model"), Label("engine", "number of the engine"))
_STATUS = Label("status", "class of the HTTP status", ("1xx", "2xx", "3xx", "4xx", "5xx"))
_VLLM_HTTP = _counter(
    "http_requests_total",
    "HTTP requests by vLLM's API server.",
    Label("handler", "path"),
    Label("method", "verb"),
    _STATUS,
)

# SGLang, TGI.

_SGLANG_LABELS = (Label("model_name", "served model"),)
_TGI_COUNT = _counter("tgi_request_count", "Requests.")
_TGI_SUCCESS = _counter("tgi_request_success", "Requests that succeeded.")

# LiteLLM's proxy: calls to deployments, by the router.

_LITELLM_LABELS = (
    Label("requested_model", "model as asked for"),
    Label("litellm_model_name", "model that was called"),
    Label("api_provider", "provider"),
)
_EXCEPTION_STATUS = Label("exception_status", "HTTP status of the failure")
_LITELLM_GOOD = _counter("litellm_deployment_success_responses_total", "Calls that succeeded.", *_LITELLM_LABELS)
_LITELLM_BAD = _counter(
    "litellm_deployment_failure_responses_total", "Calls that failed.", *_LITELLM_LABELS, _EXCEPTION_STATUS
)
# Not the caller's own: time-outs, rate limits, and every status of a server.
_FAULTS = ("408", "429", *(str(status) for status in range(500, 530)), "None", "")
_FAILED = Selection(_LITELLM_BAD, Part.EVENTS, ((_EXCEPTION_STATUS, _FAULTS),))
_LIMITED = Selection(_LITELLM_BAD, Part.EVENTS, ((_EXCEPTION_STATUS, ("429",)),))
_SUCCEEDED = Selection(_LITELLM_GOOD, Part.EVENTS)
_LITELLM_TIMED = (Label("model", "model that was called"), Label("requested_model", "model as asked for"))

OWN = "llmslo"
SOURCES = (
    Source(OWN, "Our exporter: bytes on the wire, no instrumentation.", BUILD_INFO.name, SLIS),
    _otel("otel-genai-a", "OpenTelemetry GenAI up to v1.36, client side.", "gen_ai_client_operation", _SYSTEM, None),
    _otel(
        "otel-genai-b",
        "OpenTelemetry GenAI v1.37 to v1.41, client side.",
        "gen_ai_client_operation",
        _PROVIDER_NAME,
        "time_to_first_chunk",
    ),
    _otel(
        "otel-genai-c",
        "OpenTelemetry GenAI of the repository of its own, client side; unreleased.",
        "gen_ai_client_inference",
        _PROVIDER_NAME,
        "time_to_first_chunk",
    ),
    Source(
        "vllm",
        "vLLM's own metrics: the engine's view, without network and queue before it; a failed call has no latency.",
        "vllm:num_requests_running",
        (
            Sli(
                "availability",
                "HTTP requests not answered with 5xx; 4xx do not count. No label names the model.",
                (Selection(_VLLM_HTTP, Part.EVENTS, ((_STATUS, ("2xx", "5xx")),)),),
                0.995,
                bad=(Selection(_VLLM_HTTP, Part.EVENTS, ((_STATUS, ("5xx",)),)),),
            ),
            _in_time(
                "ttft",
                "Requests whose first token came in time.",
                _histogram("vllm:time_to_first_token_seconds", "From arrival.", _VLLM_TTFT, *_VLLM_LABELS),
                0.95,
                2.5,
            ),
            _in_time(
                "tpot",
                "Requests whose mean time per output token was in bounds.",
                _histogram(
                    "vllm:request_time_per_output_token_seconds", "Mean per request.", _VLLM_TPOT, *_VLLM_LABELS
                ),
                0.95,
                0.1,
            ),
            _in_time(
                "latency",
                "Finished requests that ended in time.",
                _histogram("vllm:e2e_request_latency_seconds", "From arrival to the end.", _VLLM_E2E, *_VLLM_LABELS),
                0.95,
                30,
            ),
        ),
    ),
    Source(
        "sglang",
        "SGLang's own metrics (--enable-metrics), default buckets; a failed call has no latency.",
        "sglang:num_running_reqs",
        (
            _in_time(
                "ttft",
                "Requests whose first token came in time.",
                _histogram("sglang:time_to_first_token_seconds", "From arrival.", _SGLANG_TTFT, *_SGLANG_LABELS),
                0.95,
                2,
            ),
            _in_time(
                "latency",
                "Finished requests that ended in time.",
                _histogram(
                    "sglang:e2e_request_latency_seconds", "From arrival to the end.", _SGLANG_E2E, *_SGLANG_LABELS
                ),
                0.95,
                40,
            ),
        ),
    ),
    Source(
        "tgi",
        "Text Generation Inference's own metrics; it has none for the first token.",
        "tgi_queue_size",
        (
            Sli(
                "availability",
                "Requests that succeeded; the caller's own mistakes count as bad.",
                (Selection(_TGI_COUNT, Part.EVENTS),),
                0.995,
                good=(Selection(_TGI_SUCCESS, Part.EVENTS),),
            ),
            _in_time(
                "tpot",
                "Requests whose mean time per token was in bounds.",
                _histogram("tgi_request_mean_time_per_token_duration", "Mean per request.", _TGI),
                0.95,
                _TGI[17],
            ),
            _in_time(
                "latency",
                "Successful requests that ended in time.",
                _histogram("tgi_request_duration", "From arrival to the end.", _TGI),
                0.95,
                _TGI[31],
            ),
        ),
    ),
    Source(
        "litellm",
        "LiteLLM's proxy: calls of its router to deployments.",
        "litellm_in_flight_requests",
        (
            Sli(
                "availability",
                "Calls that did not fail by the deployment; the caller's own mistakes do not count.",
                (_SUCCEEDED, _FAILED),
                0.995,
                bad=(_FAILED,),
            ),
            Sli("ratelimit", "Calls that were not rate limited.", (_SUCCEEDED, _FAILED), 0.99, bad=(_LIMITED,)),
            _in_time(
                "ttft",
                "Streams whose first chunk came in time.",
                _histogram(
                    "litellm_llm_api_time_to_first_token_metric", "To the first chunk.", _LITELLM, *_LITELLM_TIMED
                ),
                0.95,
                2,
            ),
            _in_time(
                "latency",
                "Successful calls that ended in time.",
                _histogram("litellm_llm_api_latency_metric", "Of the call to the provider.", _LITELLM, *_LITELLM_TIMED),
                0.95,
                30,
            ),
        ),
    ),
    Source(
        "envoy-ai-gateway",
        "Envoy AI Gateway: seen by the proxy.",
        _TARGET_INFO,
        (
            *(replace(sli, threshold=40.96 if sli.threshold else None) for sli in _by_duration(_ENVOY_DURATION)),
            _in_time("ttft", "Answers whose first chunk (not token) came in time.", _ENVOY_TTFT, 0.95, 2.5),
            _in_time("tpot", "Answers whose mean time per output token was in bounds.", _ENVOY_TPOT, 0.95, 0.1),
        ),
    ),
)
BY_SOURCE = {found.name: found for found in SOURCES}
# Labels that an SLI must be of one value of, else what passes a proxy counts twice, with the default.
ONE_OF = {OWN: (ROLE, "client")}
# What of a call a label may tell: the first one that a metric has. OpenTelemetry's metrics have the service as `job`,
# once OTLP has become Prometheus; it is no label of the metric itself.
JOB = Label("job", "service.name, as OTLP becomes Prometheus")
JOBS = frozenset(name for name in BY_SOURCE if name.startswith("otel-"))
TELLING = {
    "operation": (_OPERATION, OPERATION),
    "provider": (_PROVIDER_NAME, _SYSTEM, PROVIDER, _LITELLM_LABELS[2]),
    "model": (_REQUEST_MODEL, MODEL, _VLLM_LABELS[0], _LITELLM_LABELS[0]),
    "stream": (STREAM,),
    "service": (WORKLOAD,),
}


def source(name: str) -> Source:
    """Return a source; raise UnknownSourceError."""
    if name not in BY_SOURCE:
        msg = f"no source is called {name}: known are {', '.join(BY_SOURCE)}"
        raise UnknownSourceError(msg)
    return BY_SOURCE[name]
