"""Every metric, label and bucket of the exporter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import product

OTHER = "_other"  # the value of a label whose cap is reached, and of what a closed list does not name


class MetricType(Enum):
    """The Prometheus type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `values` is its closed list, empty when the values come from the traffic."""

    name: str
    help: str
    values: tuple[str, ...] = ()

    def known(self, value: str) -> str:
        """Return `value` if the closed list has it, else its catch-all."""
        return value if not self.values or value in self.values else OTHER


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `shared` labels say whose traffic it is, `extra` ones are its own.

    `zeros` are the values of `extra` that are exported at 0 as soon as the shared labels are known, so that
    `increase()` sees the first event. `keeps_highest`: a gauge of several values given at once shows the highest, not
    their sum. `keeps_lowest`: a gauge shows the lowest since the last scrape, and goes when nothing comes any more.
    """

    name: str
    type: MetricType
    help: str
    unit: str = ""
    shared: tuple[Label, ...] = ()
    extra: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    zeros: tuple[tuple[str, ...], ...] = ()
    keeps_highest: bool = False
    keeps_lowest: bool = False

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels, in the order of their values."""
        return self.shared + self.extra

    @property
    def is_histogram(self) -> bool:
        """Whether it has buckets."""
        return self.type is MetricType.HISTOGRAM

    @property
    def series(self) -> int:
        """Time series of one label set: a histogram has its edges, +Inf, sum and count."""
        return len(self.buckets) + 3 if self.type is MetricType.HISTOGRAM else 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what the exporter holds; beyond them a value becomes `_other`."""

    models: int = 50
    providers: int = 25
    workloads: int = 200
    series: int = 100_000
    idle_s: float = 24 * 3600.0  # a label set, model, provider or workload unused for so long is forgotten


# Closed lists.

OUTCOMES = (
    *("ok", "rate_limited", "quota_exhausted", "overloaded", "server_error", "timeout", "auth", "invalid_request"),
    *("not_found", "content_filter", "stream_interrupted", "connection_error", "client_cancelled", OTHER),
)
STREAM_OUTCOMES = ("completed", "error_event", "truncated", "client_cancelled")
CLOSERS = ("none", "server", "client", "network")
BOOLEANS = ("true", "false")
TOKEN_TYPES = ("input", "output", "cache_read", "cache_write", "reasoning")
TOKEN_SOURCES = ("usage", "timings", "chunks")
FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "refusal", "error", "cancelled", "other")
OPERATIONS = ("chat", "text_completion", "generate_content", "embeddings", OTHER)
ROLES = ("client", "server")
PHASES = ("first_token", "streaming")
RATELIMIT_KINDS = ("requests", "tokens", "input_tokens", "output_tokens")
LOSS_REASONS = (
    "ring_full",  # the ring buffer between kernel and exporter was full
    "exchanges_full",  # more open exchanges than the kernel's table holds
    "no_memory",  # no room for the texts of an exchange
    "calls_full",  # more threads inside OpenSSL than the kernel's table holds
    "copy_failed",  # the application's memory could not be read
    "not_scanned",  # a read or write longer than the scan bound
    "unreadable",  # bytes moved without a user buffer (io_uring, sendfile)
    "body_bound",  # a body longer than what is shipped
    "decode",  # a record did not match the layout
)
PARSE_REASONS = (
    "framing",  # bytes on the connection that are no HTTP/1.1 message, or pipelined requests
    "head",  # an answer that begins with no status line
    "encoding",  # a content coding that is not known here, or that the bytes are not in
    "size",  # a compressed body that opens to more than 8 MB
    "json",  # a whole successful answer that is no JSON
    "event",  # an event of a stream that is neither JSON nor a terminal
    OTHER,
)
UNPARSED_REASONS = ("h2", "websocket", "eventstream", "no_tls_symbols", "late_attach", "mid_stream")
LEFT_OUT_REASONS = ("exclude", "backoff")
REFUSAL_REASONS = ("targets_full", "processes_full", "maps_cut", "unreadable", "attach")
DROPPED_MODELS, DROPPED_PROVIDERS, DROPPED_WORKLOADS, DROPPED_SERIES = DROP_REASONS = (
    *("models", "providers", "workloads", "series"),
)
ENCODINGS = ("gzip", "deflate", "br", "zstd", OTHER)

