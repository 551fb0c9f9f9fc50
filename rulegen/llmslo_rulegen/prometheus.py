"""A Prometheus that is asked what is true there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from llmslo_rulegen import durations
from llmslo_rulegen.lints.case import Answer
from llmslo_rulegen.prometheus_api import ALL_S, ANSWER_S, Api

_INTERVAL = re.compile(r"^\s*evaluation_interval:\s*(\S+)\s*$", re.MULTILINE)
_QUERY = "query"


class Prometheus:
    """One server by its base URL; every failure is a ServerError that names it, without credentials."""

    def __init__(self, url: str, limit_s: float = ALL_S, answer_s: float = ANSWER_S) -> None:
        self._api = Api(url, limit_s, answer_s)
        self._pages: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """The server without credentials."""
        return self._api.url

    def ask(self, expression: str) -> Sequence[Answer]:
        """Return what an instant query gives now; an empty sequence where nothing matches."""
        data = self._api.data(_QUERY, {"query": expression, "timeout": f"{self._api.answer_s:g}s"})
        try:
            found = [data["result"]] if data["resultType"] == "scalar" else [one["value"] for one in data["result"]]
            labels = [{}] if data["resultType"] == "scalar" else [one["metric"] for one in data["result"]]
            return [Answer(one, float(value[1])) for one, value in zip(labels, found, strict=True)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._api.strange(_QUERY) from error

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
            self._pages[name] = self._api.data(name)
        return self._pages[name]
