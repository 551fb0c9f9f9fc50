from __future__ import annotations

import io
import json
import logging
import shlex
import subprocess
import sys

import pytest

from llmslo_exporter import cli, logs
from llmslo_exporter.arguments import parse, parse_interval, parse_seconds, parse_url
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import SetupError
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.options import (
    Address,
    Options,
    parse_address,
    parse_cap,
    parse_duration,
    parse_rule,
)


@pytest.fixture(autouse=True)
def _root_logger():
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.level = level
    root.handlers[:] = handlers


NOTHING = {name: lambda _options, _asked: 0 for name in ("", "once", "check", "top", "schema")}


def settings(*argv):
    """The options of a command line without a file."""
    return parse(argv).source.read()


def test_defaults():
    assert settings() == Options()
    assert Options() == Options(
        Address("127.0.0.1", 9469),
        "auto",
        "info",
        "text",
        bpf_stats=False,
        provider_map={},
        limits=Limits(),
        tls_exclude=Exclusions(),
        tls_busy_rate=1000,
        families=frozenset(),
    )


def test_every_option():
    options = settings(
        *(
            "--web.listen-address=[::1]:9000",
            *("--loader", "bcc", "--log.level", "debug", "--log.format=json", "--bpf.stats"),
            *("--provider-map", "llm.corp:8443=vllm", "--provider-map", "GW.corp=azure.ai.openai"),
            *("--limit.models=5", "--limit.providers=6", "--limit.workloads=7", "--limit.series=800"),
            "--limit.idle=90m",
            "--tls.busy-rate=0",
            *("--tls.exclude", "nginx", "--tls.exclude=cgroup:/a/*"),
        )
    )
    assert options == Options(
        Address("::1", 9000),
        "bcc",
        "debug",
        "json",
        bpf_stats=True,
        provider_map={"llm.corp:8443": "vllm", "gw.corp": "azure.ai.openai"},
        limits=Limits(5, 6, 7, 800, 5400.0),
        tls_exclude=Exclusions(("nginx", "cgroup:/a/*")),
        tls_busy_rate=0,
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9469", Address("", 9469)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::]:65535", Address("::", 65535)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_an_address_reads_and_prints_the_same(text, address):
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "9469", "localhost", "::1:9469", "h:65536", "h:-1", "h:", "h:1a", "h:\u0663"])
def test_bad_addresses(text):
    with pytest.raises(ValueError, match=r"want|needs"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("A=b", ("a", "b")),
        ("a:1=b", ("a:1", "b")),
        ("[::1]=b", ("[::1]", "b")),
        ("[::1]:8000=b", ("[::1]:8000", "b")),
        ("10.0.0.1:8000=vllm", ("10.0.0.1:8000", "vllm")),
    ],
)
def test_rules(text, rule):
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "=b", "a:x=b", "http://a=b", "a/v1=b", "a=\n", "a\x1b=b", "a=" + "b" * 64]
)
def test_bad_rules(text):
    with pytest.raises(ValueError, match="want"):
        parse_rule(text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "24", "0h", "-1h", "1.5h", "24 h"])
def test_bad_durations(text):
    with pytest.raises(ValueError, match="want"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "many"])
def test_bad_caps(text):
    with pytest.raises(ValueError, match="want"):
        parse_cap(text)


def test_wrong_usage_is_2_and_names_the_reason(capsys):
    assert cli.main(["--web.listen-address=nowhere"], NOTHING) == 2
    assert "'nowhere' has no port" in capsys.readouterr().err
    assert cli.main(["--log.leve=debug"], NOTHING) == 2


def test_version_and_help_are_0(capsys):
    assert cli.main(["--version"], NOTHING) == 0
    assert capsys.readouterr().out.startswith("llmslo-exporter ")
    assert cli.main(["--help"], NOTHING) == 0
    text = capsys.readouterr().out
    assert "(default: 127.0.0.1:9469)" in text
    assert "(default: 24h)" in text


def test_a_flag_stands_before_or_after_its_command():
    for argv in (["--loader", "bcc", "check", "--json"], ["check", "--json", "--loader=bcc"]):
        asked = parse(argv)
        assert (asked.command, asked.is_json, asked.source.read().loader) == ("check", True, "bcc")


def test_commands_log_only_what_is_wrong_unless_asked():
    assert settings("--once").log_level == "warn"
    assert settings("top").log_level == "warn"
    assert settings("top", "--log.level=debug").log_level == "debug"


