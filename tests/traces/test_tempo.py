"""A Tempo: a real HTTP server with its API, and what goes wrong with it."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest

from llmslo_rulegen.cli import main
from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.traces import reading, tempo, web
from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.traces.tempo import Search
from llmslo_rulegen.traces.web import Web
from tests.traces import written
from tests.traces.test_formats import STREAM, quiet
from tests.traces.written import BEGIN_NS, Told

BEGIN_S = BEGIN_NS // 10**9
HOUR_S = 3600


def trace(number, start_s):
    start = start_s * 10**9
    return [
        Told("chat", "chat", start, start + 10**9, STREAM, trace=f"{number + 1:032x}", span="00000000000000d1"),
        Told(
            "chat", "db", start, start + 10**6, {"db.system": "x"}, trace=f"{number + 1:032x}", span="00000000000000d2"
        ),
    ]


class Served:
    """What the server holds, how it answers, and what it was asked."""

    def __init__(self, traces, *, has_v2=True, kind="application/json", header=None):
        self.traces = {f"{number + 1:x}": (start_s, trace(number, start_s)) for number, start_s in enumerate(traces)}
        self.has_v2, self.kind, self.header = has_v2, kind, header
        self.asked = Counter()
        self.at_once = self.most_at_once = 0
        self.refuse = []  # statuses of the next answers
        self.lock = threading.Lock()

    def answer(self, path, headers):
        parts = urlsplit(path)
        page = "search" if parts.path.endswith("/search") else parts.path.rpartition("/")[0]
        with self.lock:
            self.asked[page] += 1
            status = self.refuse.pop(0) if self.refuse else 200
        if self.header and headers.get(self.header[0]) != self.header[1]:
            return 401, "text/plain", b"no credentials"
        if status != 200:
            return status, "text/plain", b"too busy"
        return self.page(page, parts)

    def page(self, page, parts):
        if page == "search":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            begin, end, limit = (int(asked[name]) for name in ("start", "end", "limit"))
            assert "gen_ai" in asked["q"]
            found = [{"traceID": name} for name, (at, _) in self.traces.items() if begin <= at < end]
            return 200, "application/json", json.dumps({"traces": found[:limit], "metrics": {}}).encode()
        if page.endswith("/api/v2/traces") and not self.has_v2:
            return 404, "text/plain", b"404 page not found"
        if (name := parts.path.rpartition("/")[2]) not in self.traces:
            return 404, "text/plain", b"trace not found"
        spans = self.traces[name][1]
        if self.kind == "application/json":
            return 200, self.kind, (written.tempo_2 if "/v2/" in parts.path else written.tempo_1)(spans)
        data = written.message(spans)
        size = len(data)
        wrapped = b"\n" + bytes((size & 127 | 128, size >> 7)) + data + b"\x12\x00\x18\x01"
        return 200, self.kind, wrapped if "/v2/" in parts.path else data


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        served = self.server.served
        with served.lock:
            served.at_once += 1
            served.most_at_once = max(served.most_at_once, served.at_once)
        status, kind, body = served.answer(self.path, self.headers)
        with served.lock:
            served.at_once -= 1
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(served):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.served = True, served
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def calls(url, search, headers=None):
    found = tempo.pieces(Web(url, headers or {}), search, quiet)
    return [call for piece in found for call in reading.of_piece(piece)]


DAY = Search(BEGIN_S, BEGIN_S + 24 * HOUR_S)


@pytest.mark.parametrize("has_v2", [True, False])
@pytest.mark.parametrize("kind", ["application/json", "application/protobuf"])
def test_every_trace_of_the_time_is_read_once(serve, has_v2, kind):
    served = Served([BEGIN_S + hour * HOUR_S for hour in range(-2, 26)], has_v2=has_v2, kind=kind)
    url = serve(served)
    llm = [call for call in calls(f"{url}/tempo/", DAY) if isinstance(call, Call)]
    assert sorted(call.start_ns for call in llm) == [(BEGIN_S + hour * HOUR_S) * 10**9 for hour in range(24)]
    assert {(call.service, call.model, call.ttft_s) for call in llm} == {("chat", "gpt-4o", 0.25)}
    assert served.most_at_once <= tempo.AT_ONCE + 1  # one search goes on


def test_a_search_that_is_full_is_divided(serve, monkeypatch):
    monkeypatch.setattr(tempo, "MOST_TRACES", 10)
    served = Served([BEGIN_S + second for second in range(95)])
    found = calls(serve(served), DAY)
    assert len(found) == 2 * 95
    assert served.asked["search"] > 20


def test_an_overloaded_server_is_asked_again(serve):
    served = Served([BEGIN_S])
    served.refuse = [429, 503]
    assert len(calls(serve(served), DAY)) == 2


def test_a_server_that_stays_overloaded_is_told(serve, monkeypatch):
    monkeypatch.setattr(web, "_PAUSE_S", 0.01)
    served = Served([BEGIN_S])
    served.refuse = [500] * 50
    with pytest.raises(ServerError, match="answers 500, too busy"):
        calls(serve(served), DAY)


def test_credentials_come_from_a_file_or_the_environment(serve, tmp_path, monkeypatch):
    url = serve(Served([BEGIN_S], header=("Authorization", "Bearer secret")))
    with pytest.raises(ServerError, match=r"answers 401, no credentials: give credentials by --headers or"):
        calls(url, DAY)
    path = tmp_path / "headers"
    path.write_text("# of the gateway\nAuthorization: Bearer secret\nX-Scope-OrgID: a\n")
    assert len(calls(url, DAY, web.headers(path))) == 2
    monkeypatch.setenv(web.HEADERS_VARIABLE, "Authorization: Bearer secret")
    assert len(calls(url, DAY, web.headers(None))) == 2


@pytest.mark.parametrize("text", ["secret", "Author ization: secret", "A: b\x00secret", ": secret"])
def test_a_header_that_is_none_is_told_without_its_value(tmp_path, text):
    path = tmp_path / "headers"
    path.write_text(text)
    with pytest.raises(ServerError) as caught:
        web.headers(path)
    assert "line 1 is no header" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_user_in_the_url_is_sent_and_not_told(serve):
    url = serve(Served([BEGIN_S], header=("Authorization", "Basic YTpiL2M=")))
    assert len(calls(url.replace("//", "//a:b%2Fc@"), DAY)) == 2
    with pytest.raises(ServerError) as caught:
        calls(url.replace("//", "//a:wrong@"), DAY)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://a:secret@b", "tempo:3200", "http://", "http://a:secret@b:port"])
def test_a_url_that_is_none(url):
    with pytest.raises(ServerError, match="is no URL of a server: write one such as") as caught:
        Web(url, {})
    assert "secret" not in str(caught.value)


def test_nobody_listens():
    with pytest.raises(ServerError, match=r"http://127.0.0.1:1 does not answer, .*Connection refused"):
        calls("http://127.0.0.1:1", DAY)


def test_a_trace_that_is_gone_meanwhile_is_left_out(serve):
    served = Served([BEGIN_S, BEGIN_S + 1])
    url = serve(served)
    served.traces["2"] = (BEGIN_S, [])
    found = tempo._trace(Web(url, {}), "77", tempo._HasV2())
    assert found is None


def test_what_is_no_tempo_is_told(serve):
    class Other(Served):
        def answer(self, *_):
            return 200, "text/html", b"<html>welcome"

    with pytest.raises(ServerError, match="answers a search as no Tempo does"):
        calls(serve(Other([])), DAY)

    class Nothing(Served):
        def answer(self, *_):
            return 404, "text/plain", b"404 page not found"

    with pytest.raises(ServerError, match="is it the URL of a Tempo, with the path before /api"):
        calls(serve(Nothing([])), DAY)


def test_a_redirect_is_not_followed(serve):
    class Elsewhere(Served):
        def answer(self, *_):
            return 302, "text/plain", b""

    with pytest.raises(ServerError, match="answers 302"):
        calls(serve(Elsewhere([])), DAY)


def test_the_command_reads_a_tempo(serve, tmp_path, capsys):
    now_s = int(time.time())
    url = serve(Served([now_s - 60, now_s - 3 * 24 * HOUR_S]))
    out = StringIO()
    assert main(["baseline", "show", "--tempo", url, "--json"], out) == 0
    assert json.loads(out.getvalue())["calls"] == 1
    assert main(["baseline", "save", "--tempo", url, "--from", "4d", "--out", str(tmp_path / "b")], out) == 0
    assert "2 calls of 1 kind" in out.getvalue()
    assert "skipped 2 spans: not an LLM call" in capsys.readouterr().err
