"""How streams end before their time, and who is told to have ended them."""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import replace

import pytest

from tests.e2e.answers import (
    After,
    Answer,
    Framing,
    Truth,
    Write,
    chat,
    completion,
    cut_after,
    json_answer,
    plain_truth,
)
from tests.e2e.clients import ASYNC, PROGRAMS, SYNC, Job, Raw, request_bytes, run_lane, run_process, run_program
from tests.kernel.bench import Bench, Met

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
CUT = Truth(outcome="stream_interrupted", stream_outcome="truncated", closed_by="server", finishes=(), tokens=None)
LONG = chat(80, 12.0, usage=(3, 80))
LENIENT = [name for name in (*SYNC, *ASYNC) if not name.startswith("raw")]


def _job(bench: Bench, model: str, client: str, planned: Answer, *, tls: bool, leave_at: int | None = None) -> Job:
    stop = planned.marks[leave_at - 1].at if leave_at else None
    total = len(planned.data) + (planned.after is not After.KEEP)
    port = bench.lab.server.port(tls=tls)
    is_raw = client.startswith(("raw", "process"))
    return Job(
        model,
        client,
        port,
        tls,
        bench.lab.cert,
        total,
        stop_bytes=stop if is_raw else None,
        stop_items=None if is_raw else leave_at,
    )


@BOTH
@pytest.mark.parametrize("after", [After.FIN, After.NOTIFY, After.RST])
@pytest.mark.parametrize("writes", [1, 2, 9])
def test_stream_cut_by_the_server(bench: Bench, after: After, writes: int, *, tls: bool) -> None:
    planned = cut_after(chat(20, 3.0), writes, after, CUT)
    model = bench.lab.new("cut", planned)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    try:
        conn.read(len(planned.data) + 1)
    except ConnectionResetError:
        assert after is After.RST
    conn.close()
    bench.check(Met(model, planned, tls, conn.flight, pid=os.getpid()))


@BOTH
def test_stream_cut_inside_an_event(bench: Bench, *, tls: bool) -> None:
    whole = chat(5, 3.0)
    size = whole.marks[2].at + 20
    planned = cut_after(replace(whole, writes=(Write(whole.data[:size]),)), 1, After.FIN, CUT)
    bench.meet(planned, tls=tls)


@BOTH
def test_content_length_that_is_not_met(bench: Bench, *, tls: bool) -> None:
    planned = cut_after(chat(9, 3.0, framing=Framing(kind="length")), 6, After.FIN, CUT)
    bench.meet(planned, tls=tls)


@BOTH
@pytest.mark.parametrize("after", [After.KILL, After.EXIT])
def test_server_process_dies_in_the_middle(bench: Bench, after: After, *, tls: bool) -> None:
    planned = cut_after(chat(20, 3.0), 8, after, CUT)
    model = bench.lab.new("dies", planned)
    conn = bench.connect(tls=tls, forking=True)
    conn.send(*request_bytes(model))
    conn.read(len(planned.data) + 1)
    conn.close()
    bench.check(Met(model, planned, tls, conn.flight, pid=os.getpid()))


@BOTH
@pytest.mark.parametrize("how", ["close", "shutdown", "reset"])
def test_client_cancels(bench: Bench, how: str, *, tls: bool) -> None:
    model = bench.lab.new("cancels", LONG)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(LONG.marks[4].at)
    _leave(conn, how)
    bench.check(Met(model, LONG, tls, conn.flight, leaves=True, pid=os.getpid()))


def _leave(conn: Raw, how: str) -> None:
    if how == "shutdown":
        conn.sock.shutdown(socket.SHUT_RDWR)
    if how == "reset":
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


@BOTH
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_client_process_ends_with_the_connection_open(bench: Bench, how: str, *, tls: bool) -> None:
    model = bench.lab.new(f"client-{how}", LONG)
    job = _job(bench, model, "process", LONG, tls=tls, leave_at=5)
    result = run_process(replace(job, end=how))
    bench.check(bench.finished(LONG, model, result, tls=tls, leaves=True))