# Buckets. They hold every MLPerf limit and the round numbers of SLOs; the longest are the SDKs' 600 s time-out.

TTFT_EDGES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.5, 0.75, 1, 1.5, 2, 3, 4.5, 6, 10, 15, 30, 60, 120, 300, 600)
GAP_EDGES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.08, 0.1, 0.15, 0.175, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30)
E2E_EDGES = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 12, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
TLS_EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
RATE_EDGES = (1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)

# Labels.

NAMESPACE = Label("namespace", "Kubernetes namespace of the workload; empty without Kubernetes")
WORKLOAD = Label("workload", "Kubernetes workload; else container, systemd unit or executable of the process")
PROVIDER = Label("provider", "who answers: from the configured map, host, SNI, response headers or the wire")
MODEL = Label("model", f"model of the request; `{OTHER}` until a 2xx answered it and over the cap")
OPERATION = Label("operation", "kind of call", OPERATIONS)
ROLE = Label("role", "client: the process wrote the request; server: it read it", ROLES)
EXCHANGE_LABELS = (NAMESPACE, WORKLOAD, PROVIDER, MODEL, OPERATION, ROLE)
CONNECTION_LABELS = (NAMESPACE, WORKLOAD, PROVIDER, ROLE)

OUTCOME = Label("outcome", "how the exchange ended", OUTCOMES)
RETRY = Label("retry", "the client's SDK said that this is a repeated attempt", BOOLEANS)
STREAM = Label("stream", "whether the answer is a stream", BOOLEANS)
STREAM_OUTCOME = Label("outcome", "how the stream ended", STREAM_OUTCOMES)
CLOSED_BY = Label("closed_by", "who ended it; none when nobody did or it is completed", CLOSERS)
FIRST_TOKEN = Label("first_token", "false: it surely ended without content", BOOLEANS)
TOKEN_TYPE = Label("type", "input includes cache, output includes reasoning", TOKEN_TYPES)
SOURCE = Label("source", "where the token count comes from; one content event is one of `chunks`", TOKEN_SOURCES)
FINISH_REASON = Label("reason", "normalised finish reason", FINISH_REASONS)
RATELIMIT_KIND = Label("kind", "what the provider limits", RATELIMIT_KINDS)
PHASE = Label("phase", "first_token: no content yet; streaming: content has come", PHASES)
LOSS_REASON = Label("reason", "what was lost where", LOSS_REASONS)
PARSE_REASON = Label("reason", "what could not be read", PARSE_REASONS)
UNPARSED_REASON = Label("reason", "why the connection is not read", UNPARSED_REASONS)
DROP_REASON = Label("reason", "which cap was reached", DROP_REASONS)
LEFT_OUT_REASON = Label("reason", "why a process is left out", LEFT_OUT_REASONS)
REFUSAL_REASON = Label("reason", "what kept a file or process from being probed", REFUSAL_REASONS)
ENCODING = Label("encoding", "content encoding", ENCODINGS)
HOOK = Label("hook", "function or tracepoint")
PROGRAM = Label("program", "BPF program")
VERSION = Label("version", "version of the exporter")
LOADER = Label("loader", "what loaded the programs", ("libbpf", "bcc"))


def _one(label: Label) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in label.values)


def _counter(  # noqa: PLR0913 -- a row of a table
    name: str,
    text: str,
    *,
    unit: str = "",
    shared: tuple[Label, ...] = EXCHANGE_LABELS,
    extra: tuple[Label, ...] = (),
    zeros: tuple[tuple[str, ...], ...] = (),
) -> Metric:
    return Metric(name, MetricType.COUNTER, text, unit, shared, extra, (), zeros)


def _seconds(
    name: str, text: str, edges: tuple[float, ...], *extra: Label, shared: tuple[Label, ...] = EXCHANGE_LABELS
) -> Metric:
    return Metric(name, MetricType.HISTOGRAM, text, "seconds", shared, extra, edges)


def _gauge(name: str, text: str, *extra: Label) -> Metric:
    return Metric(name, MetricType.GAUGE, text, extra=extra)


# Metrics. t0 is the first byte of the request, written (client) or read (server); all instants on the kernel's clock.

