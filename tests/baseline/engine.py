"""ClickHouse's HTTP interface over the engine of chdb: `python -m tests.baseline.engine [CERT KEY]` prints its port.

A process of its own, because chdb holds one database per process. The user `reader` has the password `secret`.
"""

from __future__ import annotations

import base64
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

# What the protocol has beside settings.
NO_SETTINGS = {
    "query",
    "database",
    "user",
    "password",
    "query_id",
    "session_id",
    "client_protocol_version",
    "wait_end_of_query",
}
KEYS = {"": "", "reader": "secret", "default": ""}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session = Session()
    lock = threading.Lock()  # settings hold for the session

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        user, password = self.credentials(given)
        if KEYS.get(user) != password:
            said = f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect."
            self.reply(403, said.encode(), "516")
            return
        query = "\n".join(part for part in (given.get("query", ""), body.decode()) if part)
        if query in {"", "SELECT 1"} and not body:
            self.reply(200, b"Ok.\n")
            return
        try:
            with self.lock:
                found = self.run(query, given)
            self.reply(200, found)
        except RuntimeError as error:
            self.reply(500, str(error).encode(), str(error).removeprefix("Code: ").partition(".")[0])

    def run(self, query, given):
        settings = {name: value for name, value in given.items() if name not in NO_SETTINGS and "param_" not in name}
        parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
        for name, value in settings.items():
            self.session.query(f"SET {name} = '{value}'")
        if "database" in given:
            self.session.query(f"USE `{given['database']}`")
        try:
            return self.session.query(query, "TabSeparated", params=parameters).bytes()
        finally:
            for name in settings:
                self.session.query(f"SET {name} = DEFAULT")

    def credentials(self, given):
        sent = self.headers.get("Authorization", "")
        if sent.startswith("Basic "):
            return tuple(base64.b64decode(sent[6:]).decode().split(":", 1))
        user = self.headers.get("X-ClickHouse-User", given.get("user", ""))
        return user, self.headers.get("X-ClickHouse-Key", given.get("password", ""))

    def reply(self, status, body, code=None):
        self.send_response(status)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
