from __future__ import annotations

import gzip
import http.client
import socket
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmslo_exporter import web
from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import SetupError
from llmslo_exporter.exposition import Exposition, Families, Sources
from llmslo_exporter.options import parse_address
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from llmslo_exporter.web import Pages, WebServer, takes_gzip
from tests.exporter.exchanges import CHAT, STREAM


class Site:
    """A server with the real pages, and a switch for readiness."""

    def __init__(self, address="127.0.0.1:0", before_scrape=lambda: None) -> None:
        self.ready = True
        store = Store(time.monotonic, Limits())
        self.recorder = Recorder(store, Admission(Limits(), time.monotonic))
        families = Families(store, self.recorder, Sources("0.1.0", "bcc"))
        self.server = WebServer(parse_address(address), Pages(Exposition(families, before_scrape), lambda: self.ready))

    def request(self, path, method="GET", host="127.0.0.1", **headers):
        connection = http.client.HTTPConnection(host, self.server.port, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.server.close()


def test_metrics_are_served_and_parse(site):
    site.recorder.record(STREAM, CHAT)
    response, body = site.request("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert int(response.headers["Content-Length"]) == len(body)
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert {"llm_requests", "llm_time_to_first_token_seconds", "process_cpu_seconds"} <= names


def test_openmetrics_by_accept(site):
    response, body = site.request("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_gzip_by_accept_encoding(site):
    response, body = site.request("/metrics", Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) == len(body)
    assert b"# TYPE llm_requests_total counter" in gzip.decompress(body)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*, gzip;q=0", False),
        ("identity", False),
    ],
)
def test_takes_gzip(header, expected):
    assert takes_gzip(header) is expected


def test_readyz_follows_the_probes(site):
    assert site.request("/readyz")[0].status == 200
    site.ready = False
    response, body = site.request("/readyz")
    site.ready = True
    assert response.status == 503
    assert body.count(b"\n") == 1
    assert site.request("/healthz")[0].status == 200


def test_the_index_links_the_pages(site):
    response, body = site.request("/")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert b'href="/metrics"' in body


@pytest.mark.parametrize("path", ["/metrics/", "/nothing", "/../etc/passwd"])
def test_other_paths_are_not_found(site, path):
    assert site.request(path)[0].status == 404


def test_a_query_does_not_matter(site):
    assert site.request("/healthz?verbose=1")[0].status == 200


def test_head_has_the_length_and_no_body(site):
    response, body = site.request("/metrics", method="HEAD")
    assert response.status == 200
    assert int(response.headers["Content-Length"]) > 1_000
    assert body == b""


def test_post_is_refused(site):
    assert site.request("/metrics", method="POST")[0].status == 501


def test_what_strangers_send_is_not_logged(site, caplog):
    caplog.set_level("DEBUG")
    site.request("/canary-7d1f", User_Agent="canary-7d1f")
    assert "canary-7d1f" not in caplog.text
    assert not any("canary-7d1f" in str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize(
    ("address", "host"), [("[::1]:0", "::1"), (":0", "127.0.0.1"), (":0", "::1"), ("localhost:0", "localhost")]
)
def test_addresses(address, host):
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    site = Site(address)
    try:
        assert site.request("/healthz", host=host)[0].status == 200
    finally:
        site.server.close()


def test_the_default_does_not_listen_on_other_interfaces(site):
    assert site.server._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_the_users_to_solve(site):
    with pytest.raises(SetupError, match=rf"cannot listen on 127\.0\.0\.1:{site.server.port}: Address already in use"):
        Site(f"127.0.0.1:{site.server.port}")


def test_an_unknown_host_is_the_users_to_solve():
    with pytest.raises(SetupError, match="cannot listen on"):
        Site("no-such-host.invalid:0")


def test_the_port_is_free_after_close():
    first = Site()
    port = first.server.port
    first.server.close()
    second = Site(f"127.0.0.1:{port}")
    second.server.close()


def test_a_failed_scrape_is_a_500_and_a_log_line(caplog):
    def fail():
        msg = "ring gone"
        raise RuntimeError(msg)

    site = Site(before_scrape=fail)
    try:
        assert site.request("/metrics")[0].status == 500
        assert site.request("/healthz")[0].status == 200
    finally:
        site.server.close()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["request failed"]


def is_healthy_within(site, seconds):
    """A peer sees its end a moment before its thread gives the slot back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return site.request("/healthz")[0].status == 200
        except http.client.RemoteDisconnected:
            continue
    return False


def test_silent_peers_hold_no_more_threads_than_there_are_slots_and_not_for_long(monkeypatch):
    monkeypatch.setattr(web, "MAX_REQUESTS", 2)
    monkeypatch.setattr(web, "REQUEST_S", 0.2)
    site = Site()
    peers = [socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(5)]
    try:
        for peer in peers:
            peer.settimeout(10)
            assert peer.recv(1) == b""  # refused at once, or cut at the deadline
        assert is_healthy_within(site, 10)
    finally:
        for peer in peers:
            peer.close()
        site.server.close()


def test_a_deadline_of_a_closed_connection_does_not_stop_the_server(site):
    gone = socket.socket()
    gone.close()
    site.server._server._deadlines[gone] = 0.0
    site.server._server.service_actions()
    assert site.request("/healthz")[0].status == 200