REQUESTS = _counter(
    "llm_requests_total",
    "Exchanges that ended, one per attempt on the wire, by outcome.",
    extra=(OUTCOME, RETRY),
    zeros=tuple(product(OUTCOMES, BOOLEANS)),
)
DURATION = _seconds(
    "llm_request_duration_seconds",
    "From t0 (first request byte) to the end of the answer (terminal event, else end of body, else close);"
    " outcome ok only.",
    E2E_EDGES,
    STREAM,
)
FIRST_BYTE = _seconds(
    "llm_time_to_first_byte_seconds",
    "From t0 (first request byte) to the first byte of the final response head; 2xx answers only.",
    TTFT_EDGES,
    STREAM,
)
TTFT = _seconds(
    "llm_time_to_first_token_seconds",
    "From t0 (first request byte) to the read or write that completed the first event with content (text, reasoning,"
    " refusal or tool call); streams that got there, however they ended.",
    TTFT_EDGES,
)
TTFO = _seconds(
    "llm_time_to_first_output_token_seconds",
    "From t0 (first request byte) to the first event with content other than reasoning; streams that got there,"
    " however they ended.",
    TTFT_EDGES,
)
TPOT = _seconds(
    "llm_time_per_output_token_seconds",
    "(last token - first token) / (n - 1) of one completed stream with n >= 2 output tokens.",
    GAP_EDGES,
    SOURCE,
)
THROUGHPUT = Metric(
    "llm_output_tokens_per_second",
    MetricType.HISTOGRAM,
    "(n - 1) / (last token - first token) of one completed stream with n >= 20 output tokens.",
    "tokens_per_second",
    EXCHANGE_LABELS,
    (SOURCE,),
    RATE_EDGES,
)
MAX_GAP = _seconds(
    "llm_stream_max_gap_seconds",
    "Longest wait between two content events of one stream, from the first token on; streams with at least two.",
    GAP_EDGES,
)
STREAMS = _counter(
    "llm_streams_total",
    "Streams with a 2xx head that ended, by how and by whom.",
    extra=(STREAM_OUTCOME, CLOSED_BY, FIRST_TOKEN),
    zeros=(
        *product(("completed",), ("none",), BOOLEANS),
        *product(("error_event", "truncated"), CLOSERS, BOOLEANS),
        *product(("client_cancelled",), ("client",), BOOLEANS),
    ),
)
TOKENS = _counter(
    "llm_tokens_total",
    "Tokens by type; cache_read and cache_write are part of input, reasoning of output. Source chunks counts content"
    " events, only where the answer gave no count.",
    unit="tokens",
    extra=(TOKEN_TYPE, SOURCE),
)
FINISHES = _counter(
    "llm_finish_total", "Finished choices by normalised reason.", extra=(FINISH_REASON,), zeros=_one(FINISH_REASON)
)
RATELIMIT = Metric(
    "llm_ratelimit_remaining_ratio",
    MetricType.GAUGE,
    "What is left of a limit, by the answers' headers: the lowest since the last scrape, for a minute at most.",
    "ratio",
    EXCHANGE_LABELS,
    (RATELIMIT_KIND,),
    keeps_lowest=True,
)
IN_FLIGHT = Metric(
    "llm_requests_in_flight",
    MetricType.GAUGE,
    "Exchanges under way at the scrape.",
    shared=EXCHANGE_LABELS,
    zeros=((),),
)
OLDEST = Metric(
    "llm_request_oldest_seconds",
    MetricType.GAUGE,
    "Age (now - t0) of the oldest exchange under way at the scrape; 0 when there is none.",
    "seconds",
    EXCHANGE_LABELS,
    (PHASE,),
    zeros=_one(PHASE),
    keeps_highest=True,
)
HANDSHAKE = _seconds(
    "llm_tls_handshake_duration_seconds",
    "Successful TLS handshakes of connections that then carried an exchange, from the first call of SSL_do_handshake.",
    TLS_EDGES,
    shared=CONNECTION_LABELS,
)
TLS_FAILURES = _counter(
    "llm_tls_failures_total",
    "Failed TLS handshakes with known providers, told by SNI.",
    shared=CONNECTION_LABELS,
    zeros=((),),
)

