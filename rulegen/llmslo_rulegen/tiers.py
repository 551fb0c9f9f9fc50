"""Four burn tiers for any objective and window: how fast, over how long, and who is told.

The textbook (Site Reliability Workbook, ch. 5: 14.4/6/3/1 over 1h/6h/1d/3d) fits 99.9 % and 30 days, where it is used
as it stands. A bad share cannot exceed 1: at 90 % its first tier cannot fire, at 80 % no page can (slo-rules 3.3).
Every other cell is solved. With factor x long = share x window a burn of x fires after share x window / x and has then
spent that share of the budget, whatever x is; a total outage fires after factor x budget x long (slo-rules 3.1).

    tier         factor, at most                                   long window
    page_fast    14.4; 0.9 / budget; time / (budget x long);       1h; 30m where the factor would fall below 7
                 6 % of the window / long; 5 if window < 7d
    page_slow    5; 0.6 of page_fast's; 5 % of the window / long   6h x (window / 30d)^0.6, 2h or more
                 where that is over 3
    ticket_fast  3; 0.6 of page_slow's; 10 % of the window / long  1d x (window / 30d)^0.8
    ticket_slow  1                                                 a sixth of the window, 3d or less

No page factor is below 2, all that there can be at 50 %, no ticket_fast below 1.2.

- page_fast's time is 7.5 minutes from 99 %, 12 from 90 %, 27 from 80 % down: what a team is promised (10, 15, 30)
  without two minutes for scrape and evaluation. A lower factor needs more bad events before it is no chance (see
  `gate`), so a shorter window is taken before a factor below 7.
- A steady burn of 6 must page before 10 % of the budget is gone. At a factor of 6 only luck pages it, hence 5. In a
  window of days page_fast takes this over, and page_slow stays long for those who have ten calls an hour: with even
  calls page_fast's five minutes never hold two.
- Low objectives reach a count soon, so page_slow's window shrinks until a total outage fires it in 72 minutes.
- Windows over 30 days keep the tiers of 30: an outage is no less urgent in a quarter, and longer windows need records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from llmslo_rulegen import gate
from llmslo_rulegen.tier import Severity, Tier

MINUTE, HOUR, DAY = 60, 3600, 86_400
WEEK, MONTH = 7 * DAY, 30 * DAY
TEXTBOOK = (Decimal("99.9"), MONTH)
MOST = 0.9  # of all events, the highest share a tier asks for: a total outage is seldom quite total
LEAST_PAGE = 2.0  # times too fast; below 55 % that asks for more than MOST, at 50 % for all events
SCRAPES = 4  # in a short window at least, slo-rules 5.1 (16)
PROMPT_BUDGET = 0.01  # 99 %
LEAST_OVER_HOUR = 7  # page_fast's factor over an hour, else it takes half an hour
SLOW_S = 72 * MINUTE  # within which page_slow notices a total outage, where a window of 90 minutes can
SHORTEST_SLOW_S = 90 * MINUTE
STEPS_M = (90, 120, 180, 240, 360, 540, 720, 1080, 1440, 2160, 2880, 4320)  # minutes, of every window but page_fast's


@dataclass(frozen=True, slots=True)
class _Shape:
    factor: float
    long_s: int
    short_s: int


@lru_cache(maxsize=1024)
def solve(objective: Decimal, window_s: int, scrape_interval_s: int) -> tuple[Tier, ...]:
    """Return page_fast, page_slow, ticket_fast and ticket_slow with their gates, for an objective in percent."""
    shapes = _textbook() if (objective, window_s) == TEXTBOOK else _solved(float(1 - objective / 100), window_s)
    tiers = []
    names = ("page_fast", "page_slow", "ticket_fast", "ticket_slow")
    for name, shape in zip(names, shapes, strict=True):
        severity = Severity.PAGE if name.startswith("page") else Severity.TICKET
        short_s = max(shape.short_s, _up(SCRAPES * scrape_interval_s, MINUTE))
        tiers.append(Tier(name, severity, shape.factor, max(shape.long_s, short_s), short_s))
    return gate.gated(tiers, objective)


def _textbook() -> tuple[_Shape, ...]:
    return (
        _Shape(14.4, HOUR, 5 * MINUTE),
        _Shape(6, 6 * HOUR, HOUR // 2),
        _Shape(3, DAY, 2 * HOUR),
        _Shape(1, 3 * DAY, 6 * HOUR),
    )


def _solved(budget: float, window_s: int) -> tuple[_Shape, ...]:
    window_s = min(window_s, MONTH)
    fast = _page_fast(budget, window_s)
    slow = _page_slow(budget, window_s)
    long_s = _step(DAY * (window_s / MONTH) ** 0.8)
    factor = min(MOST / budget, max(1.2, min(3, 0.1 * window_s / long_s, 0.6 * slow.factor)))
    longest_s = _step(min(3 * DAY, window_s / 6))
    return (
        fast,
        slow,
        _Shape(_printed(factor), long_s, _up(long_s // 12, 5 * MINUTE)),
        _Shape(1, longest_s, _up(longest_s // 12, 5 * MINUTE)),
    )


def _page_fast(budget: float, window_s: int) -> _Shape:
    spent_s, late_s = 0.0625 * window_s, _promised_s(budget)
    long_s = HOUR if min(spent_s, late_s / budget) / HOUR >= LEAST_OVER_HOUR else HOUR // 2
    highest = 14.4 if window_s >= WEEK else 5
    factor = min(highest, spent_s / long_s, late_s / budget / long_s, MOST / budget)
    return _Shape(_page_factor(factor), long_s, 5 * MINUTE)


def _page_slow(budget: float, window_s: int) -> _Shape:
    long_s = max(2 * HOUR, _step(6 * HOUR * (window_s / MONTH) ** 0.6))
    factor = min(5, max(3, 0.05 * window_s / long_s), 0.6 * _page_fast(budget, MONTH).factor)
    factor = _page_factor(factor)
    while factor * budget * long_s > SLOW_S and long_s > SHORTEST_SLOW_S:
        long_s = max(step * MINUTE for step in STEPS_M if step * MINUTE < long_s)
    return _Shape(factor, long_s, HOUR // 2)


def _promised_s(budget: float) -> float:
    """Return how long page_fast may take for a total outage; between 90 and 80 % in proportion."""
    if budget <= PROMPT_BUDGET:
        return 7.5 * MINUTE
    return 12 * MINUTE + 15 * MINUTE * min(1, max(0, (budget - 0.1) / 0.1))


def _page_factor(factor: float) -> float:
    return _printed(max(factor, LEAST_PAGE))


def _printed(factor: float) -> float:
    """Cut to the digits that a rule shows; down, so that no limit is broken."""
    digits = 1 if factor >= 3 else 2  # noqa: PLR2004 -- three is where a second digit stops to matter
    scale = float(10**digits)
    return math.floor(factor * scale + 1e-6) / scale


def _step(seconds: float) -> int:
    """Return the nearest step, in proportion."""
    return min((step * MINUTE for step in STEPS_M), key=lambda step: abs(math.log(step / seconds)))


def _up(seconds: int, to: int) -> int:
    return -(-seconds // to) * to
