"""promtool takes every rule that can be rendered: each SLI of each source, windows, groups and own SLIs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from llmslo_exporter.catalog import SOURCES
from llmslo_rulegen import yaml_text
from llmslo_rulegen.groups import groups, groups_of
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Op,
    Place,
    Sli,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.tier import Severity
from tests.rules.backend import lacks, run

DAY_S = 86_400
WINDOWS = (
    *(Window(days * DAY_S) for days in (1, 7, 28, 30, 90, 181, 365)),
    *(Window(days * DAY_S, calendar) for calendar, days in zip(Calendar, (7, 31, 92), strict=True)),
)
OBJECTIVES = tuple(map(Decimal, ("50", "80", "90", "95", "99", "99.5", "99.9", "99.99")))
ODD = 'a"b\\c{{d}}\nü'  # a value that a user may well have
TEXT = 'a"b\\c\nü'  # the same where Prometheus reads templates
OWN: dict[str, Sli] = {
    "rate": EventsSli(
        'sum(rate(http_requests_total{job="a"}[{{window}}]))',
        EventFunction.RATE,
        'sum(rate(http_requests_total{job="a",code=~"5.."}[{{window}}]))',
    ),
    "rate-good": EventsSli(
        "sum by (pod) (rate(jobs_total[{{window}}]))",
        EventFunction.RATE,
        good="sum by (pod) (rate(jobs_done_total[{{window}}])) - sum by (pod) (rate(jobs_slow_total[{{window}}]))",
    ),
    "increase": EventsSli(
        "sum(increase(jobs_total[{{window}}]))", EventFunction.INCREASE, "sum(increase(jobs_failed_total[{{window}}]))"
    ),
    "samples": EventsSli(
        "sum(count_over_time(probe_success[{{window}}]))",
        EventFunction.COUNT_OVER_TIME,
        "sum(count_over_time(probe_failed[{{window}}]))",
    ),
    "histogram": HistogramSli('http_request_duration_seconds{job="a"}', 0.25),
    "condition": SlicedSli("queue_length <= bool 100", condition=True),
    "ratio": SlicedSli("avg(cache_misses / cache_reads)", condition=False),
}


@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
def test_promtool_takes_every_rule(tmp_path):
    files = []
    for with_sloth in (True, False):
        for name, slos in _matrix():
            path = tmp_path / f"{name}-{with_sloth}.yaml"
            path.write_text(yaml_text.rules(groups_of(slos, sloth=with_sloth)))
            files.append(path)
    assert _lint(files).count("SUCCESS") == len(files)


def _lint(files: list[Path]) -> str:
    return run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *files, timeout_s=120)


def _matrix() -> Iterator[tuple[str, list[Slo]]]:
    catalog = {
        f"{source.name}-{sli.name}": CatalogSli(sli.name, source.name) for source in SOURCES for sli in source.slis
    }
    yield "catalog", [_slo(name, sli) for name, sli in catalog.items()]
    yield "grouped", [_slo(f"{name}-by", sli, group_by=("namespace", "pod")) for name, sli in catalog.items()]
    chosen = (
        Matcher("namespace", Op.EQUAL, ODD),
        Matcher("pod", Op.NO_MATCH, "a.*|b\\.c"),
        Matcher("zone", Op.MATCH, ""),
    )
    yield "selected", [_slo("selected", CatalogSli("availability", "llmslo", chosen))]
    yield "own", [_slo(name, sli) for name, sli in OWN.items()]
    yield "own-grouped", [_slo(f"{name}-by", sli, group_by=("pod",)) for name, sli in OWN.items()]
    shapes = {"plain": CatalogSli("availability", "llmslo"), "own": OWN["rate"], "time": OWN["condition"]}
    for kind, sli in shapes.items():
        yield (
            f"windows-{kind}",
            [
                _slo(f"{kind}-{place}-{str(objective).replace('.', '-')}", sli, window, objective)
                for place, window in enumerate(WINDOWS)
                for objective in OBJECTIVES
            ],
        )
    yield "asked", list(_asked())


def _asked() -> Iterator[Slo]:
    """What a user may ask of alerts and thresholds."""
    sli = CatalogSli("availability", "llmslo")
    words = (("note", f"{TEXT} costs {{{{ $value }}}}"),)
    for place, alerting in enumerate(
        (
            Alerting("Odd", labels=(("team", TEXT),), annotations=words),
            Alerting("NoPage", disabled=frozenset({Severity.PAGE})),
            Alerting("Silent", disabled=frozenset(Severity)),
        )
    ):
        yield _slo(f"alerting-{place}", sli, alerting=alerting, labels=(("team", TEXT),), description=ODD)
    for place, low in enumerate((LowTraffic(min_bad=7), LowTraffic(wilson=0.95))):
        yield _slo(f"low-{place}", sli, low_traffic=low)
    for seconds in (15, 300):
        yield _slo(f"scraped-{seconds}", sli, scrape_interval_s=seconds)


def _slo(name: str, sli: Sli, window: Window = WINDOWS[3], objective: Decimal = OBJECTIVES[4], **more: object) -> Slo:
    alerting = more.pop("alerting", Alerting("Broken"))
    return Slo("lint", name, sli, objective, window, alerting, Place("lint.yaml", 1), **more)  # type: ignore[arg-type]


def test_groups_of_an_slo_have_names_of_their_own():
    slos = [slo for _, found in _matrix() for slo in found]
    names = [group.name for slo in slos for group in groups(slo)]
    assert len(names) == len(set(names))
