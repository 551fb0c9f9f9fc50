"""A server of traces that is asked over HTTP: each answer within a time and a size, credentials to it alone."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.finding import printable

ANSWER_S = 60.0
MAX_BYTES = 64 << 20
TRIES = 4
HEADERS_VARIABLE = "LLMSLO_RULEGEN_HEADERS"
_AGAIN = (429, 500, 502, 503, 504)
_PAUSE_S = 0.2  # doubled each time
_MOST_PAUSE_S = 10.0
_HERE = ("localhost", "127.0.0.1", "::1")
_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and its media type, in lower case and without parameters."""

    kind: str
    body: bytes


class NotThereError(ServerError):
    """The server has no such page, or nothing under this name."""


class _NoRedirect(HTTPRedirectHandler):
    """Credentials stay with whom they were given to."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing."""
        return


class Web:
    """One server by its base URL; every failure is a ServerError that names it, without credentials."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 -- raises for one that is none
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            shown = printable(url.rpartition("@")[2][:100])
            msg = f"{shown!r} is no URL of a server: write one such as http://tempo:3200"
            raise ServerError(msg)
        self.url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._headers = dict(headers)
        if parts.username is not None:
            named = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(named).decode()}"
        self._opener = build_opener(ProxyHandler({}) if parts.hostname in _HERE else ProxyHandler(), _NoRedirect)

    def ask(self, page: str, accept: str) -> Answer:
        """Return a page; asks again where the server is overloaded. Raises ServerError, of it NotThereError for 404."""
        request = Request(f"{self.url}/{page}", headers={**self._headers, "Accept": accept})  # noqa: S310 -- checked
        pause_s = _PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                return self._opened(request)
            except HTTPError as error:
                if error.code not in _AGAIN or not left:
                    raise self._refused(error) from error
                wait_s = max(pause_s, _seconds(error.headers.get("Retry-After")))
                error.close()
            except (OSError, HTTPException, ValueError) as error:
                reason = error.reason if isinstance(error, URLError) else error
                if not left or not isinstance(reason, ConnectionResetError):
                    said = printable(str(reason)[:_MOST_TOLD]) or type(reason).__name__
                    msg = f"{self.url} does not answer, {said}: look at the URL"
                    raise ServerError(msg) from error
                wait_s = pause_s
            time.sleep(min(wait_s, _MOST_PAUSE_S))
            pause_s *= 2
        raise AssertionError

    def _opened(self, request: Request) -> Answer:
        with self._opener.open(request, timeout=ANSWER_S) as answer:
            body = answer.read(MAX_BYTES + 1)
            kind = str(answer.headers.get_content_type()).lower()
        if len(body) > MAX_BYTES:
            msg = f"{self.url} answers with more than {MAX_BYTES >> 20} MB"
            raise ServerError(msg)
        return Answer(kind, body)

    def _refused(self, error: HTTPError) -> ServerError:
        with error:
            text = error.read(4096).decode(errors="replace")
        said = printable(" ".join(text.split())[:_MOST_TOLD] or str(error.reason))
        told = f"{self.url} answers {error.code}, {said}"
        if error.code in {401, 403}:
            return ServerError(f"{told}: give credentials by --headers or ${HEADERS_VARIABLE}")
        return NotThereError(told) if error.code in {404, 405, 501} else ServerError(told)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def headers(path: Path | None) -> Mapping[str, str]:
    """Return the headers, `Name: value` a line, of a file, else of the environment; raises ServerError.

    No message quotes a value: they are credentials.
    """
    where = str(path) if path else f"${HEADERS_VARIABLE}"
    try:
        text = path.read_text() if path else os.environ.get(HEADERS_VARIABLE, "")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{where}: {getattr(error, 'strerror', None) or 'it is no text'}"
        raise ServerError(msg) from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not name.strip() or not (name.strip().isascii() and name.strip().isprintable()):
            msg = f"{where}: line {number} is no header: write `Authorization: Bearer ...`"
            raise ServerError(msg)
        if not value.strip().isprintable() or " " in name.strip():
            msg = f"{where}: line {number} is no header: a name has no space, a value is printable"
            raise ServerError(msg)
        found[name.strip()] = value.strip()
    return found
