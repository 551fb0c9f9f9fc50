"""nginx as the TLS proxy: the wheel of llama.cpp has no TLS, and closes kept connections without saying so."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.demo.children import DemoError

# One process in the foreground, no buffering, and a connection of its own to the server for every request, so that
# clients may keep theirs. Nothing is read or written outside of the demo's folder.
CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://127.0.0.1:{backend_port};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 90s;
        }}
    }}
}}
"""


def config(folder: Path, backend_port: int, port: int, cert: Path, key: Path) -> str:
    """Return the configuration of a TLS server on loopback in front of `backend_port`."""
    return CONFIG.format(folder=folder, backend_port=backend_port, port=port, cert=cert, key=key)


def program() -> str:
    """Return nginx's path; Debian keeps it where only root's PATH looks."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        msg = "no `nginx` here: `make setup` installs it"
        raise DemoError(msg)
    return path
