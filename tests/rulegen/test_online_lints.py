"""Lints that ask a server, on a real Prometheus with an hour of samples; and servers that are none."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.lints.every import LINTS
from llmslo_rulegen.lints.lint import Need
from llmslo_rulegen.prometheus import Prometheus
from tests.rulegen.test_cli import run
from tests.rulegen.test_lints import HEAD, ONE, TTFT, checked
from tests.rules.backend import Series, lacks, storage

SCRAPE_S, GROUPS = 120, 600
TRIPS = {
    "online/no-series": (TTFT + "    select: {model: gpt-5}\n", "gpt-5", "gpt-4o", "correct the labels"),
    "online/scrape-interval": (TTFT, "service: bot\n", "service: bot\nscrape_interval: 2m\n", "scrape_interval: 2m"),
    "online/bucket": (
        ONE + "    sli: {histogram: shop_seconds}\n    threshold: 2\n", "threshold: 2", "threshold: 5", "1 or 5"
    ),
    "online/groups": (TTFT + "    group_by: [tenant]\n", "group_by: [tenant]", "group_by: [model]", "group by less"),
    "traffic/low": (TTFT, "    sli: ttft\n", "    sli: {good_when: up == 1}\n", "good_when"),
    "objective/volume": (TTFT, "objective: 99", "objective: 98", "objective: 98"),
    "rules/interval": (TTFT, "description", "description", "evaluation_interval to 5m"),
    "sli/gauge-rate": (
        ONE + "    sli:\n      bad: sum(rate(up[{{window}}]))\n      total: sum(rate(shop_total[{{window}}]))\n",
        "rate(up[", 'rate(shop_total{a="b"}[', "count a counter",
    ),
}  # fmt: skip


def _series(now_s):
    """An hour of a quiet shop: one model, a few tenants too many, a histogram with two buckets."""
    at_s = range(now_s - 3600, now_s, SCRAPE_S)
    flat = [(float(each), 1.0) for each in at_s]
    labels = {"model": "gpt-4o", "role": "client", "outcome": "completed", "first_token": "true"}
    yield from (Series("llm_streams_total", {**labels, "tenant": str(number)}, flat) for number in range(1, GROUPS))
    rare = [(each, value + (3 if each > now_s - 1800 else 0)) for each, value in flat]
    yield Series("llm_streams_total", {**labels, "tenant": "0"}, rare)
    for edge in ("1.0", "5.0", "+Inf"):
        yield Series("shop_seconds_bucket", {"le": edge}, flat)
    yield Series("shop_seconds_count", {}, flat)


@pytest.fixture(scope="module")
def url():
    if reason := lacks():
        pytest.skip(reason)
    with storage() as stored:
        stored.fill(list(_series(int(time.time()))))
        with stored.served() as server:
            yield server.url


@pytest.mark.parametrize("code", [code for code in TRIPS if code not in {"rules/interval", "sli/gauge-rate"}])
def test_a_lint_trips_on_what_the_server_has_and_its_fix_ends_it(code, url, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    document, old, new, said = TRIPS[code]
    _, findings = checked(tmp_path, HEAD + document, ("--prometheus", url))
    found = [one for one in findings if one["check"] == code]
    assert found, findings
    assert said in found[0]["fix"], found
    assert (HEAD + document).count(old) == 1
    _, findings = checked(tmp_path, (HEAD + document).replace(old, new), ("--prometheus", url))
    assert [one for one in findings if one["check"] == code] == []


def test_every_lint_that_asks_a_server_is_here():
    assert {lint.code for lint in LINTS if lint.need is Need.PROMETHEUS} <= TRIPS.keys()


def test_an_interval_of_the_server_too_long_for_short_windows_is_found(url, tmp_path):
    """The server of the tests evaluates every hour."""
    _, findings = checked(tmp_path, HEAD + TTFT, ("--prometheus", url))
    (found,) = [one for one in findings if one["check"] == "rules/interval"]
    assert "evaluates group slo-bot-one every 1h" in found["text"]


def test_retention_is_that_of_the_server(url):
    assert Prometheus(url).retention_s() > 40 * 86400


@contextmanager
def served(answer, status=200, *, slow_s=0.0):
    """Serve one answer to whatever is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))  # closing on unread bytes resets the connection
            stop.wait(slow_s)
            body = answer(self.path) if callable(answer) else answer
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- http.server's name

        def log_message(self, *_):
            """Say nothing."""

    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # whoever reads has seen enough
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def success(data):
    return json.dumps({"status": "success", "data": data}).encode()


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"<html>login</html>", 200, "answers query as no Prometheus does"),
        (b"[" * 100_000, 200, "answers query as no Prometheus does"),
        (b"", 200, "answers query as no Prometheus does"),
        (
            b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": 5}]}}',
            200,
            "as no Prometheus",
        ),
        (b'{"status": "error", "error": "too many samples\\u001b[2J"}', 422, "answers 422, too many samples"),
        (b"nobody", 401, "answers 401, nobody"),
        (b"elsewhere", 302, "answers 302, elsewhere"),
        (success("x" * 40_000_000), 200, "answers query with more than 32 MB"),
    ],
)
def test_what_is_no_prometheus_is_one_clear_line(answer, status, said, tmp_path, capsys):
    (tmp_path / "slo.yaml").write_text(HEAD + TTFT)
    with served(answer, status) as url:
        code, text = run("check", tmp_path / "slo.yaml", "--prometheus", url)
    err = capsys.readouterr().err
    assert (code, text) == (1, "")
    assert said in err
    assert err.count("\n") == 1
    assert err.isprintable() or err[:-1].isprintable()


