"""Events by hour and threshold, as a baseline has them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import gathering
from llmslo_rulegen.derive import history
from llmslo_rulegen.derive.history import Span
from llmslo_rulegen.observed import labels, slis
from llmslo_rulegen.traces.call import Call

CUT = "stream_interrupted"
ERRORS = ("", "", "", *(outcome for outcome in catalog.OUTCOMES if outcome != "ok"))
HOUR_NS = 3600 * 10**9
FIRST = 490_000
SLIS = [(source, sli) for source in catalog.BY_SOURCE for sli in slis.names(source)]


def _call(source, rng):
    stream = rng.random() < 0.6
    error = rng.choice(ERRORS)
    duration = rng.lognormvariate(1, 1.5)
    tokens = rng.randint(1, 60)
    ttft = duration * rng.random() if stream and (not error or (error == CUT and rng.random() < 0.3)) else None
    tpot = (duration - ttft) / (tokens - 1) if ttft is not None and not error and tokens > 1 else None
    return Call(
        source=source,
        service="s",
        operation="chat",
        provider="p",
        model="m",
        stream=stream,
        start_ns=(FIRST + rng.randrange(5)) * HOUR_NS,
        duration_s=duration,
        error=error,
        ttft_s=ttft,
        tpot_s=tpot,
        output_tokens=tokens,
        finish=rng.choice(("", "stop", "length")),
    )


@pytest.mark.parametrize(("source", "sli"), SLIS)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 1 << 30))
def test_hours_count_what_single_calls_count(source, sli, seed):
    rng = random.Random(seed)
    calls = [_call(source, rng) for _ in range(200)]
    pots = gathering.Gathering()
    for call in calls:
        pots.add(call)
    reading, at, span = slis.reading(source, sli), history.thresholds(sli, source), Span(FIRST, 5)
    found = history.merged([history.of(kind, cells, span, reading, at) for kind, cells in pots.baseline().kinds()])
    for column, threshold in enumerate(at or (None,)):
        good = [reading.is_good(call, threshold) for call in calls]
        assert found.count == sum(one is not None for one in good)
        assert int(found.bad[:, column].sum()) == sum(one is False for one in good)


def test_every_sli_of_the_catalog_is_read_or_says_why_not():
    told = {(source, sli) for source, sli in SLIS}
    for source in catalog.SOURCES:
        for sli in source.slis:
            assert ((source.name, sli.name) in told) != (slis.reading(source.name, sli.name) is None)
            assert "no span tells" in slis.untold(source.name, sli.name)
    assert slis.reading("otel-genai-a", "ttft") is None
    assert "has no metric" in slis.untold("otel-genai-a", "ttft")


def test_labels_are_those_that_the_metrics_have():
    known = {
        source.name: {label.name for sli in source.slis for metric in sli.metrics for label in metric.labels}
        for source in catalog.SOURCES
    }
    for source, sli in SLIS:
        for field in labels.FIELDS:
            found = labels.label(source, sli, field)
            assert found is None or found in known[source]


def test_labels_say_what_a_call_is():
    call = _call("otel-genai-b", random.Random(1))
    assert labels.value("otel-genai-b", "latency", "job", call) == "s"
    assert labels.value("otel-genai-b", "latency", "gen_ai_request_model", call) == "m"
    assert labels.value("llmslo", "latency", "stream", call) in {"true", "false"}
    assert labels.value("llmslo", "latency", "namespace", call) is None


def test_a_cut_keeps_its_place_in_time():
    found = history.History(Span(10, 4), np.arange(4), np.arange(4).reshape(4, 1))
    assert found.cut(1, 3).span == Span(11, 2)
    assert found.cut(1, 3).count == 3
