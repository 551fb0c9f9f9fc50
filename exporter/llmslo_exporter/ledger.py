"""The kernel's table of open exchanges, as user space reads and mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmslo_exporter.events import (
    COUNTERS,
    EXCHANGE,
    HOT_AT,
    RECORD_BYTES,
    X_MID,
    Hot,
    decode_hot,
    decode_record,
    with_end,
)
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.summary import Closer, End, Summary


@dataclass(frozen=True, slots=True)
class Entry:
    """One open exchange: its key in the kernel's maps, its hot state raw and decoded."""

    key: bytes
    raw: bytes
    hot: Hot

    @property
    def is_mid_stream(self) -> bool:
        """Whether it stands only for a stream that began before we did."""
        return bool(self.hot.flags & X_MID)


class Ledger:
    """Reads the maps `exchanges`, `records` and `counters`."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def entries(self) -> Iterator[Entry]:
        """Yield what is open now."""
        for key in tuple(self._loader.keys("exchanges")):
            entry = self._entry(key)
            if entry is not None:
                yield entry

    def again(self, entry: Entry) -> Entry | None:
        """Return the exchange as it is now; None when the kernel has ended it meanwhile."""
        now = self._entry(entry.key)
        return now if now is not None and now.hot.identity == entry.hot.identity else None

    def _entry(self, key: bytes) -> Entry | None:
        raw = self._loader.lookup("exchanges", key)
        return None if raw is None else Entry(key, raw, decode_hot(raw))

    def summary(self, entry: Entry, end: End, closer: Closer) -> Summary | None:
        """Return the exchange as if it ended now; None when the kernel has ended it meanwhile."""
        record = self._loader.lookup("records", entry.key)
        if record is None:
            return None
        hot = with_end(entry.raw, end, closer)
        return decode_record(record[:HOT_AT] + hot + record[HOT_AT + EXCHANGE.size : RECORD_BYTES], ())

    def remove(self, entry: Entry) -> bool:
        """Take an exchange out of the kernel's tables; False when the kernel was first."""
        if entry.hot.sock:
            self._loader.delete("sockets", entry.hot.sock.to_bytes(8, "little"))
        self._loader.delete("records", entry.key)
        return self._loader.delete("exchanges", entry.key)

    def counters(self) -> dict[str, int]:
        """Return the kernel's counters by name."""
        found: dict[str, int] = {}
        for slot, name in enumerate(COUNTERS):
            raw = self._loader.lookup("counters", slot.to_bytes(4, "little"))
            found[name] = int.from_bytes(raw[:8], "little") if raw else 0
        return found


def is_of(entry: Entry, pid: int) -> bool:
    """Tell whether a TLS exchange belongs to a process; plaintext ones belong to their socket."""
    return entry.hot.identity[1] == pid