@pytest.mark.parametrize(("argv", "seconds"), [(["--once"], 10), (["--once", "3"], 3), (["--once=2m"], 120)])
def test_once_has_a_time(argv, seconds):
    asked = parse(argv)
    assert (asked.command, asked.once_s) == ("once", seconds)


@pytest.mark.parametrize(
    "argv",
    [
        *(["--once=-1"], ["--once", "nan"], ["--once=inf"], ["--once", "check"], ["--once", "1", "top"], ["chek"]),
        *(["top", "--interval=0"], ["top", "--count=0"], ["top", "--url=ftp://x"], ["top", "--url", "localhost"]),
    ],
)
def test_wrong_commands_are_2(argv, capsys):
    assert cli.main(argv, NOTHING) == 2
    assert "usage:" in capsys.readouterr().err


def test_what_is_read_of_seconds_and_addresses():
    assert (parse_seconds("0.5"), parse_interval("1m"), parse_url("http://h:1/x")) == (0.5, 60, "http://h:1/x")


def test_problems_of_the_file_are_one_line_each_and_1(tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text("loader: perf\nlimits: {models: 0}\n")
    assert cli.main([f"--config.file={path}"], NOTHING) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"llmslo-exporter: {path}:1: loader: found 'perf', needed one of auto, libbpf, bcc",
        f"llmslo-exporter: {path}:2: limits.models: found 0, needed a whole number of at least 1",
    ]


def test_the_command_line_holds_over_the_file(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "web: {listen_address: '127.0.0.1:1'}\nlog: {level: error}\nlimits: {models: 3, series: 9}\n"
        "providers: {a: one, b: two}\ntls: {exclude: [nginx]}\n"
    )
    read = settings("--config.file", str(path), "--limit.models=4", "--provider-map=b=three", "--web.listen-address=:2")
    assert (read.address, read.log_level) == (Address("", 2), "error")
    assert (read.limits.models, read.limits.series) == (4, 9)
    assert read.provider_map == {"a": "one", "b": "three"}
    assert read.tls_exclude == Exclusions(("nginx",))
    assert settings("--config.file", str(path), "--tls.exclude=x").tls_exclude == Exclusions(("x",))


def test_the_daemons_code_is_the_commands():
    assert cli.main([], {"": lambda _options, _asked: 0}) == 0


def test_the_users_problem_is_one_line_and_1(capsys):
    def run(_options, _asked):
        msg = "not root:\nrun as root or with CAP_BPF"
        raise SetupError(msg)

    assert cli.main([], {"": run}) == 1
    captured = capsys.readouterr()
    assert captured.err == "llmslo-exporter: not root: run as root or with CAP_BPF\n"
    assert captured.out == ""


def test_our_bug_is_3_with_a_traceback(capsys):
    def run(_options, _asked):
        return {}["missing"]

    assert cli.main([], {"": run}) == 3
    assert "KeyError: its text is not shown" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["schema"], ["check", "--no-load", "--json"]])
@pytest.mark.parametrize(("out", "code"), [(">/dev/full", 1), (">&-", None), ("| :", None), (">&- 2>&- <&-", None)])
def test_whoever_takes_the_result_nothing_is_a_bug_of_ours(argv, out, code):
    command = f"{shlex.join([sys.executable, '-m', 'llmslo_exporter', *argv])} {out}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in ({code} if code is not None else {0, 1} if "check" in argv else {0})
    if code:
        assert done.stderr.startswith("llmslo-exporter: cannot write to standard output: No space left on device")


def test_the_command_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "llmslo_exporter", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("llmslo-exporter ")


def logged(log_format, level="info"):
    stream = io.StringIO()
    logs.configure(level, log_format, stream)
    log = logging.getLogger("llmslo_exporter.test")
    log.debug("hidden")
    log.info('probe "attached"', extra={"hook": "SSL_read", "path": "/a b", "count": 3})
    log.warning("late")
    try:
        int("x")
    except ValueError:
        log.exception("failed")
    return stream.getvalue().splitlines()


def test_text_lines():
    info, warning, error = logged("text")
    assert info == 'level=info msg="probe \\"attached\\"" hook=SSL_read path="/a b" count=3'
    assert warning == 'level=warn msg="late"'
    assert error.startswith('level=error msg="failed" error="Traceback')


def test_json_lines():
    info, _, error = map(json.loads, logged("json"))
    assert info.pop("time").endswith("+00:00")
    assert info == {"level": "info", "msg": 'probe "attached"', "hook": "SSL_read", "path": "/a b", "count": 3}
    assert "ValueError: its text is not shown" in error["error"]


def test_debug_shows_more():
    assert len(logged("text", "debug")) == 4
