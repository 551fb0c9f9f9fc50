"""The records and labels of Sloth, so that its UI and dashboards work: its names, our values.

Names and their meaning are those of Sloth 0.16 (slo-rules 4.1, 4.2). Where it averages ratios, these divide sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_rulegen import promql
from llmslo_rulegen.records import IDS, named
from llmslo_rulegen.rule import Labels, RecordingRule
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.staging import DAY_S

# Sloth's windows for 30 days; its UI takes the shortest for "now".
WINDOWS_S = (300, 1800, 3600, 7200, 21_600, 86_400, 259_200)
_MODE, _SPEC = "cli-gen-prom", "prometheus/v1"  # what Sloth itself writes there


def windows_s(slo: Slo) -> tuple[int, ...]:
    """Return Sloth's windows that fit into the SLO's, without the SLO's own."""
    return tuple(window_s for window_s in WINDOWS_S if window_s < slo.window.seconds)


def records(slo: Slo) -> Iterator[RecordingRule]:
    """Yield Sloth's records; they read ours."""
    labels = identity_labels(slo)
    for length, template in _ratios(windows_s(slo), slo.window.seconds, slo.group_by):
        more = (*labels, (catalog.SLOTH_WINDOW, length))
        yield RecordingRule(f"{catalog.SLOTH_RATIO}{length}", named(template, slo), more)
    for record, template in _metadata(windows_s(slo)[0], slo.window.seconds, slo.objective, slo.group_by):
        yield RecordingRule(record, named(template, slo), labels)
    yield RecordingRule(catalog.SLOTH_INFO, "vector(1)", _info(slo))


def identity_labels(slo: Slo) -> Labels:
    """Return the labels by which Sloth knows an SLO."""
    return ((catalog.SLOTH_ID, slo.id), (catalog.SLOTH_SERVICE, slo.service), (catalog.SLOTH_SLO, slo.name))


@lru_cache(maxsize=256)
def _ratios(shorter_s: tuple[int, ...], window_s: int, groups: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((promql.duration(each_s), _ratio(each_s, groups)) for each_s in (*shorter_s, window_s))


@lru_cache(maxsize=256)
def _metadata(
    shortest_s: int, window_s: int, objective: Decimal, groups: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    budget = promql.number(1 - objective / 100)
    # Nothing happened, nothing burnt.
    current, burnt = (
        f"{_ratio(each_s, groups)} / {budget} or 0 * {_events(catalog.TOTAL, each_s, groups)}"
        for each_s in (shortest_s, window_s)
    )
    return (
        (catalog.SLOTH_OBJECTIVE_RATIO, f"vector({promql.number(objective / 100)})"),
        (catalog.SLOTH_BUDGET, f"vector({budget})"),
        (catalog.SLOTH_PERIOD, f"vector({window_s // DAY_S})"),
        (catalog.SLOTH_CURRENT, current),
        (catalog.SLOTH_BURNT, burnt),
        (catalog.SLOTH_REMAINING, f"1 - {promql.summed(f'{catalog.SPENT}{IDS}', groups)}"),
    )


def _ratio(window_s: int, groups: tuple[str, ...]) -> str:
    return f"{_events(catalog.BAD, window_s, groups)} / ({_events(catalog.TOTAL, window_s, groups)} > 0)"


def _events(name: str, window_s: int, groups: tuple[str, ...]) -> str:
    return promql.summed(f"{name}{catalog.INCREASE}{promql.duration(window_s)}{IDS}", groups)


def _info(slo: Slo) -> Labels:
    own = {
        catalog.SLOTH_MODE: _MODE,
        catalog.SLOTH_OBJECTIVE: promql.number(slo.objective),
        catalog.SLOTH_SPEC: _SPEC,
        catalog.SLOTH_VERSION: "llmslo",
    }
    return tuple(sorted((dict(slo.labels) | own | dict(identity_labels(slo))).items()))
