"""The SQL on the engine of ClickHouse, through its protocol, against the reader of spans."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from llmslo_rulegen.baseline import clickhouse, clickhouse_server, clickhouse_sql, gathering, saved
from llmslo_rulegen.baseline.clickhouse_sql import Table
from llmslo_rulegen.baseline.gathering import OTHERS
from llmslo_rulegen.baseline.period import ALWAYS, Period
from llmslo_rulegen.baseline.sketch import buckets, edges
from llmslo_rulegen.baseline.survey import survey
from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.traces.call import Skipped
from tests.baseline import mixed, recorded

DDL = Path(__file__).with_name("otel_traces.sql").read_text()
SECRET = "secret"
MAP = "SpanAttributes Map(LowCardinality(String),"
SPANS = 100_000


class Engine:
    def __init__(self, port, *, is_secure=False):
        self.port = port
        self.url = f"http{'s' if is_secure else ''}://reader@localhost:{port}/otel"

    def ask(self, query, rows=()):
        body = query.encode() + b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        with urllib.request.urlopen(f"http://localhost:{self.port}/", body, timeout=300) as answer:
            return answer.read().decode()

    def create(self, name, ddl=DDL):
        self.ask("CREATE DATABASE IF NOT EXISTS otel")
        self.ask(ddl.replace("otel.otel_traces", f"otel.{name}"))

    def insert(self, name, spans):
        rows = [mixed.as_row(span) for span in spans]
        for at in range(0, len(rows), 20_000):
            self.ask(f"INSERT INTO otel.{name} FORMAT JSONEachRow ", rows[at : at + 20_000])

    def survey(self, name, period=ALWAYS):
        return clickhouse.survey(clickhouse_server.server(self.url, name), period, lambda *_: None)


@contextmanager
def running(*certificate):
    command = [sys.executable, "-m", "tests.baseline.engine", *map(str, certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Engine(int(process.stdout.readline()), is_secure=bool(certificate))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def engine():
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv(clickhouse_server.PASSWORD, SECRET)


def written(path, spans):
    path.write_text("\n".join(json.dumps(request) for request in mixed.as_requests(spans)))
    return path


def span(**changes):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
    begin_ns = mixed.BEGIN_NS
    found = mixed.Mixed("shop", "chat", "", begin_ns, begin_ns + mixed.NS, "1" * 32, "1" * 16, "", attributes)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


@pytest.mark.timeout(600)
def test_sql_and_reader_give_the_same_baseline(engine, tmp_path, monkeypatch):
    """100,000 spans of all styles, whole and broken: the same bytes when saved, the same reasons for the skipped."""
    monkeypatch.setattr(gathering, "MAX_KINDS", 1 << 20)  # which kinds are left over depends on the order of reading
    spans = list(mixed.spans(SPANS, 7))
    engine.create("mixed")
    engine.insert("mixed", spans)
    theirs = engine.survey("mixed")
    ours = survey([written(tmp_path / "spans.jsonl", spans)], 0, lambda *_: None)
    assert theirs.skipped == ours.skipped
    assert list(saved.lines(theirs.baseline)) == list(saved.lines(ours.baseline))
    assert ours.spans == SPANS
    assert ours.baseline.count > SPANS / 2
    assert set(ours.skipped) == {Skipped.NOT_LLM, Skipped.NO_TIME, Skipped.NO_END, Skipped.ENCLOSING}


def test_recorded_spans_give_the_same_baseline(engine):
    """Spans of real instrumentations, in the table as the collector writes them."""
    engine.create("recorded")
    for file in recorded.FILES:
        engine.insert("recorded", recorded.spans(file))
    theirs = engine.survey("recorded")
    ours = survey(recorded.FILES, 0, lambda *_: None)
    assert ours.baseline.count > 500
    assert theirs.skipped == ours.skipped
    assert list(saved.lines(theirs.baseline)) == list(saved.lines(ours.baseline))


def test_bucket_edges_are_the_same_numbers(engine):
    """At, just below and just above every edge the SQL finds the bucket that numpy finds."""
    values = [0.0, 1e-300, 1e300, math.inf]
    for edge in edges():
        values += [float(edge), float(np.nextafter(edge, 0)), float(np.nextafter(edge, math.inf))]
    texts = ", ".join("inf" if value == math.inf else repr(value) for value in values)
    bucket = clickhouse_sql._bucket("v")
    query = f"SELECT {bucket} FROM (SELECT arrayJoin([{texts}]) AS v)"  # noqa: S608 -- our own
    found = engine.ask(query)
    assert [int(line) for line in found.split()] == buckets(values).tolist()


def bound(query):
    """The query with its parameters, as a server that is asked without them takes it."""
    return query.replace("{begin:Int64}", str(mixed.BEGIN_NS)).replace("{end:Int64}", str(mixed.BEGIN_NS + mixed.NS))


def test_what_a_distributed_table_sends_is_no_longer_than_servers_read(engine):
    """What ClickHouse makes of the query goes to every server, each of which reads `max_query_size` at most."""
    engine.create("sent")
    query = bound(clickhouse_sql.statement(Table("otel", "sent"), has_scope=True))
    sent = engine.ask(f"EXPLAIN SYNTAX run_query_tree_passes = 1 {query}")
    assert "sumMap" in sent
    assert len(sent) < int(engine.ask("SELECT value FROM system.settings WHERE name = 'max_query_size'")) / 2


def test_a_period_reads_its_days_alone(engine):
    engine.create("days")
    days = [mixed.BEGIN_NS + day * 86400 * mixed.NS for day in range(-2, 3)]
    engine.insert("days", [span(start_ns=day, end_ns=day + 5) for day in days])
    query = bound(clickhouse_sql.statement(Table("otel", "days"), has_scope=True))
    found = engine.ask(f"EXPLAIN indexes = 1 {query}")
    read = [line.split("Parts: ")[1] for line in found.splitlines() if "Parts: " in line]
    assert read.count("1/5") == 2  # of the spans, and of those that enclose others


def test_servers_of_a_cluster_sum_up_and_one_adds_up(engine):
    engine.create("parted")
    engine.insert("parted", list(mixed.spans(500, 3)))
    query = clickhouse_sql.statement(Table("otel", "parted"), has_scope=True)
    query = query.replace("{begin:Int64}", "0").replace("{end:Int64}", str(1 << 62))
    spread = query.replace("`otel`.`parted`", "remote('localhost', otel, parted)")
    assert engine.ask(spread) == engine.ask(query) != ""


def test_a_table_of_an_older_exporter_keeps_the_scope_as_an_attribute(engine):
    engine.create("older", DDL.replace("    ScopeName String,\n", "").replace("Duration UInt64", "Duration Int64"))
    row = mixed.as_row(span(attributes={**span().attributes, "otel.scope.name": "LiteLLM"}))
    del row["ScopeName"]
    row["StatusCode"] = "STATUS_CODE_ERROR"
    engine.ask("INSERT INTO otel.older FORMAT JSONEachRow ", [row])
    ((kind, _),) = (found := engine.survey("older").baseline).cells
    assert kind.source == "litellm"
    assert found.count == 1
    assert next(iter(found.cells.values())).outcome("other") == 1


def test_a_table_does_not_keep_the_schema_that_tells_generation_c(engine, tmp_path):
    found = span(schema="https://opentelemetry.io/schemas/gen-ai/1.42.0")
    engine.create("schemas")
    engine.insert("schemas", [found])
    ours = survey([written(tmp_path / "spans.jsonl", [found])], 0, lambda *_: None)
    assert [kind.source for kind, _ in ours.baseline.cells] == ["otel-genai-c"]
    assert [kind.source for kind, _ in engine.survey("schemas").baseline.cells] == ["otel-genai-b"]


def test_a_period_is_half_open(engine):
    engine.create("period")
    begins = [mixed.BEGIN_NS + offset for offset in (-1, 0, 1, mixed.NS - 1, mixed.NS, mixed.NS + 1)]
    engine.insert("period", [span(start_ns=begin, end_ns=begin + 5) for begin in begins])
    assert engine.survey("period").spans == 6
    assert engine.survey("period", Period(mixed.BEGIN_NS, mixed.BEGIN_NS + mixed.NS)).spans == 3
    assert engine.survey("period", Period(mixed.BEGIN_NS, None)).spans == 5
    assert engine.survey("period", Period(None, mixed.BEGIN_NS)).spans == 1


def test_beyond_the_bound_the_rarest_kinds_are_others(engine, monkeypatch):
    monkeypatch.setattr(gathering, "MAX_KINDS", 2)
    spans = []
    for number in range(5):
        named = {**span().attributes, "gen_ai.request.model": f"m{number}"}
        spans += [span(attributes=named, start_ns=mixed.BEGIN_NS + at * 3600 * mixed.NS) for at in range(number + 1)]
    for each in spans:
        each.end_ns = each.start_ns + mixed.NS
    engine.create("many")
    engine.insert("many", spans)
    found = engine.survey("many").baseline
    by_model = {kind.model: sum(cell.count for cell in cells.values()) for kind, cells in found.kinds()}
    assert by_model == {"m4": 5, "m3": 4, OTHERS: 6}


def test_too_many_rows_are_an_error(engine, monkeypatch):
    monkeypatch.setattr(clickhouse, "MAX_ROWS", 1)
    engine.create("rows")
    engine.insert("rows", [span(), span(service="other")])
    with pytest.raises(ServerError, match="rows"):
        engine.survey("rows")


@pytest.mark.parametrize(
    ("ddl", "said"),
    [
        ("CREATE TABLE otel.bad (Timestamp DateTime64(9)) ENGINE = Memory", "lacks TraceId, SpanId"),
        (DDL.replace(".otel_traces", ".bad").replace(MAP, "SpanAttributes Tuple(String,"), "SpanAttributes as Tuple"),
    ],
)
def test_a_table_of_another_shape_is_refused(engine, ddl, said):
    engine.ask("CREATE DATABASE IF NOT EXISTS otel")
    engine.ask("DROP TABLE IF EXISTS otel.bad")
    engine.ask(ddl)
    with pytest.raises(ServerError, match=said):
        engine.survey("bad")


def test_a_table_that_is_not_there_is_named(engine):
    with pytest.raises(ServerError, match=r"no table `otel`\.`nothing`"):
        engine.survey("nothing")


def test_a_wrong_password_is_said_and_not_shown(engine, monkeypatch):
    monkeypatch.setenv(clickhouse_server.PASSWORD, "wr0ng-and-private")
    with pytest.raises(ServerError, match="Authentication failed") as caught:
        engine.survey("mixed")
    assert "wr0ng" not in f"{caught.value}{caught.value.__cause__!r}"


def test_a_password_of_a_file_is_its_first_line(engine, tmp_path, monkeypatch):
    monkeypatch.delenv(clickhouse_server.PASSWORD)
    (tmp_path / "password").write_text(f"{SECRET}\nmore")
    found = clickhouse_server.server(engine.url, "period", tmp_path / "password")
    assert found.password == SECRET
    assert SECRET not in repr(found)
    with pytest.raises(ServerError, match="first line"):
        clickhouse_server.server(engine.url, "period", tmp_path / "missing")


@pytest.mark.parametrize(
    "url", ["clickhouse:8123", "tcp://clickhouse:9000/otel", "http://", "http://[", "http://host:port/otel", ""]
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ServerError, match="no URL of a ClickHouse"):
        clickhouse_server.server(url)


def test_a_password_in_an_argument_is_refused_and_not_shown():
    with pytest.raises(ServerError, match="holds a password") as caught:
        clickhouse_server.server("http://reader:hunter2@host/otel")
    assert "hunter2" not in str(caught.value)


def test_a_user_who_may_only_read_is_enough():
    """Such a user sets nothing, no limit either: the server would refuse the question."""
    with running() as engine:
        engine.create("mine")
        engine.insert("mine", [span()])
        engine.ask("SET readonly = 1")
        assert engine.survey("mine").baseline.count == 1


@pytest.mark.parametrize("name", ["a b", "`", "otel_traces`; DROP TABLE x", "", "1a", "\u00e9", "a" * 200])
def test_names_that_are_no_identifiers_never_reach_sql(name):
    with pytest.raises(ServerError, match="no name"):
        clickhouse_server.server("http://host/otel", name)


def test_nobody_there_is_one_line():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://reader@127.0.0.1:{held.getsockname()[1]}/otel"
        with pytest.raises(ServerError, match="does not answer, Connection refused: look at") as caught:
            clickhouse.survey(clickhouse_server.server(url), ALWAYS, lambda *_: None)
    assert "\n" not in str(caught.value)


def test_a_file_of_certificates_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ServerError, match="there is no such file"):
        clickhouse_server.server("https://host/otel", ca_file=tmp_path / "missing")


def test_https_is_checked(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with running(certificate, key) as engine:
        with pytest.raises(ServerError, match=r"(?i)certificate"):
            engine.survey("mixed")
        trusting = clickhouse_server.server(engine.url, "mixed", ca_file=certificate)
        with pytest.raises(ServerError, match="Database otel does not exist"):
            clickhouse.survey(trusting, ALWAYS, lambda *_: None)
