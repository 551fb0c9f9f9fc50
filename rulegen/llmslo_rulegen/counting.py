"""How many events counters saw: exact differences of what was scraped, not what `increase` extrapolates.

`increase(m[1h])` sees the samples inside of the hour, loses the step from the last one to the next hour's first, and
makes up for it by the average: right for steady traffic, 1 to 5 % off for bursts, more for series that begin or end
(slo-rules 5.2). Here the count of a window is its last value minus the last value before it, so that windows side by
side share the sample at their border and nothing is guessed. This needs no scrape interval and no alignment.

- A series that began inside of the window counts from its first sample; what that one hides nobody can know.
- One that ended inside of it counts up to its last sample.
- A gap in scraping is bridged when the last sample before it is not older than `BRIDGE_S`.
- Where a counter was reset between two windows, all that it has counted since belongs to the second one.
- Where it was reset within one, `increase` over the window and one scrape more takes over: the longer range holds the
  sample at the border, the factor takes off what it extrapolates. In a window under an hour, which no budget is made
  of, what was counted between its beginning and the reset is left out instead.
- The same series scraped by several Prometheus of an HA pair is one: the highest value is the freshest. (The highest
  *increase* would be biased: each window would take whichever replica was lucky.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from llmslo_rulegen import promql

HOUR_S = 3600
SLOT_S = 300
FRESH_S = 300  # where only what is alive matters
BRIDGE_S = 15 * 60  # a scrape gap that costs no event; longer ones lose what happened at a border of windows
# Labels that tell Prometheus servers of an HA pair apart, where series of both are seen (Thanos, prometheus-operator).
REPLICAS = ("replica", "prometheus_replica")
_ONE = f"max without ({', '.join(REPLICAS)})"
_FIRST = f"min without ({', '.join(REPLICAS)})"
_MEAN = f"avg without ({', '.join(REPLICAS)})"


class When(Enum):
    """Which stretch of time a count is for, at the instant t of an evaluation."""

    NOW = "now"  # (t - window, t]
    HOUR = "hour"  # the last full hour of the clock
    SO_FAR = "so_far"  # since that hour's end


@dataclass(frozen=True, slots=True)
class Count:
    """One way to count: when, over how many seconds, for counters scraped each `scrape_s`."""

    when: When
    window_s: int
    scrape_s: int

    def counter(self, selector: str) -> str:
        """Return events per series of counters."""
        if self.when is When.SO_FAR:
            return _so_far(selector, self.scrape_s)
        return _within(selector, self.window_s, self.scrape_s)

    def ranged(self, template: str, placeholder: str, *, per_second: bool, sampled: bool = False) -> str:
        """Return events of an expression over a range, of which nothing else is known.

        `per_second`: it is a rate. `sampled`: it counts samples, so nothing was extrapolated.
        """
        if self.when is When.SO_FAR:
            slot = Count(When.NOW, SLOT_S, self.scrape_s)
            return _slots(slot.ranged(template, placeholder, per_second=per_second, sampled=sampled))
        # Samples at both ends of a range count on Prometheus 2, only those at its end on 3: a millisecond less is both.
        over_s = self.window_s - 0.001 if sampled else self.window_s + self.scrape_s
        text = template.replace(placeholder, promql.duration(over_s))
        if per_second:
            return f"({text}) * {self.window_s}"
        return f"({text})" if sampled else f"({text}) * {self.window_s} / {over_s}"

    def at(self, expression: str) -> str:
        """Return `expression`, judged at the end of what this counts."""
        return _at_hour(expression) if self.when is When.HOUR else expression


def histogram(selector: str, placeholder: str) -> str:
    """Return the native histogram of a range as a template."""
    return f"{_MEAN} (increase({selector}[{placeholder}]))"


def _within(series: str, window_s: int, scrape_s: int) -> str:
    window = promql.duration(window_s)
    was = f"last_over_time({series}[{promql.duration(BRIDGE_S)}] offset {window})"
    before, first = f"{_ONE} ({was})", f"{_FIRST} (min_over_time({series}[{window}]))"
    last = f"{_ONE} (last_over_time({series}[{window}]))"
    counted = f"({last} - ({before} or {first})) >= 0"
    # A counter that begins below where it was has been reset at the border, and counts from 0 whatever it has reached.
    # Judged per series: the clocks of two replicas need not agree.
    border = f"{_ONE} (min_over_time({series}[{window}]) < {was})"
    if window_s < HOUR_S:
        return f"{counted} unless {border} or {last} and {border}"
    resets = f"{_ONE} (resets({series}[{window}])) > 0"
    increase = _increase(series, window_s, scrape_s)
    return f"{counted} unless {border} unless {resets} or {last} and {border} unless {resets} or {increase}"


def _so_far(series: str, scrape_s: int) -> str:
    """Count since the last full hour; `resets` and `increase` look back a whole one, so it is told what is before it.

    Without a reset in the last hour of time, or with one that was seen at the full hour already, the difference counts.
    With one since then, all of that time counts but what came before the full hour. Where resets were on both sides (a
    process that crashes again and again) nothing tells them apart, and that time counts by its share.
    """
    hour, fresh = promql.duration(HOUR_S), promql.duration(FRESH_S)
    last = f"{_ONE} (last_over_time({series}[{hour}]))"
    first = f"{_FIRST} (min_over_time({series}[{hour}]))"
    resets = f"{_ONE} (resets({series}[{hour}]))"
    then = _at_hour(f"{_ONE} (last_over_time({series}[{fresh}]))")
    an_hour_ago = f"{_ONE} (last_over_time({series}[{fresh}] offset {hour}))"
    increase = _increase(series, HOUR_S, scrape_s)
    return (
        f"({last} - ({_at_hour(last)} or {first})) >= 0 unless {resets} > ({_at_hour(resets)} == bool 1)"
        f" or {increase} - ({then} - {an_hour_ago}) and {_at_hour(resets)} == 0"
        f" or {increase} * (time() % {HOUR_S}) / {HOUR_S}"
    )


def _increase(series: str, window_s: int, scrape_s: int) -> str:
    over_s = window_s + scrape_s
    return f"{_ONE} (increase({series}[{promql.duration(over_s)}])) * {window_s} / {over_s}"


def _at_hour(expression: str) -> str:
    return f"last_over_time({promql.points(f'({expression})', 1, HOUR_S)})"


def _slots(expression: str) -> str:
    """Return the sum over the five-minute slots of this hour, and the share of the slot under way.

    A subquery cannot see when it is asked, so it sums even and odd hours apart (an hour never meets its second next in
    so short a range) and the one that fits is taken.
    """
    hours = []
    for is_in in ("<", ">="):
        gate = f"vector((time() - {SLOT_S}) % {2 * HOUR_S}) {is_in} {HOUR_S}"
        asked = f"vector(time() % {2 * HOUR_S}) {is_in} {HOUR_S}"
        slots = promql.points(f"({expression} and on () ({gate}))", HOUR_S // SLOT_S - 1, SLOT_S)
        hours.append(f"(sum_over_time({slots}) and on () ({asked}))")
    return promql.total_of((" or ".join(hours), f"{expression} * (time() % {SLOT_S}) / {SLOT_S}"))
