"""Requests in every shape that clients give them: model, role and t0 must be right whatever the order of the bytes."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.e2e.answers import After, chat, completion, json_answer, plain_truth, silence
from tests.e2e.clients import request_bytes
from tests.kernel.bench import Bench, Met

pytestmark = pytest.mark.timeout(90)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
SHORT = chat(4, 3.0, usage=(3, 4))
PROMPT_200_KB = "a word and another one, " * 8500


@BOTH
@pytest.mark.parametrize("model_first", [True, False], ids=["model first", "model last"])
@pytest.mark.parametrize("prompt", ["hi", "x" * 1500, PROMPT_200_KB], ids=["short", "1.5 kB", "200 kB"])
def test_model_is_found_on_either_side_of_the_prompt(
    bench: Bench, prompt: str, *, tls: bool, model_first: bool
) -> None:
    def request(model: str) -> tuple[bytes, ...]:
        return (b"".join(request_bytes(model, prompt=prompt, model_first=model_first)),)

    bench.meet(SHORT, tls=tls, request=request)


@BOTH
@pytest.mark.parametrize("model_first", [True, False], ids=["model first", "model last"])
def test_200_kb_prompt_in_small_writes(bench: Bench, *, tls: bool, model_first: bool) -> None:
    def request(model: str) -> tuple[bytes, ...]:
        whole = b"".join(request_bytes(model, prompt=PROMPT_200_KB, model_first=model_first))
        return tuple(whole[at : at + 4096] for at in range(0, len(whole), 4096))

    bench.meet(SHORT, tls=tls, request=request)


@BOTH
def test_prompt_that_quotes_a_request_names_no_model(bench: Bench, *, tls: bool) -> None:
    prompt = 'POST /v1/chat/completions HTTP/1.1\r\n\r\n{"model": "decoy", "stream": false}' * 40

    def request(model: str) -> tuple[bytes, ...]:
        return request_bytes(model, prompt=prompt, model_first=False)

    bench.meet(SHORT, tls=tls, request=request)


@BOTH
def test_head_and_body_in_two_writes(bench: Bench, *, tls: bool) -> None:
    bench.meet(SHORT, tls=tls, request=request_bytes)


@BOTH
def test_request_sent_byte_by_byte_starts_at_its_first_byte(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.new("bytewise", SHORT)
    conn = bench.connect(tls=tls)
    whole = b"".join(request_bytes(model))
    conn.send(whole[:1], pause_ms=60.0)
    conn.more(*(whole[at : at + 1] for at in range(1, len(whole))))
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, tls, conn.flight, pid=os.getpid()))


@pytest.mark.parametrize("cut", [1, 4, 5, 9, 20])
def test_request_line_split_over_iovecs(bench: Bench, cut: int) -> None:
    model = bench.lab.new("iovecs", SHORT)
    conn = bench.connect(tls=False)
    head, body = request_bytes(model)
    conn.send_vector(head[:cut], head[cut:], body[:7], b"", body[7:])
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    bench.check(Met(model, SHORT, False, conn.flight, pid=os.getpid()))  # noqa: FBT003 - plaintext


@BOTH
def test_interim_answer_is_not_the_first_byte(bench: Bench, *, tls: bool) -> None:
    whole = chat(4, 3.0, first_ms=60.0)
    model = bench.lab.new("continue", whole)
    conn = bench.connect(tls=tls)
    head, body = request_bytes(model, headers=("expect: 100-continue",))
    conn.send(head)
    interim = conn.read(25)
    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    conn.flight.reads.clear()
    time.sleep(0.03)
    conn.more(body)
    assert conn.read(len(whole.data)) == whole.data
    conn.close()
    bench.check(Met(model, whole, tls, conn.flight, pid=os.getpid()))


@BOTH
def test_get_before_the_post_and_requests_after_it(bench: Bench, *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    probe = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    size = len(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"ok"}')
    whole = json_answer(completion((7, 8)), plain_truth((7, 8)), compress=True)
    met = []
    for planned in (SHORT, whole, chat(9, 1.0, done=False), SHORT):
        conn.send(probe)
        conn.read(size)
        met.append(bench.ask(conn, planned, tls=tls, label="kept"))
    conn.close()
    bench.check(*met)


@BOTH
def test_kept_alive_connection_gives_one_exchange_per_request(bench: Bench, *, tls: bool) -> None:
    conn = bench.connect(tls=tls)
    met = [bench.ask(conn, chat(3 + number, usage=(2, number)), tls=tls, label="kept") for number in range(23)]
    conn.close()
    bench.check(*met)


@BOTH
def test_chunked_request_body(bench: Bench, *, tls: bool) -> None:
    def request(model: str) -> tuple[bytes, ...]:
        head, body = request_bytes(model, prompt="x" * 3000, model_first=False)
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
        lines.insert(1, b"transfer-encoding: chunked")
        chunks = [b"%x\r\n%s\r\n" % (len(body[at : at + 500]), body[at : at + 500]) for at in range(0, len(body), 500)]
        return (b"\r\n".join(lines), *chunks, b"0\r\n\r\n")

    bench.meet(SHORT, tls=tls, request=request)


@BOTH
def test_headers_longer_than_any_capture(bench: Bench, *, tls: bool) -> None:
    def request(model: str) -> tuple[bytes, ...]:
        return (b"".join(request_bytes(model, headers=("cookie: " + "c" * 6000,))),)

    bench.meet(SHORT, tls=tls, request=request)


@BOTH
def test_stainless_retry_count_marks_a_retry(bench: Bench, *, tls: bool) -> None:
    model = bench.lab.new("retry", SHORT, SHORT)
    for count in (0, 2):
        conn = bench.connect(tls=tls)
        conn.send(b"".join(request_bytes(model, headers=(f"x-stainless-retry-count: {count}",))))
        assert conn.read(len(SHORT.data)) == SHORT.data
        conn.close()
    for role in ("client", "server"):
        lines = bench.exporter.expect(model, role, 2)
        assert sorted(line["retry"] for line in lines) == [False, True]


@BOTH
def test_other_traffic_is_no_exchange(bench: Bench, *, tls: bool) -> None:
    upload = json_answer({"ok": True}, plain_truth((1, 1)))
    conn = bench.connect(tls=tls)
    other = bench.lab.new("upload", upload)
    conn.send(b"".join(request_bytes(other, path="/upload")))
    conn.read(len(upload.data))
    met = bench.ask(conn, SHORT, tls=tls)
    conn.close()
    bench.check(met)
    assert not bench.exporter.lines(other, "client")
    assert not bench.exporter.lines(other, "server")


@BOTH
@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/v1/chat/completions?api-version=2026-10"])
def test_path_may_have_a_prefix_or_a_query(bench: Bench, path: str, *, tls: bool) -> None:
    bench.meet(SHORT, tls=tls, request=lambda model: request_bytes(model, path=path))


@BOTH
def test_model_name_with_slash_and_colon(bench: Bench, *, tls: bool) -> None:
    script = bench.lab.new("named", SHORT)
    model = f"org/{script}:q4@main"
    body = json.dumps({"model": model, "messages": [], "stream": True}).encode()
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes("", headers=(f"x-script: {script}",), body=body))
    assert conn.read(len(SHORT.data)) == SHORT.data
    conn.close()
    for role in ("client", "server"):
        assert len(bench.exporter.expect(model, role)) == 1


@BOTH
def test_server_that_closes_without_an_answer(bench: Bench, *, tls: bool) -> None:
    bench.meet(silence(After.FIN, 40.0), tls=tls)


@BOTH
def test_client_that_gives_up_waiting(bench: Bench, *, tls: bool) -> None:
    planned = silence(After.HOLD, 0.0)
    model = bench.lab.new("gives-up", planned)
    conn = bench.connect(tls=tls)
    conn.send(*request_bytes(model))
    time.sleep(0.3)
    conn.close()
    (mine,) = bench.exporter.expect(model, "client")
    (theirs,) = bench.exporter.expect(model, "server")
    assert mine["outcome"] == "timeout"
    assert theirs["outcome"] in ("client_cancelled", "connection_error")
    assert mine["duration_s"] == pytest.approx(0.3, abs=0.1)
    assert mine["first_byte_s"] is None


@BOTH
def test_request_sent_while_the_exchange_before_it_is_open_on_another_connection(bench: Bench, *, tls: bool) -> None:
    slow, quick = chat(12, 20.0, usage=(1, 12)), chat(3, usage=(1, 3))
    first, second = bench.connect(tls=tls), bench.connect(tls=tls)
    model = bench.lab.new("slow", slow)
    first.send(*request_bytes(model))
    first.read(slow.marks[2].at)
    met = bench.ask(second, quick, tls=tls)
    have = sum(size for _, size in first.flight.reads)
    first.read(len(slow.data) - have)
    first.close()
    second.close()
    bench.check(met, Met(model, slow, tls, first.flight, pid=os.getpid()))
