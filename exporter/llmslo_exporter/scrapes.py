"""Pages of /metrics, on a thread of their own: from one snapshot for all who wait, one for those who want the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from threading import Condition, Thread
from urllib.parse import parse_qs

from llmslo_exporter.exposition import compress
from llmslo_exporter.pages import Answer, Pages, refusal
from llmslo_exporter.visit import Phase, Request, Visit

log = logging.getLogger(__name__)

JOIN_S = 5.0
NAME_PARAMETER = "name[]"  # as prometheus_client and other exporters call it


@dataclass(frozen=True, slots=True)
class Page:
    """A page and who waits for it."""

    visits: Sequence[Visit]
    answer: Answer
    coding: str


class Scrapes:
    """Calls `deliver` with each page, on its own thread, from construction to `close`."""

    def __init__(self, pages: Pages, deliver: Callable[[Page], None]) -> None:
        self._pages = pages
        self._deliver = deliver
        self._waiting: dict[Request, list[Visit]] = {}
        self._news = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="scrapes", daemon=True)
        self._thread.start()

    def ask(self, request: Request, visit: Visit) -> None:
        """Have a page written that holds what has happened up to now."""
        with self._news:
            self._waiting.setdefault(request, []).append(visit)
            self._news.notify()

    def forget(self, request: Request, visit: Visit) -> None:
        """Write no page for a visit that has given up."""
        with self._news:
            waiting = self._waiting.get(request, [])
            if visit in waiting:
                waiting.remove(visit)
            if not waiting:
                self._waiting.pop(request, None)

    def close(self) -> None:
        """End the thread; a page under way is finished, within a limit."""
        with self._news:
            self._stopping = True
            self._news.notify()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                asked, self._waiting = self._waiting, {}
            for page in self._pages_for(asked):
                self._deliver(page)

    def _pages_for(self, asked: Mapping[Request, Sequence[Visit]]) -> Iterator[Page]:
        try:
            snapshot = self._pages.exposition.snapshot()
            # Of queries there may be many kinds, so they come last.
            for request in sorted(asked, key=lambda request: bool(request.query)):
                body = snapshot.render(request.form, _names(request.query))
                coding, body = ("gzip", compress(body)) if request.is_gzip_taken else ("", body)
                yield Page(asked[request], Answer(HTTPStatus.OK, request.content_type, body), coding)
        except Exception:
            log.exception("request failed")
            answer = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error, see the log")
            yield Page(
                [visit for visits in asked.values() for visit in visits if visit.phase is Phase.WAITING], answer, ""
            )


def _names(query: str) -> frozenset[str]:
    return frozenset(parse_qs(query).get(NAME_PARAMETER, ()))
