"""What is under way: a provider that hangs shows in the next scrape, under labels that its traffic cannot choose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e import packers
from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    STREAM_HEADERS,
    After,
    Answer,
    Framing,
    Truth,
    answer,
    chat,
    error_truth,
    json_answer,
    silence,
    words,
)
from tests.e2e.clients import Raw, request_bytes
from tests.e2e.daemon import Exporter, running
from tests.e2e.lab import Lab
from tests.kernel.bench import ROLES, Bench

pytestmark = pytest.mark.timeout(90)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
SHORT = chat(3, 2.0)
GAUGE = "llm_requests_in_flight"
OLDEST = "llm_request_oldest_seconds"
MODEL_CAP = 50


@pytest.fixture(scope="module")
def fresh(loader: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """An exporter whose caps no other test has filled."""
    with running(loader, tmp_path_factory.mktemp("in-flight"), "--provider-map", "localhost=tested") as ready:
        yield ready


@pytest.fixture
def bench(lab: Lab, fresh: Exporter) -> Bench:
    return Bench(lab, fresh)


def _accepted(bench: Bench, label: str, held: Answer, *, tls: bool) -> str:
    """A model that was answered once, and is held the second time."""
    model = bench.lab.new(label, SHORT, held)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(len(SHORT.data))
    conn.close()
    for role in ROLES:
        bench.exporter.expect(model, role)
    return model


def _zero_again(bench: Bench, **labels: str) -> float:
    until_s = time.monotonic() + 3
    while bench.exporter.metric(GAUGE, **labels) and time.monotonic() < until_s:
        time.sleep(0.05)
    return bench.exporter.metric(GAUGE, **labels)


@BOTH
def test_provider_that_never_answers(bench: Bench, *, tls: bool) -> None:
    model = _accepted(bench, "hung", silence(After.HOLD, 0.0), tls=tls)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    time.sleep(0.3)
    for role in ROLES:
        labels = {"model": model, "role": role, "provider": "tested", "operation": "chat", "workload": "python3.11"}
        labels["workload"] = Path("/proc/self/exe").readlink().name
        assert bench.exporter.metric(GAUGE, **labels) == 1, role
        assert 0.25 < bench.exporter.metric(OLDEST, **labels, phase="first_token") < 3, role
        assert bench.exporter.metric(OLDEST, **labels, phase="streaming") == 0
    time.sleep(0.5)
    assert bench.exporter.metric(OLDEST, model=model, role="client", phase="first_token") > 0.75
    conn.close()
    assert _zero_again(bench, model=model) == 0
    assert bench.exporter.metric(OLDEST, model=model) == 0


@BOTH
def test_phase_changes_with_the_first_content(bench: Bench, *, tls: bool) -> None:
    gates = (bench.lab.model("gate"), bench.lab.model("gate"))
    whole = chat(4, 2.0)
    writes = [*whole.writes]
    writes[1] = replace(writes[1], gate=gates[0])
    writes[3] = replace(writes[3], gate=gates[1])
    held = replace(whole, writes=tuple(writes))
    model = _accepted(bench, "phases", held, tls=tls)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(len(writes[0].data))
    time.sleep(0.2)
    for role in ROLES:
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="first_token") > 0.1
    bench.lab.open_gate(gates[0])
    conn.read(len(writes[1].data))
    time.sleep(0.3)
    for role in ROLES:
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="first_token") == 0
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="streaming") > 0.4
        assert bench.exporter.metric(GAUGE, model=model, role=role) == 1
    bench.lab.open_gate(gates[1])
    conn.read(len(whole.data) - sum(size for _, size in conn.flight.reads))
    assert _zero_again(bench, model=model) == 0
    conn.close()


@BOTH
def test_a_compressed_stream_that_flows_is_no_silence(bench: Bench, *, tls: bool) -> None:
    gates = (bench.lab.model("gate"), bench.lab.model("gate"))
    parts = [ROLE, *words(3), STOP, DONE]
    runs = packers.packed([part.data for part in parts], "br")
    framing = Framing(headers=(*STREAM_HEADERS, "content-encoding: br"), early_head_ms=1.0)
    coded = [replace(part, data=run) for part, run in zip(parts, runs, strict=True)]
    whole = answer(coded, Truth(tokens=None), framing)
    writes = [*whole.writes]
    writes[1] = replace(writes[1], gate=gates[0])
    writes[3] = replace(writes[3], gate=gates[1])
    model = _accepted(bench, "packed", replace(whole, writes=tuple(writes)), tls=tls)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(len(writes[0].data))
    time.sleep(0.2)
    for role in ROLES:
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="first_token") > 0.1
    bench.lab.open_gate(gates[0])
    conn.read(len(writes[1].data))
    time.sleep(0.2)
    for role in ROLES:
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="first_token") == 0
        assert bench.exporter.metric(OLDEST, model=model, role=role, phase="streaming") > 0.2
    bench.lab.open_gate(gates[1])
    conn.read(len(whole.data) - sum(size for _, size in conn.flight.reads))
    assert _zero_again(bench, model=model) == 0
    conn.close()


@BOTH
def test_new_name_is_other_until_it_is_answered(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.new("unknown", silence(After.HOLD, 0.0))
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    time.sleep(0.2)
    assert bench.exporter.metric(GAUGE, model="_other") >= 2
    assert model not in bench.exporter.fetch("/metrics")[1]
    conn.close()
    assert _zero_again(bench) == 0
    assert model not in bench.exporter.fetch("/metrics")[1]


@BOTH
def test_half_a_request_is_under_way(bench: Bench, *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    conn.send(request_bytes(bench.lab.new("half", SHORT))[0])
    time.sleep(0.2)
    assert bench.exporter.metric(GAUGE, role="client") == 1
    conn.close()
    assert _zero_again(bench) == 0


@BOTH
def test_waiting_for_the_next_request_is_not_under_way(bench: Bench, *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    bench.ask(conn, SHORT, tls=tls)
    assert _zero_again(bench) == 0
    conn.close()


def _ask(bench: Bench, conn: Raw, planned: Answer) -> str:
    return bench.ask(conn, planned, tls=False, label="capped").model


def test_caps_and_names_that_were_never_accepted(lab: Lab, loader: str, tmp_path: Path) -> None:
    refused = json_answer(
        {"error": {"code": "model_not_found", "type": "x"}}, error_truth(404, "not_found"), status="404 Not Found"
    )
    with running(loader, tmp_path) as exporter:
        bench = Bench(lab, exporter)
        conn = bench.connect(tls=False)
        typos = [_ask(bench, conn, refused) for _ in range(5)]
        names = [_ask(bench, conn, SHORT) for _ in range(MODEL_CAP + 10)]
        conn.close()
        for model in (*typos, *names):
            for role in ROLES:
                exporter.expect(model, role)
        page = exporter.fetch("/metrics")[1]
        assert not [model for model in typos if f'"{model}"' in page]
        assert [f'"{model}"' in page for model in names] == [True] * MODEL_CAP + [False] * 10
        count = "llm_requests_total"
        assert exporter.metric(count, model="_other", role="client", outcome="ok") == 10
        assert exporter.metric(count, model="_other", role="client", outcome="not_found") == 5
        assert exporter.metric(count, role="client", outcome="ok") == MODEL_CAP + 10
        assert exporter.metric("llm_exporter_series_dropped_total") >= 20
