"""The series that rules read, by name: what was scraped, and what earlier rules recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from llmslo_rulegen.backtest.expression import Selector
from llmslo_rulegen.backtest.points import Points
from llmslo_rulegen.backtest.vector import NAME, Labels
from llmslo_rulegen.slo import Matcher, Op


class Store:
    """Series by name and labels."""

    def __init__(self, series: Iterable[tuple[Labels, Points]] = ()) -> None:
        self._by_name: dict[str, dict[Labels, Points]] = {}
        for key, points in series:
            self.add(key, points)

    def add(self, key: Labels, points: Points) -> None:
        """Take a series; `key` holds its name. One of the same labels is replaced."""
        self._by_name.setdefault(dict(key)[NAME], {})[key] = points

    def matching(self, selector: Selector) -> list[tuple[Labels, Points]]:
        """Return the series that a selector means."""
        found = self._by_name.get(selector.name, {})
        return [(key, points) for key, points in found.items() if matches(selector, key)]

    def copy(self) -> Store:
        """Return a store of the same series that can take others."""
        found = Store()
        found._by_name = {name: dict(series) for name, series in self._by_name.items()}
        return found

    @property
    def samples(self) -> int:
        """How many samples are held."""
        return sum(len(points.at_ms) for found in self._by_name.values() for points in found.values())


def matches(selector: Selector, key: Labels) -> bool:
    """Return whether a series is one of those that a selector means."""
    own = dict(key)
    return own.get(NAME) == selector.name and all(_fits(each, own.get(each.label, "")) for each in selector.matchers)


def _fits(matcher: Matcher, value: str) -> bool:
    if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
        return (matcher.value == value) is (matcher.op is Op.EQUAL)
    return (_compiled(matcher.value).fullmatch(value) is not None) is (matcher.op is Op.MATCH)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
