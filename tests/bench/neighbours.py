"""A node's other work: nginx under wrk, with the exporter, without, and beside what others attach."""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.bench.children import run
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, difference, ratio
from tests.bench.stage import certified, exporting, holding

LEAST_ROUNDS = 5
CONNECTIONS, SECONDS = 8, 3
START_S, STOP_S = 10.0, 10.0
RATE = re.compile(r"^Requests/sec: +([\d.]+)$", re.MULTILINE)
FAILED = re.compile(r"^ +(Socket errors|Non-2xx).*$", re.MULTILINE)
CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
events {{}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location / {{ return 200 "{body}"; }}
        location = /status {{ stub_status; }}
    }}
}}
"""
BODY_BYTES = 512

Rates = dict[str, list[float]]


def measure(setting: Setting) -> Iterator[Line]:
    """Yield requests a second and what is added to each, by who watches."""
    rounds = max(setting.rounds, LEAST_ROUNDS)
    rates: Rates = {name: [] for name in ("plain", "tls", "plain+exporter", "tls+exporter", "tls+entries")}
    with nginx(setting) as (pid, plain, tls):
        watchers: list[tuple[str, Callable[[], AbstractContextManager[object]]]] = [
            ("", nullcontext),
            ("+exporter", lambda: exporting(setting)),
            ("+entries", lambda: holding(setting, "empty", "entries", pid)),
        ]
        _wrk(tls)  # the first run of all warms everything
        for number in range(rounds):
            setting.say(f"neighbours: round {number + 1}")
            for name, watching in watchers[number % 3 :] + watchers[: number % 3]:
                with watching():
                    rates[f"tls{name}"].append(_wrk(tls))
                    if f"plain{name}" in rates:
                        rates[f"plain{name}"].append(_wrk(plain))
    yield from _lines({name: tuple(values) for name, values in rates.items()})


def _lines(rates: dict[str, tuple[float, ...]]) -> Iterator[Line]:
    each_us = {name: tuple(1e6 / rate for rate in values) for name, values in rates.items()}
    ours = difference(each_us["tls+exporter"], each_us["tls"])
    others = difference(each_us["tls+entries"], each_us["tls"])
    kept = ratio(rates["plain+exporter"], rates["plain"])
    yield Figure("plaintext: without", "requests/s", rates["plain"])
    yield Figure("plaintext: with", "requests/s", rates["plain+exporter"])
    yield Figure("plaintext: with / without", "ratio", kept, Goal(0.9, is_floor=True))
    yield Figure("plaintext: added", "us a request", difference(each_us["plain+exporter"], each_us["plain"]))
    yield Figure("TLS, both ends: without", "requests/s", rates["tls"])
    yield Figure("TLS, both ends: with", "requests/s", rates["tls+exporter"])
    yield Figure("TLS, both ends: empty probes at the symbols' entries", "requests/s", rates["tls+entries"])
    yield Figure("TLS: added by the exporter", "us a request", ours)
    yield Figure("TLS: added by the empty probes", "us a request", others)
    yield Figure(
        "TLS: added by us / by them", "ratio", tuple(value / statistics.median(others) for value in ours), Goal(0.25)
    )


def _wrk(url: str) -> float:
    """Return requests a second; both ends have a core of their own where there are two."""
    last = str(max(os.sched_getaffinity(0)))
    command = ("taskset", "-c", last, "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", url)
    printed = run(*command, timeout_s=SECONDS + START_S)
    rate = RATE.search(printed)
    failed = FAILED.search(printed)
    if failed or rate is None:
        msg = f"wrk: {failed[0].strip() if failed else 'no rate'}"
        raise BenchError(msg)
    return float(rate[1])


def _ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def nginx(setting: Setting) -> Iterator[tuple[int, str, str]]:
    """Yield the worker's pid and the two addresses."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        msg = "no nginx here: `make setup` installs it"
        raise BenchError(msg)
    cert, key = certified(setting)
    plain, tls = _ports(2)
    config = setting.folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        CONFIG.format(folder=setting.folder, user=user, plain=plain, tls=tls, cert=cert, key=key, body="x" * BODY_BYTES)
    )
    first = str(min(os.sched_getaffinity(0)))
    process = subprocess.Popen(
        ["taskset", "-c", first, program, "-c", str(config), "-p", str(setting.folder)], stderr=subprocess.PIPE
    )
    try:
        _wait_for(plain)
        worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        yield int(worker), f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{tls}/"
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    msg = f"nginx did not listen within {START_S:g} s"
    raise BenchError(msg)
