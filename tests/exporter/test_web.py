from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import sys
import time
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from llmslo_exporter import visit, web
from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import SetupError
from llmslo_exporter.exposition import Exposition, Families, Sources
from llmslo_exporter.identity import Workload
from llmslo_exporter.options import parse_address
from llmslo_exporter.pages import Pages
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from llmslo_exporter.web import WebServer
from tests.e2e.daemon import ROOT
from tests.e2e.hostile_clients import KINDS
from tests.e2e.scraping import scrape
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
    assert site.request("/metrics", method="POST")[0].status == 405


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
    assert site.server._listener.getsockname()[0] == "127.0.0.1"


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


def raw(site, data, *, until=None):
    """What a peer gets that sends these bytes and then only reads."""
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=20) as peer:
        peer.sendall(data)
        if until is None:
            peer.shutdown(socket.SHUT_WR)
        got = b""
        while more := peer.recv(65_536):
            got += more
        return got


HOST = b"Host: a\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET http://host/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET /healthz HTTP/1.1\n" + b"Host: a\n\n", 200),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),  # HTTP/1.1 asks for a Host
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS to a plaintext port
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
        (b"POST /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", 405),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X" * 100_000 + b": y\r\n\r\n", 431),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"GET /%ff%00%zz HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /metrics?name[]=%ff&name[]&&=&name%5B%5D=llm_requests HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ],
)
def test_whatever_is_asked_gets_one_answer(site, data, status):
    answer = raw(site, data, until="end")
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head


def test_the_first_of_many_requests_in_one_write_is_answered_and_nothing_else(site):
    answer = raw(site, (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n") * 50, until="end")
    assert answer.count(b"HTTP/1.1 200") == 1


@given(
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + tail)
)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_an_answer_or_a_closed_connection(site, data):
    try:
        answer = raw(site, data)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")


def test_names_keep_only_their_families(site):
    site.recorder.record(STREAM, CHAT)
    body = site.request("/metrics?name[]=llm_requests_total&name[]=process_open_fds&name[]=nonsense")[1].decode()
    assert {family.name for family in text_string_to_metric_families(body)} == {"llm_requests", "process_open_fds"}
    assert site.request("/metrics?name[]=llm_time_to_first_token_seconds_bucket")[1].count(b"# TYPE") == 1


def test_one_who_reads_only_a_little_delays_nobody(site):
    for number in range(60):
        site.recorder.record(STREAM, Workload("shop", f"w{number}"))
    slow = [socket.socket() for _ in range(20)]
    try:
        for peer in slow:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            peer.connect(("127.0.0.1", site.server.port))
            peer.sendall(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
        assert site.request("/metrics")[0].status == 200
    finally:
        for peer in slow:
            peer.close()


def until_closed(peer):
    peer.settimeout(20)
    while peer.recv(65_536):
        pass
    return True


def test_silent_and_slow_peers_are_let_go_at_their_time(monkeypatch):
    monkeypatch.setattr(visit, "LIMITS_S", dict.fromkeys(visit.Phase, 0.2))
    site = Site()
    try:
        with (
            socket.create_connection(("127.0.0.1", site.server.port)) as silent,
            socket.create_connection(("127.0.0.1", site.server.port)) as slow,
        ):
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost")
            assert until_closed(silent)
            assert until_closed(slow)
        assert site.request("/healthz")[0].status == 200
    finally:
        site.server.close()


def test_in_a_full_house_the_silent_make_room(monkeypatch):
    monkeypatch.setattr(web, "MAX_VISITS", 4)
    site = Site()
    peers = [socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(12)]
    try:
        assert site.request("/metrics")[0].status == 200
        assert until_closed(peers[0])
        assert len(site.server._visits) <= 4
    finally:
        for peer in peers:
            peer.close()
        site.server.close()


def test_one_who_has_just_come_is_not_turned_away_for_the_next(monkeypatch):
    monkeypatch.setattr(web, "MAX_VISITS", 2)
    monkeypatch.setattr(web, "SILENT_S", 1.0)
    site = Site()
    try:
        first, *others = (socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(4))
        until_s = time.monotonic() + 10
        while len(site.server._visits) < 2 and time.monotonic() < until_s:
            time.sleep(0.01)
        first.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        assert first.recv(12) == b"HTTP/1.1 200"
        for peer in (first, *others):
            peer.close()
    finally:
        site.server.close()


def test_one_who_waits_too_long_for_a_page_is_told(monkeypatch):
    monkeypatch.setitem(visit.LIMITS_S, visit.Phase.WAITING, 0.3)
    free = Event()
    site = Site(before_scrape=lambda: free.wait(30))
    try:
        assert site.request("/metrics")[0].status == 503
        assert site.request("/metrics")[0].status == 503
        assert site.request("/healthz")[0].status == 200
        assert site.server._scrapes._waiting == {}
        free.set()
        monkeypatch.setitem(visit.LIMITS_S, visit.Phase.WAITING, 30.0)
        assert site.request("/metrics")[0].status == 200
    finally:
        free.set()
        site.server.close()


def held_bytes(site):
    bodies = {id(body): len(body) for body in [visit.body for visit in list(site.server._visits.values())]}
    return sum(bodies.values())


def test_pages_that_nobody_takes_do_not_fill_memory(monkeypatch):
    monkeypatch.setattr(web, "MAX_HELD_BYTES", 3_000_000)
    site = Site()
    for number in range(60):
        site.recorder.record(STREAM, Workload("shop", f"w{number}"))
    peers = []
    try:
        for _ in range(8):  # each its own page: one after the other
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            peer.connect(("127.0.0.1", site.server.port))
            peer.sendall(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
            assert peer.recv(1) == b"H"
            peers.append(peer)
        until_s = time.monotonic() + 10  # the last one's first byte may be out before room is made
        while held_bytes(site) > 3_000_000 and time.monotonic() < until_s:
            time.sleep(0.01)
        assert held_bytes(site) <= 3_000_000
        assert site.request("/metrics")[0].status == 200
    finally:
        for peer in peers:
            peer.close()
        site.server.close()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_proper_scrape_is_answered_among(site, kind):
    """`python -m tests.e2e.hostile` does the same for longer, with a thousand of each, against the whole exporter."""
    command = [sys.executable, "-m", "tests.e2e.hostile_clients", str(site.server.port), kind, "200"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hostile:
        for _ in range(5):
            scrape(site.server.port)
        counts = json.loads(hostile.communicate(timeout=30)[0])
    assert counts["at once"] == 200
