"""Everything behind the clients, started in order: certificate, model server, TLS proxy, exporter, Prometheus."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.demo import nginx, prometheus
from deploy.demo.children import Child, Children, DemoError, free_port, wait_ready
from deploy.demo.interpreters import named_interpreters
from deploy.demo.model import model_file

PYTHON_CLIENTS = ("openai-sync", "openai-cancel", "openai-async", "httpx")
SERVER = "llama-server"
CURL_DRIVER = "curl-driver"
STEADY = "steady-user"
MODEL_LIMIT_S = 60.0  # loads 253 MB; 2.5 s on an idle machine
READY_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything stands: addresses, the certificate and the interpreters under their names."""

    folder: Path
    cert: Path
    pythons: dict[str, Path]
    server: Child
    server_command: tuple[str | Path, ...]
    server_port: int
    api: str
    exporter: str  # host:port
    prometheus: str
    alertmanager: str  # host:port where Prometheus expects it; it is started when there are rules
    rendered: Path  # where Prometheus expects rules


def build(folder: Path, cache: Path, children: Children, say: Callable[[str], None]) -> Stage:
    """Start all of it and return when each part answers; what is started is in `children`."""
    pythons = named_interpreters(folder / "python", [*PYTHON_CLIENTS, SERVER, CURL_DRIVER, STEADY])
    say("certificate for localhost")
    cert, key = _certificate(folder)
    say("model: gemma3-270m, 4 bits")
    model = model_file(cache)
    say("exporter: probes first, so that no stream is missed")
    exporter = _exporter(children)
    say("llama.cpp, and nginx with TLS in front of it")
    port = free_port()
    command = (pythons[SERVER], "-m", "deploy.demo.llama_server", model, str(port))
    server = _llama(children, command, port)
    api = _tls_proxy(folder, children, port, cert, key)
    say("Prometheus, scraping the exporter every second")
    alertmanager, rendered = f"127.0.0.1:{free_port()}", folder / "rendered"
    metrics = _prometheus(folder, children, prometheus.config(exporter, alertmanager, rendered))
    return Stage(folder, cert, pythons, server, command, port, api, exporter, metrics, alertmanager, rendered)


def start_server(there: Stage, children: Children) -> None:
    """Start the model server anew where it was; return when it answers."""
    _llama(children, there.server_command, there.server_port)


def _certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=READY_LIMIT_S)
    except subprocess.CalledProcessError as error:
        msg = f"openssl made no certificate: {error.stderr.decode(errors='replace').strip()}"
        raise DemoError(msg) from error
    return cert, key


def _exporter(children: Children) -> str:
    address = f"127.0.0.1:{free_port()}"
    command = Path(sys.executable).parent / "llmslo-exporter"
    exporter = children.start("exporter", [command, "--web.listen-address", address])
    wait_ready(exporter, f"http://{address}/readyz", READY_LIMIT_S)
    return address


def _llama(children: Children, command: Sequence[str | Path], port: int) -> Child:
    server = children.start(SERVER, command)
    wait_ready(server, f"http://127.0.0.1:{port}/health", MODEL_LIMIT_S)
    return server


def _tls_proxy(folder: Path, children: Children, backend_port: int, cert: Path, key: Path) -> str:
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(nginx.config(folder, backend_port, port, cert, key))
    proxy = children.start("nginx", [nginx.program(), "-e", "stderr", "-p", folder, "-c", config])
    wait_ready(proxy, f"https://localhost:{port}/health", READY_LIMIT_S, cert)
    return f"https://localhost:{port}/v1"


def _prometheus(folder: Path, children: Children, config: str) -> str:
    (folder / "prometheus.yml").write_text(config)
    address = f"127.0.0.1:{free_port()}"
    server = children.start(
        "prometheus",
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={address}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=1s",
            "--log.level=warn",
        ],
    )
    wait_ready(server, f"http://{address}/-/ready", READY_LIMIT_S)
    return f"http://{address}"
