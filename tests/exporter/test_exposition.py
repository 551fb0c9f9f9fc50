from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from llmslo_exporter import catalog
from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import Limits, MetricType
from llmslo_exporter.exposition import EOF, Exposition, Families, Sources
from llmslo_exporter.observe import InFlight
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Reading, Store
from llmslo_exporter.summary import Role
from tests.exporter.exchanges import CHAT, STREAM
from tests.exporter.library_page import families, page

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SHARED = dict(
    zip(
        ("namespace", "workload", "provider", "model", "operation", "role"),
        ("shop", "chat", "openai", "gpt-5", "chat", "client"),
        strict=True,
    )
)


def still():
    return 0.0


class Exporter:
    """Store, recorder and exposition as the daemon puts them together."""

    def __init__(self, **sources) -> None:
        limits = Limits()
        self.store = Store(still, limits)
        self.recorder = Recorder(self.store, Admission(limits, still))
        self.scrapes = 0
        families = Families(self.store, self.recorder, Sources("0.1.0", "libbpf", **sources))
        self.exposition = Exposition(families, self.drain)

    def drain(self):
        self.scrapes += 1

    def samples(self, accept=""):
        body, content_type = self.exposition.render(accept)
        read = (
            openmetrics_parser.text_string_to_metric_families
            if content_type.startswith("application/openmetrics-text")
            else text_string_to_metric_families
        )
        families = list(read(body.decode()))
        found = {}
        for family in families:
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found
                found[key] = sample.value
        return found

    def sample(self, name, **labels):
        return self.samples().get((name, frozenset(labels.items())))


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_stream_reads_back_in_both_formats(accept):
    exporter = Exporter()
    exporter.recorder.record(STREAM, CHAT)
    found = exporter.samples(accept)

    def sample(name, **labels):
        return found[name, frozenset({**SHARED, **labels}.items())]

    assert sample("llm_requests_total", outcome="ok", retry="false") == 1
    assert sample("llm_requests_total", outcome="overloaded", retry="true") == 0
    assert sample("llm_time_to_first_token_seconds_count") == 1
    assert sample("llm_time_to_first_token_seconds_sum") == 0.4
    assert sample("llm_time_to_first_token_seconds_bucket", le="0.3") == 0
    assert sample("llm_time_to_first_token_seconds_bucket", le="0.45") == 1
    assert sample("llm_time_to_first_token_seconds_bucket", le="+Inf") == 1
    assert sample("llm_tokens_total", type="output", source="usage") == 41


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_the_whole_page_is_the_librarys_byte_for_byte(accept):
    exporter = Exporter(settings=lambda: (1.0, 1.7e9))
    for model in ("gpt-5", 'odd "name" \\', "snow\u2603man"):
        exporter.recorder.record(replace(STREAM, model=model, ratelimits=(("tokens", 0.25),)), CHAT)
    body, _ = exporter.exposition.render(accept)
    readings = exporter.store.read()
    readings[catalog.BUILD_INFO.name] = [Reading(("0.1.0", "libbpf"), 1.0)]
    readings[catalog.CONFIG_SUCCESS.name] = [Reading((), 1.0)]
    readings[catalog.CONFIG_SUCCESS_TIME.name] = [Reading((), 1.7e9)]
    assert body[: body.index(b"# HELP process_")] == page(families(catalog.METRICS, readings), accept).removesuffix(EOF)
    assert b"_created" not in body


def test_a_page_of_names_is_a_part_of_the_whole():
    exporter = Exporter()
    exporter.recorder.record(STREAM, CHAT)
    whole = exporter.exposition.render(OPENMETRICS)[0]
    part = exporter.exposition.render(OPENMETRICS, frozenset(["llm_tokens", "llm_exporter_build_info"]))[0]
    assert part.removesuffix(EOF).count(b"# TYPE") == 2
    assert all(text in whole for text in part.removesuffix(EOF).split(b"# HELP"))


def test_both_formats_say_the_same():
    exporter = Exporter()
    exporter.recorder.record(STREAM, CHAT)
    text, openmetrics_text = exporter.samples(), exporter.samples(OPENMETRICS)
    ours = [key for key in text if key[0].startswith("llm_")]
    assert len(ours) > 200
    assert {key: text[key] for key in ours} == {key: openmetrics_text[key] for key in ours}


