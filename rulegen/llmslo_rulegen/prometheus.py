"""A Prometheus that is asked what is true there: the only module that opens a connection, and each within a time."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from llmslo_rulegen import durations
from llmslo_rulegen.errors import ServerError
from llmslo_rulegen.finding import printable
from llmslo_rulegen.lints.case import Answer

ANSWER_S = 10.0  # of one question; an expression that takes longer is one that rules must not ask
ALL_S = 120.0  # of all questions of a run
MAX_BYTES = 32 << 20  # of one answer; a list of all rules of a large server is 10 MB
_NOT_THERE = (400, 404, 405, 501)  # what Thanos, Mimir and older servers say of a page they lack
_INTERVAL = re.compile(r"^\s*evaluation_interval:\s*(\S+)\s*$", re.MULTILINE)
_QUERY = "query"
_DO = "look at the URL, or leave --prometheus out"


class _NoRedirect(HTTPRedirectHandler):
    """Credentials stay with whom they were given to."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing."""
        return


class Prometheus:
    """One server by its base URL; every failure is a ServerError that names it, without credentials."""

    def __init__(self, url: str, limit_s: float = ALL_S, answer_s: float = ANSWER_S) -> None:
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 -- raises for one that is none
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"{url[:100]!r} is no URL of a Prometheus: write one such as http://prometheus:9090"
            raise ServerError(msg)
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json"}
        if parts.username is not None:
            named = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(named).decode()}"
        self._answer_s = answer_s
        self._until_s = time.monotonic() + limit_s
        self._limit_s = limit_s
        is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        self._opener = build_opener(ProxyHandler({}) if is_here else ProxyHandler(), _NoRedirect)
        self._pages: dict[str, Any] = {}

    def ask(self, expression: str) -> Sequence[Answer]:
        """Return what an instant query gives now; an empty sequence where nothing matches."""
        body = urlencode({"query": expression, "timeout": f"{self._answer_s:g}s"}).encode()
        data = self._get(_QUERY, body)
        try:
            found = [data["result"]] if data["resultType"] == "scalar" else [one["value"] for one in data["result"]]
            labels = [{}] if data["resultType"] == "scalar" else [one["metric"] for one in data["result"]]
            return [Answer(one, float(value[1])) for one, value in zip(labels, found, strict=True)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._strange(_QUERY) from error

    def types(self, metric: str) -> frozenset[str]:
        """Return the types that targets give a metric."""
        found: set[str] = set()
        for name in (metric, metric.removesuffix("_total")):
            data = self._page(f"metadata?metric={quote(name, safe='')}")
            entries = data.get(name, []) if isinstance(data, dict) else []
            found |= {str(one.get("type")) for one in entries if isinstance(one, dict)}
        return frozenset(found)

    def interval_s(self, group: str) -> float | None:
        """Return the interval of a loaded group; of one that is not, that of the configuration."""
        for name, interval_s in self._groups():
            if name == group:
                return interval_s
        data = self._page("status/config")
        found = _INTERVAL.search(str(data.get("yaml", ""))) if isinstance(data, dict) else None
        seconds = durations.parse(found[1]) if found else None
        return None if seconds is None else float(seconds)

    def retention_s(self) -> float | None:
        """Return how long samples are kept, where a time says so."""
        data = self._page("status/runtimeinfo")
        said = str(data.get("storageRetention", "")) if isinstance(data, dict) else ""
        for part in said.split(" or "):
            seconds = durations.parse(part.strip())
            if seconds:
                return float(seconds)
        return None

    def _groups(self) -> Iterator[tuple[str, float]]:
        data = self._page("rules")
        groups = data.get("groups", []) if isinstance(data, dict) else []
        for one in groups if isinstance(groups, list) else ():
            if isinstance(one, dict) and isinstance(one.get("interval"), (int, float)):
                yield str(one.get("name")), float(one["interval"])

    def _page(self, name: str) -> Any:  # noqa: ANN401 -- JSON of a stranger
        """Return a page that never changes within a run; None where this server has none."""
        if name not in self._pages:
            self._pages[name] = self._get(name, None)
        return self._pages[name]

    def _get(self, page: str, body: bytes | None) -> Any:  # noqa: ANN401 -- JSON of a stranger
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            msg = f"{self.url} took more than {self._limit_s:g} s in all: ask about fewer SLO files at once"
            raise ServerError(msg)
        request = Request(f"{self.url}/api/v1/{page}", body, self._headers)  # noqa: S310 -- the scheme is checked
        try:
            with self._opener.open(request, timeout=min(self._answer_s, left_s)) as answer:
                raw = answer.read(MAX_BYTES + 1)
        except HTTPError as error:
            if body is None and error.code in _NOT_THERE:
                return None
            raise self._refused(error) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            msg = f"{self.url} does not answer, {printable(str(reason)[:200]) or type(reason).__name__}: {_DO}"
            raise ServerError(msg) from error
        if len(raw) > MAX_BYTES:
            msg = f"{self.url} answers {page.split('?', maxsplit=1)[0]} with more than {MAX_BYTES >> 20} MB: {_DO}"
            raise ServerError(msg)
        return self._data(raw, page)

    def _data(self, raw: bytes, page: str) -> Any:  # noqa: ANN401 -- JSON of a stranger
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._strange(page) from error
        if not isinstance(found, Mapping) or found.get("status") != "success" or "data" not in found:
            raise self._strange(page)
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
        return ServerError(f"{self.url} answers {error.code}, {said}: {_DO}")

    def _strange(self, page: str) -> ServerError:
        return ServerError(f"{self.url} answers {page.split('?', maxsplit=1)[0]} as no Prometheus does: {_DO}")
