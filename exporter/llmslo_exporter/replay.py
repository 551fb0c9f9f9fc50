"""A compressed stream, which the kernel cannot read: opened and measured here as the kernel does for the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llmslo_exporter.dialects.dialect import Dialect, Facts
from llmslo_exporter.excerpt import Events, event_facts
from llmslo_exporter.http1 import ResponseHead
from llmslo_exporter.inflate import Inflate, body_codings
from llmslo_exporter.sse import Event
from llmslo_exporter.summary import Piece
from llmslo_exporter.wire import Content


@dataclass(frozen=True, slots=True)
class Replay:
    """What the pieces of a stream say. Times are those of the pieces that completed an event."""

    facts: Facts
    first_token_s: float | None
    first_output_s: float | None
    last_token_s: float | None
    max_gap_s: float | None  # None: fewer than two content events
    content_events: int
    terminal_s: float | None
    opened: bool  # every piece could be
    overflowed: bool  # they open to more than is read
    readable: bool  # they could, and every event was within the bound


class _Meter:
    """The instants of a stream, event by event."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.first_token_s: float | None = None
        self.first_output_s: float | None = None
        self.last_token_s: float | None = None
        self.max_gap_s: float | None = None
        self.terminal_s: float | None = None
        self.content_events = 0

    def take(self, facts: Facts, at_s: float) -> None:
        self.facts = self.facts.then(facts)
        if facts.terminal and self.terminal_s is None:
            self.terminal_s = at_s
        if facts.content is Content.NONE or facts.error is not None:
            return
        self.content_events += 1
        if self.last_token_s is None:
            self.first_token_s = at_s
        else:
            self.max_gap_s = max(self.max_gap_s or 0.0, at_s - self.last_token_s)
        self.last_token_s = at_s
        if facts.content is Content.OUTPUT and self.first_output_s is None:
            self.first_output_s = at_s


def replay(dialect: Dialect, head: ResponseHead, pieces: Iterable[Piece]) -> Replay:
    """Measure a stream from the pieces of its encoded body, in their order."""
    pieces = tuple(pieces)
    start = pieces[0].data if pieces else b""
    inflate = Inflate(body_codings(head.headers.joined("content-encoding"), start))
    events = Events(head.headers.joined("content-type"))
    meter = _Meter()
    for piece in pieces:
        for event in events.feed(inflate.feed(piece.data)):
            meter.take(event_facts(dialect, event), piece.at_s)
        if meter.facts.terminal:
            break
    last: Event | None = events.rest()
    if last is not None and pieces:
        meter.take(dialect.event(last), pieces[-1].at_s)
    return Replay(
        facts=meter.facts,
        first_token_s=meter.first_token_s,
        first_output_s=meter.first_output_s,
        last_token_s=meter.last_token_s,
        max_gap_s=meter.max_gap_s,
        content_events=meter.content_events,
        terminal_s=meter.terminal_s,
        opened=inflate.opened,
        overflowed=inflate.overflowed,
        readable=inflate.readable and not events.dropped,
    )