@BOTH
@pytest.mark.parametrize("client", LENIENT)
def test_library_cancels(bench: Bench, client: str, *, tls: bool) -> None:
    model = bench.lab.new(f"{client}-cancels", LONG)
    result = run_lane(_job(bench, model, client, LONG, tls=tls, leave_at=5))
    bench.check(bench.finished(LONG, model, result, tls=tls, leaves=True))


@BOTH
@pytest.mark.parametrize("client", [*SYNC, *ASYNC, *PROGRAMS])
def test_every_client_is_seen(bench: Bench, client: str, *, tls: bool) -> None:
    planned = chat(11, 4.0, usage=(3, 11), first_ms=25.0)
    model = bench.lab.new(client, planned)
    job = _job(bench, model, client, planned, tls=tls)
    result = (run_program if client in PROGRAMS else run_lane)(job)
    assert result.error is None
    bench.check(bench.finished(planned, model, result, tls=tls))
    _check_request_bytes(bench, model)


def _check_request_bytes(bench: Bench, model: str) -> None:
    """Writes that OpenSSL asks to repeat count once (node: 135 bytes were seen as 405)."""
    served = bench.lab.served(model)
    assert served
    (mine,) = bench.exporter.expect(model, "client")
    (theirs,) = bench.exporter.expect(model, "server")
    assert (mine["bytes_out"], theirs["bytes_in"]) == (served.request_bytes, served.request_bytes)


@BOTH
@pytest.mark.parametrize("client", [*LENIENT, *PROGRAMS])
def test_every_client_is_seen_without_a_stream(bench: Bench, client: str, *, tls: bool) -> None:
    planned = json_answer(completion((21, 9)), plain_truth((21, 9)), compress=client != "curl", before_ms=15.0)
    model = bench.lab.new(f"{client}-json", planned)
    job = replace(_job(bench, model, client, planned, tls=tls), stream=False, prompt="x" * 400_000)
    result = (run_program if client in PROGRAMS else run_lane)(job)
    bench.check(bench.finished(planned, model, result, tls=tls))
    _check_request_bytes(bench, model)


@BOTH
@pytest.mark.parametrize("client", ["openai", "httpx", "requests", "aiohttp", "openai-async", "curl"])
def test_stream_cut_under_a_library(bench: Bench, client: str, *, tls: bool) -> None:
    if client == "aiohttp" and client not in ASYNC:
        pytest.skip("aiohttp is not installed")
    planned = cut_after(chat(20, 4.0), 9, After.FIN, CUT)
    model = bench.lab.new(f"{client}-cut", planned)
    job = _job(bench, model, client, planned, tls=tls)
    result = (run_program if client in PROGRAMS else run_lane)(job)
    bench.check(bench.finished(planned, model, result, tls=tls))


@BOTH
def test_answer_that_is_no_stream_is_cut(bench: Bench, *, tls: bool) -> None:
    whole = json_answer(completion((3, 4), "word " * 2000), plain_truth((3, 4)), chunk_bytes=1000)
    truth = Truth(outcome="stream_interrupted", stream=False, stream_outcome=None, finishes=(), tokens=())
    planned = cut_after(whole, 4, After.FIN, truth)
    bench.meet(planned, tls=tls, stream=False)


@BOTH
def test_hanging_stream_shows_before_it_ends(bench: Bench, *, tls: bool) -> None:
    gate = bench.lab.model("gate")
    whole = chat(6, 2.0, usage=(3, 6))
    held = [*whole.writes[:4], replace(whole.writes[4], gate=gate), *whole.writes[5:]]
    planned = replace(whole, writes=tuple(held))
    model = bench.lab.new("hangs", planned)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    conn.read(whole.marks[1].at)
    time.sleep(0.4)
    in_flight = bench.exporter.metric("llm_requests_in_flight")
    oldest_s = bench.exporter.metric("llm_request_oldest_seconds", phase="streaming")
    bench.lab.open_gate(gate)
    conn.read(len(planned.data) - sum(size for _, size in conn.flight.reads))
    conn.close()
    bench.check(Met(model, planned, tls, conn.flight, pid=os.getpid()))
    assert in_flight >= 2
    assert oldest_s >= 0.3
