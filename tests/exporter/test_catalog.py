from __future__ import annotations

import sys
from dataclasses import fields
from subprocess import run

import pytest

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Limits, Metric, MetricType, Part, Sli
from llmslo_exporter.exchange import ClosedBy, Outcome, StreamOutcome, TokenSource
from llmslo_exporter.summary import FinishReason, Role


def test_closed_lists_say_what_the_enums_say():
    assert set(catalog.OUTCOMES) == {outcome.value for outcome in Outcome}
    assert set(catalog.STREAM_OUTCOMES) == {outcome.value for outcome in StreamOutcome}
    assert set(catalog.CLOSERS) == {closer.value for closer in ClosedBy}
    assert set(catalog.TOKEN_SOURCES) == {source.value for source in TokenSource}
    assert catalog.TOKEN_SOURCES[-1] == TokenSource.CHUNKS.value
    assert set(catalog.ROLES) == {role.value for role in Role}
    assert [FinishReason[name.upper()] for name in catalog.FINISH_REASONS] == list(range(8))


def test_the_catalog_needs_the_standard_library_only():
    code = (
        "import sys; before = set(sys.modules); import llmslo_exporter.catalog;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    result = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["llmslo_exporter"]


@pytest.mark.parametrize("metric", catalog.METRICS, ids=lambda metric: metric.name)
def test_names_units_and_zeros_fit_the_type(metric: Metric):
    is_counter = metric.type is MetricType.COUNTER
    assert metric.name.endswith("_total") == is_counter
    assert metric.name.removesuffix("_total").endswith(metric.unit)
    assert bool(metric.buckets) == (metric.type is MetricType.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert len(metric.labels) == len({label.name for label in metric.labels})
    for zero in metric.zeros:
        assert len(zero) == len(metric.extra)
        assert all(value in label.values for value, label in zip(zero, metric.extra, strict=True))


def test_metric_names_are_unique_and_groups_differ_in_the_number_of_shared_labels():
    assert len(catalog.BY_NAME) == len(catalog.METRICS)
    groups = {metric.shared for metric in catalog.METRICS}
    assert len({len(group) for group in groups}) == len(groups)


@pytest.mark.parametrize("sli", catalog.SLIS, ids=lambda sli: sli.name)
def test_an_sli_uses_known_labels_and_a_bucket_edge(sli: Sli):
    assert 0 < sli.objective <= 1
    assert (sli.threshold is None) == (not sli.edges)
    assert sli.threshold is None or sli.threshold in sli.edges
    for selection in sli.bad + sli.total:
        assert selection.metric in catalog.METRICS
        assert (selection.part is Part.EVENTS) == (selection.metric.type is MetricType.COUNTER)
        for label, values in selection.values:
            assert label in selection.metric.extra
            assert set(values) <= set(label.values)


@pytest.mark.parametrize("sli", catalog.SLIS, ids=lambda sli: sli.name)
def test_bad_events_are_part_of_the_total(sli: Sli):
    for bad in sli.bad:
        whole = [total for total in sli.total if total.metric == bad.metric]
        assert len(whole) == 1
        limits = dict(whole[0].values)
        for label, values in bad.values:
            assert set(values) <= set(limits.get(label, label.values))
        assert set(limits) <= set(dict(bad.values))


def test_limits_are_the_contracts():
    assert [getattr(Limits(), field.name) for field in fields(Limits)] == [50, 25, 200, 100_000, 86_400]