BUILD_INFO = _gauge("llm_exporter_build_info", "Always 1; what runs.", VERSION, LOADER)
CONFIG_SUCCESS = _gauge(
    "llm_exporter_config_last_reload_successful",
    "1: the settings of the start or of the last SIGHUP are in force; 0: they were refused and the old ones hold.",
)
CONFIG_SUCCESS_TIME = Metric(
    "llm_exporter_config_last_reload_success_timestamp_seconds",
    MetricType.GAUGE,
    "When settings were last taken in, in seconds since 1970.",
    "seconds",
)
EVENTS_LOST = _counter(
    "llm_exporter_events_lost_total",
    "What the kernel side or the ring lost: exchanges missing or incomplete for it.",
    shared=(),
    extra=(LOSS_REASON,),
    zeros=_one(LOSS_REASON),
)
PARSE_ERRORS = _counter(
    "llm_exporter_parse_errors_total",
    "Exchanges of which a part could not be read.",
    shared=(),
    extra=(PARSE_REASON,),
    zeros=_one(PARSE_REASON),
)
SERIES_DROPPED = _counter(
    "llm_exporter_series_dropped_total",
    f"Exchanges counted under `{OTHER}` because a cap is reached.",
    shared=(),
    extra=(DROP_REASON,),
    zeros=_one(DROP_REASON),
)
UNPARSED = _counter(
    "llm_exporter_unparsed_connections_total",
    "Connections that are or may be LLM traffic and are not read.",
    shared=(),
    extra=(UNPARSED_REASON,),
    zeros=_one(UNPARSED_REASON),
)
TTFT_UNKNOWN = _counter(
    "llm_exporter_ttft_unknown_total", "Streams whose first token could not be told.", shared=(), zeros=((),)
)
COMPRESSED = _counter(
    "llm_exporter_compressed_streams_total",
    "Streams with a content encoding.",
    shared=(),
    extra=(ENCODING,),
    zeros=_one(ENCODING),
)
PROBES_ATTACHED = _gauge("llm_exporter_probes_attached", "Probes in place.", HOOK)
PROBES_SINGLE_STEPPED = _gauge(
    "llm_exporter_probes_single_stepped",
    "Probes that stand on an instruction the kernel cannot emulate: each hit costs a trap more.",
    HOOK,
)
LEFT_OUT = Metric(
    "llm_exporter_tls_left_out",
    MetricType.GAUGE,
    "Processes whose TLS is not read: told to be left out, or busy without an LLM call.",
    extra=(LEFT_OUT_REASON,),
    zeros=_one(LEFT_OUT_REASON),
)
LEFT_OUT_SECONDS = _counter(
    "llm_exporter_tls_left_out_seconds_total",
    "Time for which processes were left out, all together.",
    unit="seconds",
    shared=(),
    extra=(LEFT_OUT_REASON,),
    zeros=_one(LEFT_OUT_REASON),
)
FILES_REFUSED = _counter(
    "llm_exporter_files_refused_total",
    "Attempts to probe a file or to follow a process that a limit or an error ended.",
    shared=(),
    extra=(REFUSAL_REASON,),
    zeros=_one(REFUSAL_REASON),
)
BPF_SECONDS = _counter(
    "llm_exporter_bpf_run_seconds_total",
    "Time spent in a BPF program; only with --bpf.stats.",
    unit="seconds",
    shared=(),
    extra=(PROGRAM,),
)
BPF_RUNS = _counter(
    "llm_exporter_bpf_runs_total", "Runs of a BPF program; only with --bpf.stats.", shared=(), extra=(PROGRAM,)
)

EXCHANGE_METRICS = (
    *(REQUESTS, DURATION, FIRST_BYTE, TTFT, TTFO, TPOT, THROUGHPUT, MAX_GAP, STREAMS, TOKENS, FINISHES),
    *(RATELIMIT, IN_FLIGHT, OLDEST),
)
CONNECTION_METRICS = (HANDSHAKE, TLS_FAILURES)
SELF_METRICS = (
    *(BUILD_INFO, CONFIG_SUCCESS, CONFIG_SUCCESS_TIME, EVENTS_LOST, PARSE_ERRORS, SERIES_DROPPED, UNPARSED),
    *(TTFT_UNKNOWN, COMPRESSED, PROBES_ATTACHED, PROBES_SINGLE_STEPPED, LEFT_OUT, LEFT_OUT_SECONDS, FILES_REFUSED),
    *(BPF_SECONDS, BPF_RUNS),
)
METRICS = EXCHANGE_METRICS + CONNECTION_METRICS + SELF_METRICS
BY_NAME = {metric.name: metric for metric in METRICS}
