"""The contract of /metrics by hand: a change of the catalog must be a change here too, on purpose."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmslo_exporter import catalog

EXCHANGE = "namespace workload provider model operation role"
CONNECTION = "namespace workload provider role"
CONTRACT = {
    "llm_requests_total": ("counter", f"{EXCHANGE} outcome retry"),
    "llm_request_duration_seconds": ("histogram", f"{EXCHANGE} stream"),
    "llm_time_to_first_byte_seconds": ("histogram", f"{EXCHANGE} stream"),
    "llm_time_to_first_token_seconds": ("histogram", EXCHANGE),
    "llm_time_to_first_output_token_seconds": ("histogram", EXCHANGE),
    "llm_time_per_output_token_seconds": ("histogram", f"{EXCHANGE} source"),
    "llm_output_tokens_per_second": ("histogram", f"{EXCHANGE} source"),
    "llm_stream_max_gap_seconds": ("histogram", EXCHANGE),
    "llm_streams_total": ("counter", f"{EXCHANGE} outcome closed_by first_token"),
    "llm_tokens_total": ("counter", f"{EXCHANGE} type source"),
    "llm_finish_total": ("counter", f"{EXCHANGE} reason"),
    "llm_ratelimit_remaining_ratio": ("gauge", f"{EXCHANGE} kind"),
    "llm_requests_in_flight": ("gauge", EXCHANGE),
    "llm_request_oldest_seconds": ("gauge", f"{EXCHANGE} phase"),
    "llm_tls_handshake_duration_seconds": ("histogram", CONNECTION),
    "llm_tls_failures_total": ("counter", CONNECTION),
    "llm_exporter_build_info": ("gauge", "version loader"),
    "llm_exporter_config_last_reload_successful": ("gauge", ""),
    "llm_exporter_config_last_reload_success_timestamp_seconds": ("gauge", ""),
    "llm_exporter_events_lost_total": ("counter", "reason"),
    "llm_exporter_parse_errors_total": ("counter", "reason"),
    "llm_exporter_series_dropped_total": ("counter", "reason"),
    "llm_exporter_unparsed_connections_total": ("counter", "reason"),
    "llm_exporter_ttft_unknown_total": ("counter", ""),
    "llm_exporter_compressed_streams_total": ("counter", "encoding"),
    "llm_exporter_probes_attached": ("gauge", "hook"),
    "llm_exporter_probes_single_stepped": ("gauge", "hook"),
    "llm_exporter_tls_left_out": ("gauge", "reason"),
    "llm_exporter_tls_left_out_seconds_total": ("counter", "reason"),
    "llm_exporter_files_refused_total": ("counter", "reason"),
    "llm_exporter_bpf_run_seconds_total": ("counter", "program"),
    "llm_exporter_bpf_runs_total": ("counter", "program"),
}
VALUES = {
    "role": "client server",
    "operation": "chat text_completion generate_content embeddings _other",
    "retry": "true false",
    "stream": "true false",
    "closed_by": "none server client network",
    "first_token": "true false",
    "type": "input output cache_read cache_write reasoning",
    "source": "usage timings chunks",
    "phase": "first_token streaming",
}
OUTCOMES = (
    "ok rate_limited quota_exhausted overloaded server_error timeout auth invalid_request not_found content_filter "
    "stream_interrupted connection_error client_cancelled _other"
)
TTFT = (0.05, 0.1, 0.2, 0.3, 0.45, 0.5, 0.75, 1, 1.5, 2, 3, 4.5, 6, 10, 15, 30, 60, 120, 300, 600)
GAP = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.08, 0.1, 0.15, 0.175, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30)
E2E = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 12, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
BUCKETS = {
    "llm_request_duration_seconds": E2E,
    "llm_time_to_first_byte_seconds": TTFT,
    "llm_time_to_first_token_seconds": TTFT,
    "llm_time_to_first_output_token_seconds": TTFT,
    "llm_time_per_output_token_seconds": GAP,
    "llm_output_tokens_per_second": (1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000),
    "llm_stream_max_gap_seconds": GAP,
    "llm_tls_handshake_duration_seconds": (
        *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    ),
}


def test_every_metric_has_its_type_and_labels():
    found = {m.name: (m.type.value, " ".join(label.name for label in m.labels)) for m in catalog.METRICS}
    assert found == CONTRACT


def test_every_histogram_has_its_buckets():
    assert {m.name: m.buckets for m in catalog.METRICS if m.buckets} == BUCKETS


@pytest.mark.parametrize(("name", "values"), VALUES.items())
def test_closed_labels_have_their_values(name, values):
    lists = {label.values for metric in catalog.METRICS for label in metric.labels if label.name == name}
    assert lists == {tuple(values.split())}


def test_labels_with_one_name_and_two_lists():
    def values(metric, label):
        return next(lb.values for lb in catalog.BY_NAME[metric].labels if lb.name == label)

    assert values("llm_requests_total", "outcome") == tuple(OUTCOMES.split())
    assert set(values("llm_streams_total", "outcome")) == {"completed", "error_event", "truncated", "client_cancelled"}
    assert set(values("llm_exporter_unparsed_connections_total", "reason")) == {
        *("h2", "websocket", "eventstream", "no_tls_symbols", "late_attach", "mid_stream"),
    }
    assert len(values("llm_finish_total", "reason")) == 8


def test_every_outcome_and_every_reason_starts_at_zero():
    for name in ("llm_requests_total", "llm_streams_total"):
        metric = catalog.BY_NAME[name]
        assert {zero[0] for zero in metric.zeros} == set(metric.extra[0].values)
    for metric in catalog.SELF_METRICS:
        if [label.name for label in metric.labels] == ["reason"]:
            assert [zero[0] for zero in metric.zeros] == list(metric.extra[0].values)


def test_no_metric_is_spelled_outside_the_catalog():
    root = Path(__file__).parents[2]
    sources = [path for folder in ("exporter", "rulegen") for path in (root / folder).rglob("*.py")]
    found = {
        path.name
        for path in sources
        if "catalog" not in path.parts and any(name in CONTRACT for name in re.findall(r"\bllm_\w+", path.read_text()))
    }
    assert found == set()
