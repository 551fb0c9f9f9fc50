"""`make spans`: record what real instrumentations tell of the demo's real model, as tests/data/spans has it.

Two parts: usual traffic, then an incident in which the server is slowed, and later is gone for a while.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from deploy.demo.children import Child, Children, DemoError, free_port, wait_exit, wait_ready
from deploy.demo.model import model_file
from deploy.demo.slow import slowed
from tests.spans.receiver import receiving
from tests.spans.services import SERVICES

DATA = Path(__file__).parents[1] / "data" / "spans"
CACHE = Path(".cache")
MODEL_LIMIT_S = 60.0
LAST_LIMIT_S = 90.0  # the last call, and what the exporter still holds
SLOWER = 4.0
SLOW_FROM, SLOW_TO, GONE_FROM, GONE_TO = 0.2, 0.4, 0.6, 0.7  # of the incident's time


class Server:
    """The demo's model server, which can be taken away and brought back at the same address."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._port = free_port()
        self.child = self.start()

    def start(self) -> Child:
        command = [sys.executable, "-m", "deploy.demo.llama_server", model_file(CACHE), str(self._port)]
        self.child = self._children.start("llama-server", command)
        wait_ready(self.child, f"http://127.0.0.1:{self._port}/health", MODEL_LIMIT_S)
        return self.child

    def end(self) -> None:
        self._children.end(self.child)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"


def main() -> int:
    """Write both files; return 1 when something did not start or a service failed."""
    parser = argparse.ArgumentParser(prog="make spans", description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA, metavar="DIR", help="folder for the files")
    parser.add_argument("--usual", type=float, default=1080.0, metavar="SECONDS", help="of usual traffic")
    parser.add_argument("--incident", type=float, default=240.0, metavar="SECONDS", help="of the incident")
    found = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmslo-spans-") as name:
        children = Children(Path(name))
        try:
            server = Server(children)
            found.out.mkdir(parents=True, exist_ok=True)
            record(found.out / "usual.jsonl.gz", children, server, found.usual, lambda: None)
            record(found.out / "incident.jsonl.gz", children, server, found.incident, Incident(server, found.incident))
        except DemoError as error:
            print(f"spans: {error}", file=sys.stderr)
            return 1
        finally:
            children.stop()
    return 0


def record(path: Path, children: Children, server: Server, seconds: float, meanwhile: Callable[[], None]) -> None:
    """Run every service for so long; the file appears once all of them ended well."""
    print(f"* {path.name}: {seconds:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="llmslo-spans-") as folder:
        lines = Path(folder) / "spans.jsonl"
        with receiving(lines) as address:
            started = {
                service.name: children.start(
                    service.name,
                    [sys.executable, "-m", "tests.spans.service", service.name, server.api, str(seconds)],
                    _environment(service.name, address),
                )
                for service in SERVICES
            }
            end = time.monotonic() + seconds
            meanwhile()
            for name, child in started.items():
                told = wait_exit(child, max(0.0, end - time.monotonic()) + LAST_LIMIT_S)
                print(f"  {name}: {dict(Counter(told.split()))}", flush=True)
        path.write_bytes(gzip.compress(lines.read_bytes(), mtime=0))


def _environment(service: str, address: str) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=demo",
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT",
        "TRACELOOP_TRACE_CONTENT": "false",
        "OTEL_METRICS_EXPORTER": "none",
    }


class Incident:
    """First the server gets a quarter of its time, then it is killed, and started again."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._seconds = seconds

    def __call__(self) -> None:
        began = time.monotonic()
        self._wait(began, SLOW_FROM)
        print(f"  {SLOWER:.0f} times slower", flush=True)
        with slowed(self._server.child.process.pid, SLOWER):
            self._wait(began, SLOW_TO)
        self._wait(began, GONE_FROM)
        print("  gone", flush=True)
        self._server.end()
        self._wait(began, GONE_TO)
        self._server.start()
        print("  back", flush=True)

    def _wait(self, began: float, part: float) -> None:
        time.sleep(max(0.0, began + part * self._seconds - time.monotonic()))


if __name__ == "__main__":
    sys.exit(main())
