"""The HTTP API of a Prometheus: the only module that opens a connection to one, and each within a time."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from llmslo_rulegen.errors import ServerError, TooMuchError
from llmslo_rulegen.finding import printable

ANSWER_S = 10.0  # of one question; an expression that takes longer is one that rules must not ask
ALL_S = 120.0  # of all questions of a run
MAX_BYTES = 32 << 20  # of one answer; a list of all rules of a large server is 10 MB
_NOT_THERE = (400, 404, 405, 501)  # what Thanos, Mimir and older servers say of a page they lack
_TOO_MUCH = (413, 422, 503, 504)  # too many samples, or a time-out of the server's own
_DO = "look at the URL, or leave --prometheus out"


class _NoRedirect(HTTPRedirectHandler):
    """Credentials stay with whom they were given to."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing."""
        return


class Api:
    """One server by its base URL; every failure is a ServerError that names it, without credentials."""

    def __init__(
        self,
        url: str,
        limit_s: float = ALL_S,
        answer_s: float = ANSWER_S,
        advice: str = _DO,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Keep how to reach a server; `advice` ends the text of an error, `headers` go with every question."""
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 -- raises for one that is none
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            shown = printable(url.rpartition("@")[2][:100])
            msg = f"{shown!r} is no URL of a Prometheus: write one such as http://prometheus:9090"
            raise ServerError(msg)
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json, text/plain", **headers}
        if parts.username is not None:
            named = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(named).decode()}"
        self.answer_s = answer_s
        self._until_s = time.monotonic() + limit_s
        self._limit_s = limit_s
        self._advice = advice
        is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        self._opener = build_opener(ProxyHandler({}) if is_here else ProxyHandler(), _NoRedirect)

    def data(self, page: str, asked: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 -- JSON of a stranger
        """Return the data of a page that is asked something; of one that is not and that this server lacks, None."""
        raw = self.raw(f"/api/v1/{page}", None if asked is None else urlencode(asked).encode())
        return None if raw is None else self._read(raw, page)

    def raw(self, path: str = "", body: bytes | None = None) -> bytes | None:
        """Return what the server answers below its URL; None as `data` does."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            msg = f"{self.url} took more than {self._limit_s:g} s in all: ask about less at once"
            raise ServerError(msg)
        request = Request(f"{self.url}{path}", body, self._headers)  # noqa: S310 -- the scheme is checked
        try:
            with self._opener.open(request, timeout=min(self.answer_s, left_s)) as answer:
                raw: bytes = answer.read(MAX_BYTES + 1)
        except HTTPError as error:
            if body is None and error.code in _NOT_THERE:
                return None
            raise self._refused(error) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            kind = TooMuchError if isinstance(reason, TimeoutError) else ServerError
            msg = f"{self.url} does not answer, {printable(str(reason)[:200]) or type(reason).__name__}: {self._advice}"
            raise kind(msg) from error
        if len(raw) > MAX_BYTES:
            msg = f"{self.url} answers {_page(path)} with more than {MAX_BYTES >> 20} MB: {self._advice}"
            raise TooMuchError(msg)
        return raw

    def _read(self, raw: bytes, page: str) -> Any:  # noqa: ANN401 -- JSON of a stranger
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self.strange(page) from error
        if not isinstance(found, Mapping) or found.get("status") != "success" or "data" not in found:
            raise self.strange(page)
        return found["data"]

    def _refused(self, error: HTTPError) -> ServerError:
        with error:
            text = error.read(4096).decode(errors="replace")
        try:
            found = json.loads(text)
            text = str(found.get("error", text)) if isinstance(found, dict) else text
        except (ValueError, RecursionError):
            pass
        said = printable(" ".join(text.split())[:200] or str(error.reason))
        kind = TooMuchError if error.code in _TOO_MUCH else ServerError
        return kind(f"{self.url} answers {error.code}, {said}: {self._advice}")

    def strange(self, page: str) -> ServerError:
        """Return the error of an answer of another shape."""
        return ServerError(f"{self.url} answers {_page(page)} as no Prometheus does: {self._advice}")


def _page(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2] or "its page"