def test_a_server_that_never_answers_is_left_after_a_time():
    with served(b"", slow_s=60) as url, pytest.raises(ServerError, match="does not answer"):
        Prometheus(url, answer_s=0.2).ask("up")


def test_all_questions_of_a_run_have_one_limit():
    with served(success({"resultType": "vector", "result": []})) as url:
        server = Prometheus(url, limit_s=0.0)
        with pytest.raises(ServerError, match="took more than 0 s in all"):
            server.ask("up")


def test_a_port_where_nobody_listens_is_said_without_the_password(tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "slo.yaml").write_text(HEAD + TTFT)
    assert run("check", tmp_path / "slo.yaml", "--prometheus", f"http://me:geheim@127.0.0.1:{port}")[0] == 1
    err = capsys.readouterr().err
    assert f"http://127.0.0.1:{port} does not answer" in err
    assert "geheim" not in err


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "prometheus:9090", "http://", "ftp://x", "http://[", "http://x:99999"]
)
def test_what_is_no_url_is_said(url, tmp_path, capsys):
    (tmp_path / "slo.yaml").write_text(HEAD + TTFT)
    assert run("check", tmp_path / "slo.yaml", "--prometheus", url)[0] == 1
    assert capsys.readouterr().err.startswith("llmslo-rulegen: ")


def test_the_type_that_a_server_knows_decides_what_is_a_gauge(tmp_path):
    document, old, new, _ = TRIPS["sli/gauge-rate"]

    def answer(path):
        if "metadata?metric=up" in path:
            return success({"up": [{"type": "gauge", "help": "", "unit": ""}]})
        return success({"resultType": "vector", "result": []} if "query" in path else {})

    with served(answer) as url:
        _, findings = checked(tmp_path, HEAD + document, ("--prometheus", url))
        assert "sli/gauge-rate" in {one["check"] for one in findings}
        _, findings = checked(tmp_path, (HEAD + document).replace(old, new), ("--prometheus", url))
        assert "sli/gauge-rate" not in {one["check"] for one in findings}


def test_pages_that_a_server_lacks_are_no_error():
    with served(b"404 page not found", 404) as url:
        server = Prometheus(url)
        assert server.retention_s() is None
        assert server.interval_s("a") is None
        assert server.types("up") == frozenset()
