"""Pages of metrics as baselines: the exporter's own page, written by its own code, and others' as they are."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import exposition
from llmslo_rulegen.baseline.cell import Quantity
from llmslo_rulegen.baseline.exposition import Page, PageError
from llmslo_rulegen.errors import ServerError

AT_S = 470_000 * 3600 + 1234
LABELS = {"workload": "shop", "operation": "chat", "provider": "openai", "model": "gpt-5", "role": "client"}
TTFTS = (0.04, 0.5, 0.51, 2.0, 700.0)


@contextmanager
def answering(raw):
    """Serve bytes as /metrics; give the URL of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            is_there = self.path == "/metrics"
            self.send_response(200 if is_there else 404)
            self.end_headers()
            self.wfile.write(raw if is_there else b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def metrics():
    registry = CollectorRegistry()
    names = list(LABELS)
    ttft = Histogram(catalog.TTFT.name, "x", names, buckets=catalog.TTFT_EDGES, registry=registry)
    requests = Counter(catalog.REQUESTS.name, "x", [*names, "outcome", "retry"], registry=registry)
    for value in TTFTS:
        ttft.labels(**LABELS).observe(value)
        requests.labels(**LABELS, outcome="ok", retry="false").inc()
    requests.labels(**LABELS, outcome="timeout", retry="true").inc(2)
    requests.labels(**{**LABELS, "role": "server"}, outcome="ok", retry="false").inc(50)
    return registry, ttft, requests


def page(registry, write=generate_latest):
    return Page("metrics.txt", write(registry).decode(), AT_S)


@pytest.mark.parametrize("write", [generate_latest, generate_open])
def test_a_page_is_what_was_counted_since_the_start(metrics, write):
    found = exposition.survey(page(metrics[0], write), None, catalog.OWN).baseline
    assert found.hours == (470_000,)
    assert {(kind.service, kind.model) for kind, _ in found.cells} == {("shop", "gpt-5")}
    outcomes = [cell.outcomes for cell in found.cells.values() if cell.outcomes]
    assert outcomes == [(("ok", 5), ("timeout", 2))]
    sketch = next(cell.spread(Quantity.TTFT) for cell in found.cells.values() if cell.spreads)
    for edge in catalog.TTFT_EDGES:
        assert sketch.within(edge) == sum(value <= edge for value in TTFTS)
    assert sketch.count == len(TTFTS)


def test_two_pages_are_what_was_counted_between(metrics):
    registry, ttft, requests = metrics
    before = page(registry)
    ttft.labels(**LABELS).observe(0.1)
    requests.labels(**LABELS, outcome="ok", retry="false").inc()
    found = exposition.survey(page(registry), before, catalog.OWN).baseline
    assert sum(cell.count for cell in found.cells.values()) == 1
    assert sum(cell.spread(Quantity.TTFT).count for cell in found.cells.values()) == 1


def test_a_process_that_began_anew_counts_all_it_holds(metrics):
    registry, _, requests = metrics
    requests.labels(**LABELS, outcome="ok", retry="false").inc(100)
    before = page(registry)
    requests.clear()
    requests.labels(**LABELS, outcome="ok", retry="false").inc(3)
    found = exposition.survey(page(registry), before, catalog.OWN).baseline
    assert sum(cell.outcome("ok") for cell in found.cells.values()) == 3


def test_a_page_without_a_job_gets_its_service_from_the_argument():
    text = "# TYPE tgi_request_count counter\ntgi_request_count 7\ntgi_request_success 5\n"
    found = exposition.survey(Page("x", text, AT_S), None, "tgi", "writer").baseline
    ((kind, _), cell) = next(iter(found.cells.items()))
    assert (kind.service, cell.outcomes) == ("writer", (("ok", 5), ("other", 2)))


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "a{b",
        'a{b="c} 1',
        "llm_requests_total{",
        "{}",
        "a 1 2 3 4",
        "\x00",
        "# TYPE a",
        "a{le=} 1",
        "# EOF",
        "",
    ],
)
def test_what_is_no_page_is_one_line(text):
    with pytest.raises(PageError) as caught:
        exposition.survey(Page("x.txt", text, AT_S), None, catalog.OWN)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("x.txt: ")
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-5", "0"])
def test_values_that_count_nothing_are_left_out(value):
    text = f"tgi_request_count {value}\ntgi_request_success 2\n"
    found = exposition.survey(Page("x", text, AT_S), None, "tgi").baseline
    assert [cell.outcomes for cell in found.cells.values()] == [(("ok", 2),)]


def test_files_and_addresses(metrics, tmp_path):
    raw = generate_latest(metrics[0])
    file = tmp_path / "metrics.txt"
    file.write_bytes(raw)
    os.utime(file, (AT_S, AT_S))
    assert exposition.page(str(file)) == Page(str(file), raw.decode(), AT_S)

    with answering(raw) as url:
        assert exposition.page(f"{url.replace('//', '//user:hunter2@')}/metrics").text == raw.decode()
        with pytest.raises(PageError, match="nothing of source"):
            exposition.survey(exposition.page(f"{url}/nothing"), None, catalog.OWN)
    with pytest.raises(ServerError, match="look at --metrics"):
        exposition.page(f"{url}/metrics")
    with pytest.raises(PageError, match="No such file"):
        exposition.page(str(tmp_path / "missing"))
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(PageError, match="no UTF-8"):
        exposition.page(str(tmp_path / "bytes"))
