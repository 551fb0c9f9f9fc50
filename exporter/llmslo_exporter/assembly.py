"""Puts together what the kernel sends of one exchange: its pieces, then its record."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from llmslo_exporter.events import Identity, Shipped
from llmslo_exporter.summary import Piece

# Bodies waiting for their record, all together: 64 of the largest the kernel ships.
MAX_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Assembly:
    """Pieces by exchange. When all of them are too many, an exchange's are given up, and `take` says so."""

    max_bytes: int = MAX_BYTES
    given_up_bytes: int = 0  # since the start
    _pieces: OrderedDict[Identity, list[Piece]] = field(default_factory=OrderedDict)
    _given_up: set[Identity] = field(default_factory=set)
    _bytes: int = 0

    def add(self, shipped: Shipped) -> None:
        """Keep one piece."""
        if shipped.identity in self._given_up:
            self.given_up_bytes += len(shipped.piece.data)
            return
        self._pieces.setdefault(shipped.identity, []).append(shipped.piece)
        self._bytes += len(shipped.piece.data)
        while self._bytes > self.max_bytes and self._pieces:
            identity, lost = self._pieces.popitem(last=False)
            lost_bytes = sum(len(piece.data) for piece in lost)
            self._bytes -= lost_bytes
            self.given_up_bytes += lost_bytes
            self._given_up.add(identity)

    def take(self, identity: Identity) -> tuple[Piece, ...] | None:
        """Return the pieces of an exchange and forget them; None when they were given up."""
        pieces = self._pieces.pop(identity, [])
        self._bytes -= sum(len(piece.data) for piece in pieces)
        if identity in self._given_up:
            self._given_up.discard(identity)
            return None
        return tuple(pieces)

    def waiting(self) -> set[Identity]:
        """Return the exchanges whose pieces wait for a record."""
        return {*self._pieces, *self._given_up}

    def forget(self, identities: set[Identity]) -> None:
        """Drop what is kept of exchanges that end without a record: the kernel let them go."""
        for identity in identities & self.waiting():
            self.take(identity)