def test_content_types():
    exporter = Exporter()
    assert exporter.exposition.render("")[1].startswith("text/plain")
    assert exporter.exposition.render(OPENMETRICS)[1].startswith("application/openmetrics-text")
    assert exporter.exposition.render(OPENMETRICS)[0].endswith(b"# EOF\n")
    assert openmetrics is not None


@pytest.mark.parametrize("metric", catalog.METRICS, ids=lambda metric: metric.name)
def test_help_and_type_come_from_the_catalog(metric):
    lines = Exporter().exposition.render("")[0].decode().splitlines()
    assert f"# HELP {metric.name} {metric.help}" in lines
    assert f"# TYPE {metric.name} {metric.type.value}" in lines


def test_self_metrics_start_at_zero_and_sources_are_added():
    exporter = Exporter(
        events_lost=lambda: {"ring_full": 3, "unheard of": 2},
        unparsed=lambda: {"h2": 1},
        probes_attached=lambda: {"SSL_read": 4},
        probes_single_stepped=lambda: {"SSL_read": 1},
    )
    exporter.store.count(catalog.EVENTS_LOST, "decode")
    assert exporter.sample("llm_exporter_events_lost_total", reason="ring_full") == 3
    assert exporter.sample("llm_exporter_events_lost_total", reason="decode") == 1
    assert exporter.sample("llm_exporter_events_lost_total", reason="copy_failed") == 0
    assert exporter.sample("llm_exporter_events_lost_total", reason="_other") == 2
    assert exporter.sample("llm_exporter_unparsed_connections_total", reason="h2") == 1
    assert exporter.sample("llm_exporter_unparsed_connections_total", reason="mid_stream") == 0
    assert exporter.sample("llm_exporter_probes_attached", hook="SSL_read") == 4
    assert exporter.sample("llm_exporter_probes_single_stepped", hook="SSL_read") == 1
    assert exporter.sample("llm_exporter_build_info", version="0.1.0", loader="libbpf") == 1
    assert exporter.sample("llm_exporter_ttft_unknown_total") == 0


def test_bpf_times_are_there_only_when_measured():
    assert not any(name.startswith("llm_exporter_bpf") for name, _ in Exporter().samples())
    exporter = Exporter(bpf_run_seconds=lambda: {"ssl_read": 0.5}, bpf_runs=lambda: {"ssl_read": 9})
    assert exporter.sample("llm_exporter_bpf_run_seconds_total", program="ssl_read") == 0.5
    assert exporter.sample("llm_exporter_bpf_runs_total", program="ssl_read") == 9


def test_process_metrics_are_there():
    assert Exporter().sample("process_resident_memory_bytes") > 0


def test_the_ring_is_drained_before_each_scrape():
    exporter = Exporter()
    exporter.samples()
    exporter.samples()
    assert exporter.scrapes == 2


def test_in_flight_is_asked_at_the_scrape():
    flights = [InFlight(Role.CLIENT, "openai", "gpt-5", "chat", CHAT, "first_token", 61.5)]
    exporter = Exporter(in_flight=lambda: flights)
    exporter.recorder.record(STREAM, CHAT)
    assert exporter.sample("llm_requests_in_flight", **SHARED) == 1
    assert exporter.sample("llm_request_oldest_seconds", **SHARED, phase="first_token") == 61.5
    flights.clear()
    assert exporter.sample("llm_requests_in_flight", **SHARED) == 0
    assert exporter.sample("llm_request_oldest_seconds", **SHARED, phase="first_token") == 0


@pytest.mark.parametrize("name", ['quote"d', "back\\slash", "snow\u2603man", "line\u2028end"])
def test_odd_model_names_read_back(name):
    exporter = Exporter()
    exporter.recorder.record(replace(STREAM, model=name), CHAT)
    models = {dict(labels).get("model") for found, labels in exporter.samples() if found == "llm_requests_total"}
    assert models == {name if name.isprintable() else "_other"}


def test_buckets_are_cumulative_and_end_in_the_count():
    exporter = Exporter()
    for seconds in (0.05, 0.4, 700.0):
        exporter.recorder.record(replace(STREAM, first_token_s=seconds), CHAT)
    found = exporter.samples()
    name = "llm_time_to_first_token_seconds"
    counts = [value for (key, _), value in found.items() if key == f"{name}_bucket"]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert counts[-2:] == [2, 3]
    assert found[f"{name}_count", frozenset(SHARED.items())] == 3
    assert sum(metric.type is MetricType.HISTOGRAM for metric in catalog.METRICS) == 8
