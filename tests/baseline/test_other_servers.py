"""Servers that are none: whatever answers, it is one line about it, and no secret in it."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llmslo_rulegen.baseline import clickhouse, clickhouse_server, prometheus
from llmslo_rulegen.baseline.period import ALWAYS
from llmslo_rulegen.baseline.prometheus import Reading
from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.prometheus_api import Api

SECRET = "hunter2-is-private"
ANSWERS = (
    (200, b""),
    (200, b"<html>nginx"),
    (200, b"\xff\xfe\x00" * 50),
    (200, b"1\t2\t3\n"),
    (302, b""),
    (401, b"no"),
    (404, b"Not Found"),
    (500, f"Code: 1. DB::Exception: {SECRET}\n\x1b[31m is what was sent".encode()),
    (502, b"<html>" + b"x" * 100_000),
)


@contextmanager
def answering(status, body, content="text/plain", location="http://127.0.0.1:1/elsewhere", sent=None):
    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if sent is not None:
                sent.append(self.headers)
            self.send_response(status)
            self.send_header("Content-Type", content)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 -- as http.server calls them

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def check(error):
    text = str(error)
    assert SECRET not in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 600


def test_a_server_that_points_elsewhere_gives_no_credentials_away(monkeypatch):
    monkeypatch.setenv(clickhouse_server.PASSWORD, SECRET)
    sent = []

    class Elsewhere(BaseHTTPRequestHandler):
        def answer(self):
            sent.append(f"{self.path} {self.headers} {self.rfile.read(int(self.headers.get('Content-Length', 0)))}")
            self.send_error(404)

        do_GET = do_POST = answer  # noqa: N815 -- as http.server calls them

        def log_message(self, *_):
            pass

    other = ThreadingHTTPServer(("127.0.0.2", 0), Elsewhere)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        with (
            answering(302, b"", location=f"http://127.0.0.2:{other.server_port}/") as host,
            pytest.raises(ServerError),
        ):
            clickhouse.survey(clickhouse_server.server(f"http://reader@{host}/otel"), ALWAYS, lambda *_: None)
    finally:
        other.shutdown()
        other.server_close()
    coded = base64.b64encode(f"reader:{SECRET}".encode()).decode()
    assert not [text for text in sent if SECRET in text or coded in text]


@pytest.mark.parametrize(("status", "body"), ANSWERS)
def test_what_is_no_clickhouse(status, body, monkeypatch):
    monkeypatch.setenv(clickhouse_server.PASSWORD, SECRET)
    with answering(status, body) as host, pytest.raises(ServerError) as caught:
        clickhouse.survey(clickhouse_server.server(f"http://reader@{host}/otel"), ALWAYS, lambda *_: None)
    check(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *ANSWERS,
        *(
            (200, json.dumps({"status": "success", "data": data}).encode())
            for data in (
                *(None, 5, [], {}, {"result": 5}, {"result": [5]}, {"result": [{}]}, {"result": [{"metric": 5}]}),
                *({"result": [{"metric": {}, "values": 5}]}, {"result": [{"metric": {}, "values": [[1]]}]}),
                *({"result": [{"metric": {}, "values": [["x", "y"]]}]}, {"result": [{"metric": [], "values": []}]}),
            )
        ),
    ],
)
def test_what_is_no_prometheus(status, body):
    with answering(status, body, "application/json") as host, pytest.raises(ServerError) as caught:
        prometheus.survey(Reading(Api(f"http://u:{SECRET}@{host}"), "llmslo"), range(470_000, 470_002), lambda *_: None)
    if b"DB::Exception" not in body:  # what a server says by itself is shown
        check(caught.value)


@pytest.mark.parametrize("url", [f"ftp://u:{SECRET}@host", f"http://u:{SECRET}@", f"u:{SECRET}@host"])
def test_what_is_no_url_is_shown_without_its_password(url):
    for made in (Api, clickhouse_server.server):
        with pytest.raises(ServerError, match="is no URL") as caught:
            made(url)
        check(caught.value)


def test_headers_go_with_every_question():
    sent = []
    with answering(200, b'{"status": "success", "data": {"result": []}}', sent=sent) as host:
        api = Api(f"http://{host}", headers={"Authorization": f"Bearer {SECRET}", "X-Scope-OrgID": "team"})
        prometheus.survey(Reading(api, "vllm"), range(470_000, 470_002), lambda *_: None)
        assert prometheus.natives(Reading(api, "vllm"), range(470_000, 470_002)) == []
    assert len(sent) > 3
    assert {(one["Authorization"], one["X-Scope-OrgID"]) for one in sent} == {(f"Bearer {SECRET}", "team")}


@pytest.mark.parametrize("values", [[[1.7e9, "NaN"]], [[1.7e9, "+Inf"]], [[1.7e9, "-3"]], [], [[1.7e9, "1e400"]]])
def test_counts_that_are_none_count_nothing(values):
    labels = {"job": "x", "le": "not a number", "outcome": "ok"}
    answer = {"status": "success", "data": {"result": [{"metric": labels, "values": values}]}}
    with answering(200, json.dumps(answer).encode(), "application/json") as host:
        found = prometheus.survey(Reading(Api(f"http://{host}"), "llmslo"), range(470_000, 470_002), lambda *_: None)
    assert not found.baseline.cells
