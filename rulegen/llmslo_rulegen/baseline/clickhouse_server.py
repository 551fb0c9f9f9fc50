"""A ClickHouse server that is asked: connected to within a time, and no credentials in what it is said to say."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from llmslo_rulegen.baseline.clickhouse_sql import Table
from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.finding import printable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PASSWORD = "CLICKHOUSE_PASSWORD"  # noqa: S105 -- the variable's name, as ClickHouse's own client reads it
TABLE = "otel_traces"
CONNECT_S = 10
QUERY_S = 600
HTTP_PORT, HTTPS_PORT = 8123, 8443
_NEEDED = (
    *("Timestamp", "TraceId", "SpanId", "ParentSpanId", "SpanName", "ServiceName", "SpanAttributes", "Duration"),
    *("StatusCode", "StatusMessage", "Events.Timestamp", "Events.Name", "Events.Attributes"),
)
_MAPS = ("SpanAttributes", "Events.Attributes")
_LOGGERS = ("clickhouse_connect", "urllib3")
_SAID = 300  # characters of what a server says
_DO = "look at --clickhouse"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the spans are; `password` is in no text that is shown."""

    host: str
    port: int
    user: str
    table: Table
    is_secure: bool = False
    password: str = field(default="", repr=False)
    ca_file: str | None = None
    query_s: int = QUERY_S

    @property
    def name(self) -> str:
        """The server in words, without credentials."""
        return f"http{'s' if self.is_secure else ''}://{self.host}:{self.port}"


def server(
    url: str,
    table: str = TABLE,
    password_file: Path | None = None,
    ca_file: Path | None = None,
    query_s: int = QUERY_S,
) -> Server:
    """Return the server of `http(s)://user@host:port/database`; raises ServerError.

    The password is the first line of a file, else the variable CLICKHOUSE_PASSWORD: an argument is seen by all who
    list the processes.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "--clickhouse is no URL of a ClickHouse: write one such as http://default@clickhouse:8123/otel"
        raise ServerError(msg)
    if parts.password is not None:
        msg = f"--clickhouse holds a password, which others see: leave it out and set {PASSWORD}, or give a file"
        raise ServerError(msg)
    if ca_file is not None and not ca_file.is_file():
        msg = f"--clickhouse-ca {ca_file}: there is no such file"
        raise ServerError(msg)
    is_secure = parts.scheme == "https"
    try:
        named = Table(unquote(parts.path.strip("/")) or "default", table)
    except ValueError as error:
        raise ServerError(str(error)) from error
    return Server(
        parts.hostname,
        port or (HTTPS_PORT if is_secure else HTTP_PORT),
        unquote(parts.username or "default"),
        named,
        is_secure,
        _password(password_file),
        None if ca_file is None else str(ca_file),
        query_s,
    )


def _password(file: Path | None) -> str:
    if file is None:
        return os.environ.get(PASSWORD, "")
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        msg = f"{file}: {reason}; its first line is the password"
        raise ServerError(msg) from error


@contextmanager
def connected(found: Server) -> Iterator[Client]:
    """Give a client; whatever it raises becomes a ServerError without credentials."""
    try:
        import clickhouse_connect  # noqa: PLC0415 - an extra of its own
        from clickhouse_connect import common  # noqa: PLC0415
        from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415
    except ImportError as error:
        msg = "clickhouse-connect is not installed: pip install 'llmslo[traces,clickhouse]'"
        raise ServerError(msg) from error
    # A user who may only read cannot set the limits above; the server has its own for such users.
    common.set_setting("invalid_setting_action", "drop")
    for name in _LOGGERS:  # what they say before an error is in the error
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = clickhouse_connect.get_client(
            host=found.host,
            port=found.port,
            username=found.user,
            password=found.password,
            database=found.table.database,
            secure=found.is_secure,
            ca_cert=found.ca_file,
            connect_timeout=CONNECT_S,
            send_receive_timeout=found.query_s + CONNECT_S,
            autogenerate_session_id=False,
            client_name="llmslo-rulegen",
        )
        try:
            yield client
        finally:
            client.close()
    except (ClickHouseError, OSError) as error:
        msg = f"{found.name}: {_said(error, found)}: {_DO}"
        raise ServerError(msg) from error


def _said(error: Exception, found: Server) -> str:
    text, first = str(error), _first(error)
    _, _, inner = text.partition("DB::Exception: ")
    if not inner and isinstance(first, OSError):
        text = f"it does not answer, {first.strerror or first}"
    told = (inner or text).replace(found.password, "...") if found.password else inner or text
    return printable(" ".join(told.split())[:_SAID]) or type(error).__name__


def _first(error: BaseException) -> BaseException:
    """Return what an error began with."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def columns(client: Client, found: Server) -> Mapping[str, str]:
    """Return the columns of the table with their types; raises ServerError where they are not the exporter's."""
    asked = {"database": found.table.database, "table": found.table.name}
    query = "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
    held = {str(name): str(kind) for name, kind in client.query(query, parameters=asked).result_rows}
    if not held:
        msg = f"{found.name} has no table {found.table}, or this user may not read it: look at the URL's path"
        raise ServerError(msg)
    missing = [name for name in _NEEDED if name not in held]
    if missing:
        msg = f"{found.name}: {found.table} lacks {', '.join(missing)}: it is no table of OpenTelemetry's exporter"
        raise ServerError(msg)
    for name in _MAPS:
        if "Map(" not in held[name]:
            msg = f"{found.name}: {found.table} keeps {name} as {held[name][:60]}: tables with maps of texts are read"
            raise ServerError(msg)
    return held
