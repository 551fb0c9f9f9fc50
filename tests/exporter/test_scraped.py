"""Rows from a running exporter's own page."""

from __future__ import annotations

import http.server
import itertools
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import SetupError
from llmslo_exporter.exposition import Exposition, Families, Sources
from llmslo_exporter.identity import Workload
from llmslo_exporter.observe import InFlight
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.samples import Sample, samples
from llmslo_exporter.scraped import KEEP_EVERY_S, Scraped, median, parse
from llmslo_exporter.series import Store
from llmslo_exporter.summary import Role
from tests.exporter.exchanges import CHAT, REFUSED, STREAM

NAME = 'odd "name" \\ with} brace'


class Exporter:
    """A store and its page, served on loopback."""

    def __init__(self) -> None:
        self.flights = []
        store = Store(lambda: 0.0, Limits())
        self.recorder = Recorder(store, Admission(Limits(), lambda: 0.0))
        sources = Sources("0.1.0", "libbpf", in_flight=lambda: self.flights)
        self.exposition = Exposition(Families(store, self.recorder, sources), lambda: None)
        self.body = None

    def page(self, query=""):
        names = frozenset(parse_qs(query).get("name[]", ()))
        return self.exposition.render("", names)[0] if self.body is None else self.body


@contextmanager
def served(exporter):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = exporter.page(urlsplit(self.path).query)
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def test_the_first_table_tells_of_all_since_the_exporters_start_the_next_of_what_is_new():
    exporter = Exporter()
    exporter.recorder.record(replace(STREAM, first_token_s=0.25), CHAT)
    with served(exporter) as url:
        scraped = Scraped(url, time.monotonic)
        (row,) = scraped.rows()
        assert (row.workload, row.calls, row.failed, row.outcome) == ("chat", 1, 0, None)
        assert 0.2 < row.ttft_s <= 0.3
        (row,) = scraped.rows()
        assert (row.calls, row.ttft_s, row.tokens_per_s) == (1, None, None)
        exporter.recorder.record(STREAM, CHAT)
        exporter.recorder.record(REFUSED, CHAT)
        (row,) = scraped.rows()
        assert (row.calls, row.failed, row.outcome) == (3, 1, "rate_limited")
        assert 0.3 < row.ttft_s <= 0.45


def test_calls_in_flight_come_first():
    exporter = Exporter()
    for name in ("a", "b"):
        exporter.recorder.record(STREAM, Workload("", name))
    exporter.flights = [InFlight(Role.CLIENT, "openai", "gpt-5", "chat", Workload("", "b"), "first_token", 4.0)]
    with served(exporter) as url:
        first, second = Scraped(url, time.monotonic).rows()
    assert (first.workload, first.in_flight, first.oldest_s) == ("b", 1, 4.0)
    assert (second.workload, second.in_flight, second.oldest_s) == ("a", 0, None)


def test_an_exporter_that_began_anew_is_no_negative_count():
    exporter = Exporter()
    for _ in range(5):
        exporter.recorder.record(STREAM, CHAT)
    with served(exporter) as url:
        scraped = Scraped(url, time.monotonic)
        scraped.rows()
        exporter.__init__()
        exporter.recorder.record(STREAM, CHAT)
        (row,) = scraped.rows()
    assert (row.calls, row.outcome) == (1, "ok")
    assert row.ttft_s > 0


def test_who_is_gone_leaves_the_last_table_and_who_never_was_is_an_error():
    exporter = Exporter()
    exporter.recorder.record(STREAM, CHAT)
    with served(exporter) as url:
        scraped = Scraped(url, time.monotonic)
        rows = scraped.rows()
    assert scraped.rows() == rows
    with pytest.raises(SetupError, match=r"cannot read http.*is an exporter running there"):
        Scraped(url, time.monotonic).rows()


@pytest.mark.parametrize("body", [b"", b"# TYPE up gauge\n", b"up 1\n", b"llm_requests_total NaN\n"])
def test_metrics_of_something_else_have_no_rows(body):
    exporter = Exporter()
    exporter.body = body
    with served(exporter) as url:
        assert Scraped(url, time.monotonic).rows() == ()


@pytest.mark.parametrize("body", [b"<html>no metrics</html>", b"\xff\xfe", b"llm_requests_total x\n"])
def test_a_page_without_metrics_is_none_of_ours(body):
    exporter = Exporter()
    exporter.body = body
    with served(exporter) as url, pytest.raises(SetupError, match="found no metrics"):
        Scraped(url, time.monotonic).rows()


@contextmanager
def answering(*parts):
    """Serve these bytes to whoever connects, the last of them again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener, suppress(OSError):
        stopped = threading.Event()

        def serve():
            with suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    peer.recv(65_536)
                    for part in parts[:-1]:
                        peer.sendall(part)
                    while parts[-1] and not stopped.wait(0.01):
                        peer.sendall(parts[-1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        finally:
            stopped.set()
            thread.join()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((HEAD + b"\r\n", b"x"), "and no end"),
        ((HEAD + b"content-length: 99\r\n\r\nup 1\n", b""), "94 bytes early"),
        ((b"\x1b[2J no HTTP\r\n\r\n", b""), "no HTTP"),
    ],
)
def test_an_answer_without_an_end_or_sense_is_an_error_of_one_harmless_line(parts, reason):
    ticks = itertools.count()
    with answering(*parts) as url, pytest.raises(SetupError, match=reason) as error:
        Scraped(url, lambda: float(next(ticks))).rows()
    assert str(error.value).isprintable()


@pytest.mark.parametrize("value", ["NaN", "1e999", "+Inf", "-Inf"])
def test_values_that_no_exporter_has_are_left_out(value):
    assert parse(f'llm_requests_total{{outcome="ok"}} {value}\nllm_requests_in_flight {value}\n') == {}


def test_labels_are_read_as_they_were_written():
    exporter = Exporter()
    exporter.recorder.record(STREAM, Workload("", NAME))
    assert {key[1] for key in parse(exporter.page().decode())} == {NAME}


def test_samples_of_a_page():
    text = '# HELP a b\na 1\nb{x="1",y="a\\"}"} 2.5\nc_bucket{le="+Inf"} +Inf\nd{x="} 1\nodd\n e 1\nf NaN x\n'
    assert list(samples(text)) == [
        Sample("a", {}, 1.0),
        Sample("b", {"x": "1", "y": 'a"}'}, 2.5),
        Sample("c_bucket", {"le": "+Inf"}, float("inf")),
        Sample("d", {}, 1.0),
    ]


def test_medians_lie_between_their_edges():
    inf = float("inf")
    assert median({}) is None
    assert median({1.0: 0, inf: 0}) is None
    assert median({1.0: 4, 2.0: 4, inf: 4}) == 0.5
    assert median({1.0: 0, 2.0: 4, inf: 4}) == 1.5
    assert median({1.0: 1, 2.0: 1, inf: 9}) == 2.0


def test_history_is_bounded_however_often_one_looks():
    exporter = Exporter()
    now = [0.0]
    with served(exporter) as url:
        scraped = Scraped(url, lambda: now[0])
        for _ in range(300):
            now[0] += 0.5
            scraped.rows()
    assert len(scraped._kept) <= 60 / KEEP_EVERY_S + 2
