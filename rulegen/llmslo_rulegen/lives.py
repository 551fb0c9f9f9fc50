"""Processes that count: they start late, are restarted, are scraped by two servers, or for a while by none.

What must be counted of them is told by what their scrapes showed, process by process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmslo_rulegen.inputs import text
from llmslo_rulegen.kinds import Kinds, Labels, Series
from llmslo_rulegen.scenarios import Events

BRIDGE_S = 15 * 60  # a gap in scraping up to this length loses nothing
GOOD, BAD = 970, 30  # events a scrape, a hundredth more in each period, so that no two stretches are alike
PERIOD_S = 1800
M, H = 60, 3600


@dataclass(frozen=True, slots=True)
class Life:
    """One process, from `start_s` on, where its counters stand at `before` scrapes' events already.

    `replicas`: the servers that scrape it, each from an instant on and so many scrapes late. `gaps`: (from, to] without
    a scrape. `restarts_s`: its counters begin again at 0. `grows`: it counts more in each period.
    """

    instance: str
    start_s: int = 0
    before: int = 0
    replicas: tuple[tuple[int, int], ...] = ((0, 0),)
    gaps: tuple[tuple[int, int], ...] = ()
    restarts_s: tuple[int, ...] = ()
    grows: bool = True


# Two servers scrape each; gaps lie where windows begin: one of 8 minutes is bridged, one of 17 is not.
SCRAPED = (
    Life("one:9090", replicas=((0, 0), (40 * M, 1)), gaps=((52 * M, 62 * M), (77 * M, 87 * M), (116 * M, 120 * M))),
    Life("two:9090", 56 * M, 40, ((56 * M, 0), (80 * M, 1)), ((2 * H + 8 * M, 2 * H + 28 * M),)),
)
# Once in the running hour, in that and the one before, and in a window of minutes.
RESTARTED = (
    Life("one:9090", restarts_s=(H + 20 * M, 2 * H + 20 * M, 3 * H + 27 * M), grows=False),
    Life("two:9090", grows=False),
)
LASTS_S = 3 * H + 1800


@dataclass(frozen=True, slots=True)
class Lives:
    """Several processes, scraped every `step_s` seconds, a divisor of a minute."""

    lives: tuple[Life, ...]
    step_s: int

    def between(self, begin_s: float, end_s: float) -> Events:
        """Return the events of (begin, end] that scrapes showed; in minutes only what is after a restart."""
        short = end_s - begin_s < H and end_s - begin_s != PERIOD_S
        found = 0
        for life in self.lives:
            restarts = [at_s for at_s in life.restarts_s if short and begin_s < at_s < end_s]
            found += self._shown(life, end_s) - self._known(life, max([begin_s, *restarts]))
        return Events(found * (GOOD + BAD), found * BAD)

    def series(self, kinds: Kinds, target: Labels) -> Iterator[tuple[str, str]]:
        """Yield the counters of one kind of good and one of bad events."""
        for life in self.lives:
            for number, (from_s, late) in enumerate(life.replicas):
                labels = tuple(sorted((dict(target) | {"instance": life.instance, "replica": f"r{number}"}).items()))
                adds: dict[Series, float] = {}
                for kind, count in ((kinds.good[0], GOOD), (kinds.bad[0], BAD)):
                    for each, amount in kind.adds:
                        adds[each] = adds.get(each, 0.0) + amount * count
                for each, add in adds.items():
                    yield text(each, labels), self._samples(life, from_s, late, add)

    def _units(self, life: Life, at_s: float) -> int:
        """Return how often its events of a scrape have happened: growth makes later periods count more."""
        first, last = life.start_s // self.step_s, max(life.start_s, int(at_s)) // self.step_s
        grown = self._grown(last) - self._grown(first) if life.grows else 0
        return last - first + grown

    def _grown(self, last: int) -> int:
        """Return the sum of full periods before each scrape, up to scrape number `last`."""
        each = PERIOD_S // self.step_s  # scrapes of a period, a whole number of minutes
        full, rest = divmod(last, each)
        return each * full * (full - 1) // 2 + full * (rest + 1)

    def _is_scraped(self, life: Life, at_s: float) -> bool:
        return at_s >= life.start_s and not any(begin < at_s <= end for begin, end in life.gaps)

    def _shown(self, life: Life, at_s: float) -> int:
        """Return what the last scrape showed."""
        last = next((s for s in range(int(at_s), -1, -self.step_s) if self._is_scraped(life, s)), life.start_s)
        return self._units(life, last)

    def _known(self, life: Life, at_s: float) -> int:
        """Return what was known at the begin of a window: by a scrape not too old, or by the next one."""
        since = [begin for begin, end in life.gaps if begin < at_s <= end and at_s - begin > BRIDGE_S]
        if since:
            after = next(end for begin, end in life.gaps if begin == since[0])
            late = max(late for _, late in life.replicas)
            return self._units(life, after // self.step_s * self.step_s + self.step_s * (1 - late))
        return self._shown(life, at_s)

    def _samples(self, life: Life, from_s: int, late: int, add: float) -> str:
        tokens: list[float | None] = []
        for at_s in range(0, LASTS_S + 1, self.step_s):
            seen_s = at_s - late * self.step_s
            if at_s < from_s or not self._is_scraped(life, at_s) or seen_s < life.start_s:
                tokens.append(None)
                continue
            restart_s = max((each for each in life.restarts_s if each < seen_s), default=None)
            units = self._units(life, seen_s) - (0 if restart_s is None else self._units(life, restart_s))
            tokens.append((units + (life.before if restart_s is None else 0)) * add)
        return _shorthand(tokens)


def _shorthand(values: Sequence[float | None]) -> str:
    """Return samples as promtool writes runs of them: `_xN` for none, `a+bxN` for steps of equal height."""
    tokens, at = [], 0
    while at < len(values):
        end = at + 1
        first = values[at]
        if first is None:
            while end < len(values) and values[end] is None:
                end += 1
            tokens.append(f"_x{end - at}")
        else:
            step = _step(values, at)
            while end < len(values) and step is not None and _step(values, end - 1) == step:
                end += 1
            tokens.append(f"{first:.15g}" + (f"+{step:.15g}x{end - at - 1}" if end - at > 1 else ""))
        at = end
    return " ".join(tokens)


def _step(values: Sequence[float | None], at: int) -> float | None:
    """Return how much higher the next sample is; None where there is none, or a lower one."""
    one, two = values[at], values[at + 1] if at + 1 < len(values) else None
    return two - one if one is not None and two is not None and two >= one else None
