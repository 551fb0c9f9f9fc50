"""What the measurements share: objects compiled for this run, a TLS server, the exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.children import Child, python, run
from tests.bench.figures import BenchError, Setting
from tests.e2e.daemon import ROOT, Exporter, NotSeenError, running
from tests.e2e.lab import certificate

HERE = Path(__file__).parent
BPF_FLAGS = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-D__TARGET_ARCH_x86", "-I", ROOT / "bpf")


def bpf_object(setting: Setting, name: str) -> Path:
    """Compile `name`.bpf.c of this folder, once a run."""
    made = setting.folder / f"{name}.bpf.o"
    if not made.exists():
        run("clang", *BPF_FLAGS, "-c", HERE / f"{name}.bpf.c", "-o", made)
    return made


def program(setting: Setting, name: str) -> Path:
    """Compile `name`.c of this folder, once a run."""
    made = setting.folder / name
    if not made.exists():
        run("cc", "-O2", "-Wall", HERE / f"{name}.c", "-o", made)
    return made


def certified(setting: Setting) -> tuple[str, str]:
    """Return certificate and key of this run."""
    if not (setting.folder / "cert.pem").exists():
        certificate(setting.folder)
    return str(setting.folder / "cert.pem"), str(setting.folder / "key.pem")


@contextmanager
def served(setting: Setting) -> Iterator[tuple[int, str]]:
    """Yield port and certificate of a running stream server."""
    cert, key = certified(setting)
    with python("traffic", "serve", cert, key) as server:
        yield server.hear(), cert


@contextmanager
def connected(kind: str, port: int, cert: str) -> Iterator[Child]:
    """Yield a client (`sync` or `asyncio`) on an open connection."""
    with python("traffic", kind, str(port), cert) as client:
        client.hear()
        yield client


@contextmanager
def exporting(setting: Setting, *options: str, loader: str = "") -> Iterator[Exporter]:
    """Yield a ready exporter that logs as it does by default."""
    try:
        with running(loader or setting.loader, setting.folder, "--log.level", "info", *options) as exporter:
            yield exporter
    except NotSeenError as error:
        lines = str(error).strip().splitlines()
        msg = f"{lines[0].partition(':')[0]}: {lines[-1]}"
        raise BenchError(msg) from error


def check_streams(exporter: Exporter, count: float) -> None:
    """Raise BenchError unless the exporter saw so many complete streams at both ends: else it did other work."""
    for role in ("client", "server"):
        seen = exporter.metric("llm_streams_total", model="bench", role=role, outcome="completed")
        if seen != count:
            msg = f"{exporter.loader}: {seen:g} complete streams seen of {count:g} as {role}, so its cost means nothing"
            raise BenchError(msg)


@contextmanager
def holding(setting: Setting, name: str, what: str, pid: int) -> Iterator[Child]:
    """Yield the holder of a program of our own, attached to the TLS libraries of a process."""
    with python("holder", bpf_object(setting, name), what, str(pid)) as holder:
        holder.hear()
        yield holder
