"""`check` as text and as JSON, beside an exporter, beside something else, and without rights."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from llmslo_exporter import neighbour
from llmslo_exporter.catalog import BUILD_INFO, EVENTS_LOST
from llmslo_exporter.written import written
from tests.exporter.test_scraped import Exporter, served

COMMAND = [sys.executable, "-m", "llmslo_exporter", "check", "--no-load"]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def ran(*arguments, before=()):
    found = subprocess.run(
        [*before, *COMMAND, "--web.listen-address=127.0.0.1:1", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert found.stderr == ""
    return found


def test_text_names_each_condition_and_ends_with_a_verdict():
    found = ran()
    assert found.returncode in {0, 1}
    assert ("\nThe exporter can run here.\n" in found.stdout) is (found.returncode == 0)
    for name in ("kernel", "btf", "lockdown", "tracefs", "cgroups", "loader libbpf", "loader bcc", "address"):
        assert any(line[8:].startswith(name) for line in found.stdout.splitlines()), name


def test_json_says_the_same():
    found = ran("--json")
    report = json.loads(found.stdout)
    assert report["can_run"] is (found.returncode == 0)
    assert {"name", "level", "found", "todo"} == set(report["conditions"][0])
    assert all(one["todo"] for one in report["conditions"] if one["level"] != "ok")
    assert report["running"] is None
    assert report["processes"] > 0


@as_root
def test_without_root_it_says_what_it_cannot_see_and_exits_1():
    found = ran("--json", before=NOBODY)
    assert found.returncode == 1
    report = json.loads(found.stdout)
    levels = {one["name"]: one["level"] for one in report["conditions"]}
    assert (levels["user"], levels["kernel"], levels["loader libbpf"]) == ("fail", "ok", "unknown")
    assert report["closed"] > 0


def test_a_settings_file_with_a_mistake_is_told_and_1(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("nothing: 1")
    found = subprocess.run([*COMMAND, f"--config.file={path}"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert f"{path}:1: nothing: found an unknown key" in found.stderr


def looked(url):
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    return neighbour.look(host, int(port))


def test_an_exporter_that_runs_tells_what_it_lost():
    exporter = Exporter()
    exporter.body = (
        f'{BUILD_INFO.name}{{version="9",loader="bcc"}} 1\n'
        f'{EVENTS_LOST.name}{{reason="ring_full"}} 3\n{EVENTS_LOST.name}{{reason="decode"}} 0\nother_total 5\n'
    ).encode()
    with served(exporter) as url:
        found = looked(url)
    assert found.is_exporter
    assert found.what == 'version="9",loader="bcc"'
    assert found.losses == ((f'{EVENTS_LOST.name}{{reason="ring_full"}}', 3.0),)


def test_an_exporter_of_ours_is_known():
    with served(Exporter()) as url:
        assert looked(url).is_exporter


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff" * 100, b"a" * (neighbour.MAX_BYTES + 100)])
def test_something_else_at_the_address_is_named(body):
    exporter = Exporter()
    exporter.body = body
    with served(exporter) as url:
        found = looked(url)
    assert not found.is_exporter
    assert found.losses == ()


def test_nobody_at_the_address():
    assert neighbour.look("127.0.0.1", 1) is None
    assert not neighbour.look("no-such-host.invalid", 1).is_exporter


def test_text_is_written_whatever_the_terminals_encoding():
    out = io.TextIOWrapper(io.BytesIO(), "ascii")

    assert written(out, "naïve 店\n")
    assert out.buffer.getvalue() == b"na?ve ?\n"
