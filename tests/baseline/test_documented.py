"""The commands of docs/baselines.md, against servers as they name them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import clickhouse_server, saved_file
from tests.baseline import mixed
from tests.baseline.test_clickhouse import SECRET, running, span
from tests.baseline.test_exposition import LABELS, answering
from tests.rules.backend import Series, lacks, storage

PAGE = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text()
COMMANDS = re.findall(r"^    (llmslo-rulegen .*)$", PAGE, flags=re.MULTILINE)


def test_the_page_has_a_command_for_each_way():
    assert [re.search(r"--(clickhouse|prometheus|metrics)", command)[1] for command in COMMANDS] == [
        *("clickhouse", "prometheus", "metrics", "metrics")
    ]


def saved(command, folder, **environment):
    """Run a command as it stands in the page; return the baseline that it saved."""
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "llmslo_rulegen", *words[1:]],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert done.returncode == 0, done.stderr
    return saved_file.read(folder / "baseline.jsonl")


def test_clickhouse(tmp_path):
    now_ns = time.time_ns()
    with running() as engine:
        engine.create("otel_traces")
        ago_ns = now_ns - 86400 * mixed.NS
        engine.insert("otel_traces", [span(start_ns=ago_ns, end_ns=ago_ns + mixed.NS), span()])
        command = COMMANDS[0].replace("https://reader@clickhouse:8443/otel", engine.url)
        assert command != COMMANDS[0]
        found = saved(command, tmp_path, **{clickhouse_server.PASSWORD: SECRET})
    assert found.count == 1  # the other is older than 30 days


def test_prometheus(tmp_path):
    if reason := lacks():
        pytest.skip(reason)
    end_s = int(time.time()) // 3600 * 3600
    samples = [(float(end_s - 7200 + at), float(at // 60)) for at in range(0, 7200, 60)]
    with storage() as stored:
        stored.fill([Series("http_requests_total", {"job": "engine", "status": "2xx"}, samples)])
        with stored.served() as server:
            found = saved(COMMANDS[1].replace("http://prometheus:9090", server.url), tmp_path)
    assert {kind.source for kind, _ in found.cells} == {"vllm"}
    assert 115 <= found.count <= 120


def test_pages(tmp_path):
    registry = CollectorRegistry()
    requests = Counter(catalog.REQUESTS.name, "x", [*LABELS, "outcome", "retry"], registry=registry)
    ok = requests.labels(**LABELS, outcome="ok", retry="false")
    ok.inc(3)
    (tmp_path / "before.txt").write_bytes(generate_latest(registry))
    ok.inc(4)
    (tmp_path / "after.txt").write_bytes(generate_latest(registry))
    assert saved(COMMANDS[3], tmp_path).count == 4
    with answering(generate_latest(registry)) as url:
        assert saved(COMMANDS[2].replace("http://node:9469", url), tmp_path).count == 7
