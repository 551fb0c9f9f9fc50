"""One trap on the bench: an answer, a client that meets it, and both roles' lines compared with the truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e import verdict
from tests.e2e.answers import After, Answer
from tests.e2e.clients import Raw, Result, request_bytes
from tests.e2e.daemon import Exporter
from tests.e2e.lab import Lab
from tests.e2e.taps import Flight

ROLES = ("client", "server")
Read = Callable[[Raw, int], bytes]


@dataclass(frozen=True, slots=True)
class Met:
    """An exchange that took place: what was asked, over what, and the client's own stamps."""

    model: str
    answer: Answer
    tls: bool
    flight: Flight | None
    leaves: bool = False
    attempt: int = 0
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """A lab with an exporter beside it."""

    lab: Lab
    exporter: Exporter

    def connect(self, *, tls: bool, forking: bool = False, rcvbuf: int | None = None) -> Raw:
        """A raw connection to a byte server."""
        server = self.lab.forking if forking else self.lab.server
        return Raw(server.port(tls=tls), self.lab.cert if tls else None, rcvbuf)

    def ask(
        self,
        conn: Raw,
        answer: Answer,
        *,
        tls: bool,
        label: str = "trap",
        read: Read | None = None,
        request: Callable[[str], Sequence[bytes]] | None = None,
        stream: bool = True,
    ) -> Met:
        """Send one request on a connection and read its whole answer."""
        model = self.lab.new(label, answer)
        pieces = request(model) if request else (b"".join(request_bytes(model, stream=stream)),)
        conn.send(*pieces)
        # One byte more than there is: a client of a body without a length reads until the end of the connection.
        want = len(answer.data) + (answer.after is not After.KEEP)
        got = (read or (lambda raw, size: raw.read(size)))(conn, want)
        assert got == answer.data, "the byte server and its client disagree"
        return Met(model, answer, tls, conn.flight, pid=os.getpid())

    def meet(self, answer: Answer, *, tls: bool, **how: Any) -> None:
        """One exchange on a connection of its own, checked for both roles."""
        conn = self.connect(tls=tls)
        try:
            met = self.ask(conn, answer, tls=tls, **how)
        finally:
            conn.close()
        self.check(met)

    def check(self, *exchanges: Met, roles: Sequence[str] = ROLES, **changes: Any) -> None:
        """Each exchange was reported exactly once per role, and with the truth."""
        wrong = [
            f"{met.model} {role}: {text}"
            for met in exchanges
            for role in roles
            for text in self._wrong(met, role, changes)
        ]
        assert not wrong, "\n".join(wrong)

    def _wrong(self, met: Met, role: str, changes: Mapping[str, Any]) -> list[str]:
        served = self.lab.served(met.model, met.attempt)
        flight = met.flight if role == "client" else served.flight if served else None
        pid = met.pid if role == "client" else served.pid if served else None
        lines = self.exporter.expect(met.model, role, met.attempt + 1)
        want = verdict.expected(met.answer, role, tls=met.tls, flight=flight, leaves=met.leaves, pid=pid)
        skipped = set(changes.get("skip", ()))
        found = verdict.differences(want, sorted(lines, key=lambda line: float(line["start_s"]))[met.attempt])
        wrong = [text for text in found if text.partition(":")[0] not in skipped]
        if len(lines) > met.attempt + 1:
            wrong.append(f"{len(lines)} lines")
        return wrong

    def finished(self, answer: Answer, model: str, result: Result, *, tls: bool, leaves: bool = False) -> Met:
        """What a library or program reported of its job."""
        flight = result.flights[0] if result.flights else None
        return Met(model, answer, tls, flight, leaves, pid=result.pid)
