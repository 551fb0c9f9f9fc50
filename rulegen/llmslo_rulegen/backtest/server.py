"""A Prometheus as a history: the raw samples of what the rules read, fetched in stretches of time.

Asked are ranges of samples (`metric[6h]` at an instant), not values at steps: those would be up to five minutes old.
What such an answer lacks is when a series was marked as ended: until five minutes after its last sample it still counts
as there, which only `up` and the like show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from llmslo_rulegen import promql
from llmslo_rulegen.backtest.expression import Selector, parse, walk
from llmslo_rulegen.backtest.points import Instants, Points, Values
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.traffic import MOST_SAMPLES
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.vector import Labels, labels
from llmslo_rulegen.groups import groups
from llmslo_rulegen.prometheus_api import Api
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.slo import Slo

ANSWER_S, ALL_S = 60.0, 1800.0
STRETCH_S = 6 * 3600
_QUERY = "query"


class Server:
    """The samples of a server between two instants; each selector is asked for once."""

    def __init__(self, api: Api, begin_ms: int, end_ms: int) -> None:
        self._api = api
        self._found: dict[Selector, list[tuple[Labels, Points]]] = {}
        self.begin_ms, self.end_ms = begin_ms, end_ms

    def store(self, slo: Slo) -> Store:
        """Return what the rules of an SLO read; raises UnsupportedError, ServerError."""
        found = Store()
        selectors = needed(slo)
        for selector in selectors:
            if selector not in self._found:
                self._found[selector] = list(self._series(selector))
            for key, points in self._found[selector]:
                found.add(key, points)
            if found.samples > MOST_SAMPLES:
                msg = f"more than {MOST_SAMPLES} samples are too much: narrow the time with --from and --to"
                raise UnsupportedError(msg)
        if not found.samples:
            names = ", ".join(sorted({selector.name for selector in selectors}))
            msg = f"{self._api.url} has no sample of {names} in this time"
            raise UnsupportedError(msg)
        return found

    def _series(self, selector: Selector) -> Iterator[tuple[Labels, Points]]:
        parts: dict[Labels, list[tuple[Instants, Values]]] = {}
        for key, at_ms, values in self._stretches(selector):
            known = parts.setdefault(key, [])
            # Prometheus 2 has the sample at the border in both stretches.
            new = at_ms > known[-1][0][-1] if known else np.ones(len(at_ms), np.bool_)
            if new.any():
                known.append((at_ms[new], values[new]))
        for key, known in parts.items():
            yield key, Points(*(np.concatenate(each) for each in zip(*known, strict=True)))

    def _stretches(self, selector: Selector) -> Iterator[tuple[Labels, Instants, Values]]:
        text, step_ms = promql.selector(selector.name, selector.matchers), STRETCH_S * 1000
        for begin_ms in range(self.begin_ms, self.end_ms, step_ms):
            end_ms = min(begin_ms + step_ms, self.end_ms)
            length = promql.duration((end_ms - begin_ms) / 1000)
            asked = {"query": f"{text}[{length}]", "time": f"{end_ms / 1000:.3f}", "timeout": f"{ANSWER_S:g}s"}
            data = self._api.data(_QUERY, asked)
            try:
                yield from map(_samples, data["result"])
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise self._api.strange(_QUERY) from error


def _samples(one: Mapping[str, Any]) -> tuple[Labels, Instants, Values]:
    if "histograms" in one:
        msg = f"{one['metric'].get('__name__', 'a series')} is a native histogram: that is not replayed"
        raise UnsupportedError(msg)
    at_ms = np.array([round(float(at_s) * 1000) for at_s, _ in one["values"]], np.int64)
    return labels(one["metric"].items()), at_ms, np.array([float(value) for _, value in one["values"]])


def needed(slo: Slo) -> tuple[Selector, ...]:
    """Return the series that the rules of an SLO read and do not record themselves; raises UnsupportedError."""
    (group,) = groups(slo, sloth=False)
    recorded = {rule.record for rule in group.rules if isinstance(rule, RecordingRule)}
    read = {
        Selector(each.name, each.matchers)
        for rule in group.rules
        for each in walk(parse(rule.expr)).values()
        if isinstance(each, Selector) and each.name not in recorded
    }
    return tuple(sorted(read, key=str))
