"""How many events of an SLO were bad, why, and how unevenly in time."""

from __future__ import annotations

from collections import Counter

SLICE_NS = 30 * 1_000_000_000
MOST_SLICES = 512  # of more, two become one


class Tally:
    """Counts the events of one SLO; memory is bounded, whatever the time."""

    def __init__(self) -> None:
        self.total = 0
        self.bad = 0
        self.reasons: Counter[str] = (
            Counter()
        )  # of bad events: a class of errors, or "" where a value was out of bounds
        self._slices: dict[int, list[int]] = {}
        self._width_ns = SLICE_NS

    def add(self, start_ns: int, reason: str | None) -> None:
        """Count an event; `reason` says why it is bad, None that it is good."""
        held = self._slices.get(start_ns // self._width_ns)
        if held is None:
            held = self._slice(start_ns)
        self.total += 1
        held[0] += 1
        if reason is not None:
            self.bad += 1
            self.reasons[reason] += 1
            held[1] += 1

    def design_effect(self) -> float:
        """Return how many times the variance of the bad share exceeds that of independent events, at least 1.

        Slices of time are the clusters of a ratio estimate (Rao and Scott, Biometrics 1992, 48, 577).
        """
        clusters = len(self._slices)
        if clusters < 2 or not 0 < self.bad < self.total:  # noqa: PLR2004 -- one slice varies from nothing
            return 1.0
        share = self.bad / self.total
        spread = sum((bad - share * total) ** 2 for total, bad in self._slices.values())
        variance = clusters / (clusters - 1) * spread / self.total**2
        return max(1.0, variance / (share * (1 - share) / self.total))

    def _slice(self, start_ns: int) -> list[int]:
        while len(self._slices) >= MOST_SLICES:
            self._width_ns *= 2
            wider: dict[int, list[int]] = {}
            for at, (total, bad) in self._slices.items():
                held = wider.setdefault(at // 2, [0, 0])
                held[0] += total
                held[1] += bad
            self._slices = wider
        return self._slices.setdefault(start_ns // self._width_ns, [0, 0])
