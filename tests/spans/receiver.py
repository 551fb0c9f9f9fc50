"""A receiver of OTLP over HTTP that appends each request to a file, as the collector's file exporter writes it."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_IDS = ("traceId", "spanId", "parentSpanId")
_STACK = "exception.stacktrace"  # paths of the machine that recorded: a collector would remove it as well


@contextmanager
def receiving(path: Path) -> Iterator[str]:
    """Yield the address that takes requests until the block ends; `path` gets one line a request."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            with lock, path.open("a") as file:
                file.write(line(ExportTraceServiceRequest.FromString(body)))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def line(request: ExportTraceServiceRequest) -> str:
    """Return a request as OTLP's JSON: protobuf's, but ids in hex and enums as numbers (OTLP 1.x, JSON encoding)."""
    held = MessageToDict(request, use_integers_for_enums=True)
    for group in held.get("resourceSpans", ()):
        for scope in group.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for name in _IDS:
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
                for event in span.get("events", ()):
                    kept = [pair for pair in event.get("attributes", ()) if pair["key"] != _STACK]
                    event["attributes"] = kept
    return json.dumps(held, separators=(",", ":")) + "\n"
